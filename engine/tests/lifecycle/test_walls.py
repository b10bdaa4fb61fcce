# SPDX-License-Identifier: Apache-2.0
"""Row-level security is a wall of its own: a query without any filter sees nothing of another organization."""

from uuid import UUID

import psycopg
import pytest
from psycopg import Error as DatabaseError
from psycopg.errors import CheckViolation
from sqlalchemy import Table

from engine.tests.lifecycle.tenant_world import TenantWorld, insert_row
from stratoplane.ids import new_id
from stratoplane_engine.db import tables
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.change import IdempotencyKey

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
def full(tenant: TenantWorld) -> TenantWorld:
    """A tenant with at least one row of its own in every table of tenants."""
    network = tenant.made("network", cidr="10.1.0.0/24")
    keyed = tenant.context(idempotency=IdempotencyKey(key="k", fingerprint="f"))
    tenant.create("virtual_machine", network_ids=[network.resource.id], context=keyed)
    organization, user = tenant.organization_id, new_id()
    with tenant.database.system() as connection:
        insert_row(connection, "user_account", {"id": user, "organization_id": organization, "username": str(user)})
        role = connection.value(UUID, Statement("SELECT id FROM role LIMIT 1"))
        owned = {"organization_id": organization, "user_id": user}
        bound = {"id": new_id(), "role_id": role, "scope": "ORGANIZATION"}
        insert_row(connection, "role_binding", {**bound, **owned})
        token = {"id": new_id(), "kind": "api", "name": "t", "secret_hash": str(user)}
        insert_row(connection, "api_token", {**token, **owned})
        found = {"organization_id": organization, "resource_id": new_id()}
        placed = {"project_id": tenant.project_id, "kind": "volume", **found}
        insert_row(connection, "leak", {"id": new_id(), "job_id": new_id(), "step": "create", **placed})
        insert_row(connection, "drift", {"id": new_id(), "field": "size_gib", "policy": "alert", **placed})
        seen = {"kind": "leak", "severity": "WARNING", "title": "t", "key": str(user)}
        insert_row(connection, "incident", {"id": new_id(), **seen, **found})
    return tenant


def count(connection: Connection, table: Table) -> int:
    (number,) = connection.values(int, Statement(f"SELECT count(*) FROM {table.name}"))  # noqa: S608  # our tables
    return number


def test_every_table_with_an_organization_is_behind_the_wall() -> None:
    behind = {table.name for table in tables.TENANT_TABLES}
    assert {table.name for table in tables.metadata.sorted_tables if "organization_id" in table.columns} == behind


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_another_organizations_rows_are_not_there_to_be_seen_changed_or_deleted(
    full: TenantWorld, other_tenant: TenantWorld, table: Table
) -> None:
    with full.database.tenant(full.organization_id) as connection:
        own = count(connection, table)
    assert own > 0
    column = "id" if table.name == "organization" else "organization_id"
    with other_tenant.database.tenant(other_tenant.organization_id) as connection:
        seen = connection.values(UUID, Statement(f"SELECT DISTINCT {column} FROM {table.name}"))  # noqa: S608  # ours
        assert set(seen) <= {other_tenant.organization_id}
        if table.name not in APPENDED_ONLY:
            foreign = {"organization": full.organization_id}
            for verb in (f"UPDATE {table.name} SET {column} = {column}", f"DELETE FROM {table.name}"):  # noqa: S608  # ours
                assert connection.run(Statement(f"{verb} WHERE {column} = :organization"), foreign) == 0
    with full.database.tenant(full.organization_id) as connection:
        assert count(connection, table) == own


def test_without_an_organization_nothing_is_seen(full: TenantWorld) -> None:
    with full.database.tenant(full.organization_id) as connection:
        connection.run(Statement("SET LOCAL stratoplane.organization = ''"))
        assert [table.name for table in TENANT_TABLES if count(connection, table)] == []


def test_the_organization_of_one_transaction_is_not_that_of_the_next(
    full: TenantWorld, other_tenant: TenantWorld
) -> None:
    """The setting ends with its transaction, as it must on connections that are used in turn."""
    with full.database.tenant(full.organization_id) as connection:
        assert count(connection, tables.resource) > 0
    with psycopg.connect(full.database.url, autocommit=True) as connection:
        now = "SELECT current_user, coalesce(current_setting('stratoplane.organization', true), '')"
        [(user, organization)] = connection.execute(now).fetchall()
    assert organization == ""
    assert not str(user).endswith(("_tenant", "_system"))


def test_a_row_cannot_be_given_to_another_organization(full: TenantWorld, other_tenant: TenantWorld) -> None:
    values = {"id": new_id(), "organization": other_tenant.organization_id}
    planting = "INSERT INTO project (id, organization_id, name) VALUES (:id, :organization, 'planted')"
    giving = "UPDATE project SET organization_id = :organization"
    for statement in (planting, giving):
        refused = pytest.raises(DatabaseError, match="row-level security")
        with refused, full.database.tenant(full.organization_id) as connection:
            connection.run(Statement(statement), values)


@pytest.mark.parametrize("table", HIDDEN)
def test_what_is_the_providers_alone_cannot_be_read_by_tenants(tenant: TenantWorld, table: str) -> None:
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        tenant.database.tenant(tenant.organization_id) as connection,
    ):
        connection.documents(Statement(f"SELECT FROM {table}"))  # our tables


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
def test_tenants_may_not_write_what_is_the_platforms(tenant: TenantWorld, statement: str) -> None:
    denied = pytest.raises(DatabaseError, match=r"permission denied|must be owner")
    with denied, tenant.database.tenant(tenant.organization_id) as connection:
        connection.run(Statement(statement))


def test_the_roles_can_neither_log_in_nor_bypass_and_own_nothing(tenant: TenantWorld) -> None:
    roles = tenant.rows(
        "SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls,"
        " (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) AS owned"
        " FROM pg_roles r WHERE r.rolname IN ('stratoplane_tenant', 'stratoplane_system')"
    )
    assert len(roles) == 2
    for role in roles:
        assert (role["rolcanlogin"], role["rolsuper"], role["rolbypassrls"], role["owned"]) == (False, False, False, 0)


@pytest.mark.parametrize("who", ["tenant", "system", "owner"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET actor = 'nobody'", "DELETE FROM audit_event", "TRUNCATE audit_event"],
)
def test_the_audit_trail_only_grows(full: TenantWorld, who: str, statement: str) -> None:
    before = full.rows("SELECT * FROM audit_event ORDER BY id")

    def write() -> None:
        if who == "owner":
            with psycopg.connect(full.database.url, autocommit=True) as owner:
                owner.execute(statement.encode())
            return
        opened = full.database.system() if who == "system" else full.database.tenant(full.organization_id)
        with opened as connection:
            connection.run(Statement(statement))

    with pytest.raises(DatabaseError, match=r"permission denied|the audit trail only grows"):
        write()

    assert full.rows("SELECT * FROM audit_event ORDER BY id") == before


def test_a_change_whose_audit_event_cannot_be_written_does_not_happen(fresh_tenant: TenantWorld) -> None:
    with psycopg.connect(fresh_tenant.database.url, autocommit=True) as connection:
        refusing = "ALTER TABLE audit_event ADD CONSTRAINT never CHECK (action <> 'tenant:resource:create-accepted')"
        connection.execute(refusing)
    before = fresh_tenant.everything()

    with pytest.raises(CheckViolation, match="never"):
        fresh_tenant.create("volume", size_gib=1)

    assert fresh_tenant.everything() == before
