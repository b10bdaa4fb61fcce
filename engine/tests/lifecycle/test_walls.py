# SPDX-License-Identifier: Apache-2.0
"""Row-level security is a wall of its own: a query without any filter sees nothing of another organization."""

from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from psycopg import Error as DatabaseError
from psycopg.errors import CheckViolation
from sqlalchemy import Table

from stratoplane.ids import new_id
from stratoplane_engine.db import tables
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.change import IdempotencyKey

if TYPE_CHECKING:
    from conftest import Site

TENANT_TABLES = [*tables.TENANT_TABLES, tables.organization]
# Rights alone keep tenants from changing these.
APPENDED_ONLY = {"audit_event", "organization", "resource_revision"}
HIDDEN = [
    "agent",
    "agent_key",
    "agent_nonce",
    "installation_key",
    "inventory",
    "inventory_report",
    "join_token",
    "outbox",
    "alembic_version",
]


@pytest.fixture
def full(site: "Site") -> "Site":
    """A site with at least one row of its own in every table of tenants."""
    network = site.made("network", cidr="10.1.0.0/24")
    keyed = site.context(idempotency=IdempotencyKey(key="k", fingerprint="f"))
    site.create("virtual_machine", network_ids=[network.resource["id"]], context=keyed)
    organization, user = site.organization_id, new_id()
    with site.database.system() as connection:
        insert(connection, tables.user_account, id=user, organization_id=organization, username=str(user))
        (role,) = connection.values(UUID, Statement("SELECT id FROM role LIMIT 1"))
        owned = {"organization_id": organization, "user_id": user}
        insert(connection, tables.role_binding, id=new_id(), role_id=role, scope="ORGANIZATION", **owned)
        insert(connection, tables.api_token, id=new_id(), kind="api", name="t", secret_hash=str(user), **owned)
        found = {"organization_id": organization, "resource_id": new_id()}
        placed = {"project_id": site.project_id, "kind": "volume", **found}
        insert(connection, tables.leak, id=new_id(), job_id=new_id(), step="create", **placed)
        insert(connection, tables.drift, id=new_id(), field="size_gib", policy="alert", **placed)
        seen = {"kind": "leak", "severity": "WARNING", "title": "t", "key": str(user)}
        insert(connection, tables.incident, id=new_id(), **seen, **found)
    return site


def insert(connection: Connection, table: Table, **values: object) -> None:
    """Add a row whose other columns have their defaults."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.run(Statement(f"INSERT INTO {table.name} ({names}) VALUES ({places})"), values)  # noqa: S608  # our tables


def count(connection: Connection, table: Table) -> int:
    return connection.value(int, Statement(f"SELECT count(*) FROM {table.name}")) or 0  # noqa: S608  # our tables


def test_every_table_with_an_organization_is_behind_the_wall() -> None:
    behind = {table.name for table in tables.TENANT_TABLES}
    assert {table.name for table in tables.metadata.sorted_tables if "organization_id" in table.columns} == behind


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_another_organizations_rows_are_not_there_to_be_seen_changed_or_deleted(
    full: "Site", other_site: "Site", table: Table
) -> None:
    with full.database.tenant(full.organization_id) as connection:
        own = count(connection, table)
    assert own > 0
    column = "id" if table.name == "organization" else "organization_id"
    with other_site.database.tenant(other_site.organization_id) as connection:
        seen = connection.values(UUID, Statement(f"SELECT DISTINCT {column} FROM {table.name}"))  # noqa: S608
        assert set(seen) <= {other_site.organization_id}
        if table.name not in APPENDED_ONLY:
            for change in (f"UPDATE {table.name} SET {column} = {column}", f"DELETE FROM {table.name}"):  # noqa: S608
                foreign = Statement(f"{change} WHERE {column} = :id")
                assert connection.run(foreign, {"id": full.organization_id}) == 0
    with full.database.tenant(full.organization_id) as connection:
        assert count(connection, table) == own


def test_without_an_organization_nothing_is_seen(full: "Site") -> None:
    with full.database.tenant(full.organization_id) as connection:
        connection.run(Statement("SET LOCAL stratoplane.organization = ''"))
        assert [table.name for table in TENANT_TABLES if count(connection, table)] == []


def test_the_organization_of_one_transaction_is_not_that_of_the_next(full: "Site", other_site: "Site") -> None:
    """The setting ends with its transaction, as it must on connections that are used in turn."""
    with full.database.tenant(full.organization_id) as connection:
        assert count(connection, tables.resource) > 0
    with psycopg.connect(full.database.url, autocommit=True) as connection:
        now = "SELECT current_user, coalesce(current_setting('stratoplane.organization', true), '')"
        user, organization = connection.execute(now).fetchone()
    assert organization == ""
    assert not str(user).endswith(("_tenant", "_system"))


def test_a_row_cannot_be_given_to_another_organization(full: "Site", other_site: "Site") -> None:
    planting = "INSERT INTO project (id, organization_id, name) VALUES (:id, :home, 'planted')"
    giving = "UPDATE project SET organization_id = :home WHERE id <> :id"
    for statement in (planting, giving):
        refused = pytest.raises(DatabaseError, match="row-level security")
        with refused, full.database.tenant(full.organization_id) as connection:
            connection.run(Statement(statement), {"id": new_id(), "home": other_site.organization_id})


@pytest.mark.parametrize("table", HIDDEN)
def test_what_is_the_providers_alone_cannot_be_read_by_tenants(site: "Site", table: str) -> None:
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        site.database.tenant(site.organization_id) as connection,
    ):
        connection.run(Statement(f"SELECT FROM {table}"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cluster SET vcpus_total = 1",
        "UPDATE cluster SET state = 'DISABLED'",
        "DELETE FROM cluster",
        "UPDATE flavor SET vcpus = 0",
        "INSERT INTO image (id, name, source) VALUES (gen_random_uuid(), 'x', 'x')",
        "UPDATE organization SET name = 'x'",
        "UPDATE resource_revision SET quota_usage = '{}'",
        "DELETE FROM resource_revision",
        "UPDATE role SET permissions = '{platform:write}'",
        "DELETE FROM outbox",
        "DROP TABLE job",
        "ALTER TABLE resource DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (id int)",
    ],
)
def test_tenants_may_not_write_what_is_the_platforms(site: "Site", statement: str) -> None:
    denied = pytest.raises(DatabaseError, match=r"permission denied|must be owner")
    with denied, site.database.tenant(site.organization_id) as connection:
        connection.run(Statement(statement))


def test_the_roles_can_neither_log_in_nor_bypass_and_own_nothing(site: "Site") -> None:
    roles = site.rows(
        "SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls,"
        " (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) AS owned"
        " FROM pg_roles r WHERE r.rolname IN ('stratoplane_tenant', 'stratoplane_system')"
    )
    assert len(roles) == 2
    for role in roles:
        assert (role["rolcanlogin"], role["rolsuper"], role["rolbypassrls"], role["owned"]) == (False, False, False, 0)


CHANGES_OF_THE_PAST = ["UPDATE audit_event SET actor = 'nobody'", "DELETE FROM audit_event", "TRUNCATE audit_event"]


@pytest.mark.parametrize("who", ["tenant", "system"])
@pytest.mark.parametrize("statement", CHANGES_OF_THE_PAST)
def test_the_audit_trail_only_grows(full: "Site", who: str, statement: str) -> None:
    before = full.rows("SELECT * FROM audit_event ORDER BY id")
    opened = full.database.tenant(full.organization_id) if who == "tenant" else full.database.system()
    with pytest.raises(DatabaseError, match="permission denied"), opened as connection:
        connection.run(Statement(statement))

    assert full.rows("SELECT * FROM audit_event ORDER BY id") == before


@pytest.mark.parametrize("statement", CHANGES_OF_THE_PAST)
def test_not_even_the_owner_changes_the_audit_trail(full: "Site", statement: str) -> None:
    before = full.rows("SELECT * FROM audit_event ORDER BY id")
    with (
        pytest.raises(DatabaseError, match="the audit trail only grows"),
        psycopg.connect(full.database.url, autocommit=True) as connection,
    ):
        connection.execute(statement)

    assert full.rows("SELECT * FROM audit_event ORDER BY id") == before


def test_a_change_whose_audit_event_cannot_be_written_does_not_happen(fresh_site: "Site") -> None:
    with psycopg.connect(fresh_site.database.url, autocommit=True) as connection:
        refusing = "ALTER TABLE audit_event ADD CONSTRAINT never CHECK (action <> 'tenant:resource:create-accepted')"
        connection.execute(refusing)
    before = fresh_site.everything()

    with pytest.raises(CheckViolation, match="never"):
        fresh_site.create("volume", size_gib=1)

    assert fresh_site.everything() == before
