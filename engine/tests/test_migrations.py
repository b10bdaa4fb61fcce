# SPDX-License-Identifier: Apache-2.0
"""The schema: what migrations make is what the tables say, there and back, on every PostgreSQL that is served."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, inspect, make_url

from stratoplane.errors import UnavailableError
from stratoplane.ids import new_id
from stratoplane_embedded.binaries import find_postgresql
from stratoplane_embedded.errors import BinariesNotFoundError
from stratoplane_embedded.identity import choose_identity
from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_engine.db import migrate, tables
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.migrate import _config, migrating_engine, upgrade
from stratoplane_engine.db.schema import current_revision, wanted_revision
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.plugins import Plugins

OLDEST = 15
SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns c
    WHERE c.table_schema = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT tablename, policyname, roles::text || cmd, qual, with_check FROM pg_policies
UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT proname, prosrc, '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT relname, relrowsecurity::text, relforcerowsecurity::text, '', '' FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
UNION ALL SELECT grantee, table_name, privilege_type, '', '' FROM information_schema.role_table_grants
    WHERE grantee IN ('stratoplane_tenant', 'stratoplane_system')
UNION ALL SELECT grantee, table_name, column_name, privilege_type, '' FROM information_schema.role_column_grants
    WHERE grantee IN ('stratoplane_tenant', 'stratoplane_system')
"""


@pytest.fixture
def make_empty(postgresql_server: str) -> Iterator[Callable[[], str]]:
    """``make_empty()``: URL of a new database with nothing in it."""
    names: list[str] = []
    with psycopg.connect(postgresql_server, autocommit=True) as connection:

        def make() -> str:
            names.append(f"empty_{uuid4().hex}")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[-1])))
            return make_url(postgresql_server).set(database=names[-1]).render_as_string(hide_password=False)

        yield make
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def on(url: str, work: Callable[[Connection], object]) -> object:
    engine = migrating_engine(url)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def shape(url: str) -> list[str]:
    """Return every column, constraint, index, policy, trigger, function and right of a database, as text."""
    with psycopg.connect(url) as connection:
        return sorted(str(row) for row in connection.execute(SHAPE))


def test_roles_want_the_revision_that_migrations_lead_to() -> None:
    folder = Path(migrate.__file__).parent / "migrations"
    assert wanted_revision() == ScriptDirectory(str(folder)).get_current_head()


def test_from_nothing_to_the_newest_revision_and_again_without_a_change(make_empty: Callable[[], str]) -> None:
    url = make_empty()
    with closing(Database(url)) as database:
        assert current_revision(database) == ""
        assert upgrade(url) == wanted_revision() == current_revision(database)
    first = shape(url)

    upgrade(url)

    assert shape(url) == first


def test_what_the_migrations_make_is_what_the_tables_say(make_empty: Callable[[], str]) -> None:
    url = make_empty()
    upgrade(url)

    def differences(connection: Connection) -> object:
        settings = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=settings), tables.metadata)

    assert on(url, differences) == []


def test_checks_are_the_same_in_both(make_empty: Callable[[], str]) -> None:
    """Alembic compares no check constraints; so they are made both ways and compared as PostgreSQL shows them."""
    migrated, created = make_empty(), make_empty()
    upgrade(migrated)
    on(created, tables.metadata.create_all)

    def checks(connection: Connection) -> object:
        inspector = inspect(connection)
        return {
            name: sorted((check["name"] or "", check["sqltext"]) for check in inspector.get_check_constraints(name))
            for name in inspector.get_table_names()
            if name != "alembic_version"
        }

    assert on(migrated, checks) == on(created, checks)


def test_down_to_nothing_and_up_again(make_empty: Callable[[], str]) -> None:
    url = make_empty()
    upgrade(url)
    before = shape(url)

    on(url, lambda connection: command.downgrade(_config(connection), "base"))

    with psycopg.connect(url) as connection:
        left = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rights = connection.execute(
            "SELECT FROM information_schema.role_table_grants WHERE grantee LIKE 'stratoplane\\_%'"
        )
        assert left == [("alembic_version",)]
        assert rights.fetchall() == []
    upgrade(url)
    assert shape(url) == before


def test_many_at_once_wait_for_one_another(make_empty: Callable[[], str]) -> None:
    url = make_empty()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: upgrade(url), range(4))) == {wanted_revision()}


@pytest.mark.long
def test_several_databases_of_one_server_at_once(make_empty: Callable[[], str]) -> None:
    """The roles are the server's, so that databases which are made at the same moment meet there."""
    program = "import sys; from stratoplane_engine.db.migrate import upgrade; upgrade(sys.argv[1])"
    children = [
        subprocess.Popen([sys.executable, "-c", program, make_empty()], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ends = [(child.communicate()[1], child.returncode) for child in children]
    assert ends == [("", 0)] * 4


def test_a_database_that_is_away_is_said_in_one_line() -> None:
    with pytest.raises(UnavailableError, match="the database does not answer") as caught:
        upgrade("postgresql://nobody@/nothing?host=/nowhere")
    assert "\n" not in caught.value.detail


@pytest.fixture
def oldest_url(tmp_path: Path) -> Iterator[str]:
    """URL of a superuser's database on the oldest PostgreSQL that is served."""
    try:
        binaries = find_postgresql(OLDEST)
    except BinariesNotFoundError as error:
        pytest.skip(f"PostgreSQL {OLDEST} is not installed on this machine: {error}")
    folder = tmp_path / "postgresql"
    folder.mkdir(mode=0o700)
    server = PostgresqlServer(folder, settings=WITHOUT_DURABILITY)
    identity = choose_identity(binaries.postgres, folder, server.data)
    identity.open_way(folder)
    server._initialise(binaries, identity)
    with server:
        yield server.url


@pytest.mark.long
def test_the_oldest_postgresql_that_is_served(oldest_url: str) -> None:
    """Migrate, enter both roles, accept and move a job: the statements that any version may stumble over."""
    upgrade(oldest_url)
    database = Database(oldest_url)
    organization = new_id()
    with database.system() as connection:
        version = connection.value(str, Statement("SHOW server_version_num"))
        assert version is not None
        assert int(version) // 10_000 == OLDEST
        written = connection.run(
            Statement("INSERT INTO organization (id, name) VALUES (:id, 'a')"), {"id": organization}
        )
        assert written == 1
    seen = Statement("SELECT name FROM organization")
    with database.tenant(organization) as connection:
        assert connection.values(str, seen) == ["a"]
    with database.tenant(new_id()) as connection:
        assert connection.values(str, seen) == []
    assert drain(database, Plugins.load(), owner="test", generator=random.Random(1)) == 0
    database.close()
