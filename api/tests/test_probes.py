# SPDX-License-Identifier: Apache-2.0
"""What load balancers ask both APIs, without a token: whether the process lives, and whether it should get requests."""

import sys
from contextlib import closing, contextmanager
from subprocess import run
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from api.tests.conftest import migrated_database
from stratoplane_api.app import create_agent_app, create_app
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.db.connection import Database
from stratoplane_engine.plugins import Plugins

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
START = """
import os
from stratoplane_engine.roles.logs import configure_logging
from stratoplane_engine.roles.starting import open_database
from stratoplane_engine.db.connection import Database

configure_logging()
open_database(lambda: Database(os.environ["STRATOPLANE_DATABASE_URL"])).close()
print("started")
"""


@pytest.fixture
def own_url(postgresql_server):
    """URL of a migrated database that a test may break."""
    with migrated_database(postgresql_server) as url:
        yield url


@contextmanager
def clients(url, **settings):
    """Both applications' probes, as functions of their last part."""
    chosen = ApiSettings(database_url=url, **settings)
    with closing(Database(url, pool_size=1, application="probes")) as database:
        public = create_app(database, Plugins.load(()), chosen).test_client()
        agents = create_agent_app(database, chosen).test_client()
        yield lambda what: (public.get(f"/api/common/v1/{what}"), agents.get(f"/api/agent/v1/{what}"))


def ready(ask):
    for answer in ask("ready"):
        assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def unready(ask, words):
    for answer in ask("ready"):
        assert answer.status_code == 503
        assert words in answer.json["detail"]
        assert int(answer.headers["Retry-After"]) >= 1
    assert [answer.status_code for answer in ask("live")] == [200, 200]


def change_revision(url, revision):
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])


def test_a_process_that_can_serve_is_ready(own_url):
    with clients(own_url) as ask:
        ready(ask)
        assert [answer.status_code for answer in ask("live")] == [200, 200]


def test_without_a_database_or_redis_a_process_lives_and_is_not_ready():
    with clients(NOWHERE, redis_url="redis://127.0.0.1:1/0") as ask:
        unready(ask, "does not answer")
        assert "RateLimit" not in ask("live")[0].headers


def test_a_database_that_only_reads_makes_nobody_ready(own_url):
    name = sql.Identifier(urlsplit(own_url).path.lstrip("/"))
    with psycopg.connect(own_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    with clients(own_url) as ask:
        unready(ask, "only reads")


def test_an_older_schema_makes_nobody_ready_and_a_newer_one_does_no_harm(own_url):
    with clients(own_url) as ask:
        change_revision(own_url, "0001")
        unready(ask, "run stratoplane-server migrate")
        change_revision(own_url, "9999")
        ready(ask)


def test_a_process_that_drains_is_not_ready(own_url, tmp_path):
    file = tmp_path / "drain"
    with clients(own_url, drain_file=file) as ask:
        ready(ask)
        file.touch()
        unready(ask, "draining")
        file.unlink()
        ready(ask)


def start(url):
    return run(
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"STRATOPLANE_DATABASE_URL": url},
    )


def test_a_role_refuses_an_older_schema_and_a_url_of_no_use_in_one_line(own_url):
    assert start(own_url).returncode == 0
    change_revision(own_url, "0001")
    for url, words in ((own_url, "run stratoplane-server migrate"), ("postgresql://a:x/d", "'x' is not a port")):
        ended = start(url)
        lines = (ended.stdout + ended.stderr).splitlines()
        assert ended.returncode == 3
        assert len(lines) == 1
        assert words in lines[0]


def test_a_role_starts_while_the_database_is_away():
    assert "started" in start(NOWHERE).stdout
