# SPDX-License-Identifier: Apache-2.0
"""Nothing comes into being inside of what is being deleted at the same moment."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from stratoplane.errors import InUseError, ResourceNotFoundError
from stratoplane.quota import UNLIMITED
from stratoplane_engine.db import identity as identity_rows
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import OwnerDraft
from stratoplane_engine.model.quota import QuotaLine
from stratoplane_engine.services import organizations, projects, quota, users

PATIENCE = 20.0


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def wait_until_blocked(database, future):
    """Return when a transaction of this database waits for another's lock; fail if ``future`` ends instead."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while time.monotonic() < until:
        with psycopg.connect(database.url, autocommit=True) as connection:
            if connection.execute(waiting).fetchall() != [(0,)]:
                return
        assert not future.done(), future.exception() or "it did not wait"
        pause.wait(0.01)
    raise AssertionError("nothing waits")


def insert_resource(connection, tenant):
    """Do to the tables what an acceptance does, in its order: reserve, then insert."""
    scope = {"home": tenant.organization_id, "project": tenant.project_id}
    reserve = (
        "UPDATE quota SET used = used + 1 WHERE scope_id = :project AND organization_id = :home AND key = 'networks'"
    )
    reserved = connection.run(Statement(reserve), scope)
    if reserved:
        insert = "INSERT INTO resource (id, organization_id, project_id, kind, name)"
        values = f"{insert} VALUES (:id, :home, :project, 'network', 'front')"
        connection.run(Statement(values), {**scope, "id": uuid.uuid4()})
    return reserved


def test_a_deletion_waits_for_the_resource_that_is_being_made(database, tenant, pool):
    with database.tenant(tenant.organization_id) as connection:
        insert_resource(connection, tenant)
        deletion = pool.submit(projects.delete_project, database, tenant.context, tenant.project_id)
        wait_until_blocked(database, deletion)

    with pytest.raises(InUseError, match="network front"):
        deletion.result(PATIENCE)
    assert projects.get_project(database, tenant.context, tenant.project_id).name == "first"


def test_a_deleted_project_has_nothing_to_reserve(database, tenant):
    with database.tenant(tenant.organization_id) as connection:
        assert rows.project(connection, tenant.project_id)  # the look of a request that is slower than the deletion
        projects.delete_project(database, tenant.context, tenant.project_id)

        assert insert_resource(connection, tenant) == 0


def test_a_refused_deletion_keeps_the_limits(database, tenant):
    with database.tenant(tenant.organization_id) as connection:
        insert_resource(connection, tenant)
    with pytest.raises(InUseError):
        projects.delete_project(database, tenant.context, tenant.project_id)
    kept = quota.get_quotas(database, tenant.context, tenant.project_id).project

    assert QuotaLine(key="networks", limit=UNLIMITED, used=1) in kept


def test_no_project_begins_in_a_deleted_organization(database, operator, tenant):
    projects.delete_project(database, tenant.context, tenant.project_id)
    organizations.delete_organization(database, operator, tenant.organization_id)

    with pytest.raises(ResourceNotFoundError, match="deleted"):
        projects.create_project(database, tenant.context, OwnerDraft(name="late"))


def test_a_deletion_waits_for_the_project_that_is_being_made(database, operator, tenant, pool):
    projects.delete_project(database, tenant.context, tenant.project_id)
    with database.tenant(tenant.organization_id) as connection:
        rows.insert_project(connection, uuid.uuid4(), tenant.organization_id, OwnerDraft(name="just"))
        deletion = pool.submit(organizations.delete_organization, database, operator, tenant.organization_id)
        wait_until_blocked(database, deletion)

    with pytest.raises(InUseError, match="just"):
        deletion.result(PATIENCE)


def test_a_user_that_is_being_made_ends_with_the_organization(database, operator, tenant, pool):
    projects.delete_project(database, tenant.context, tenant.project_id)
    with database.tenant(tenant.organization_id) as connection:
        made = identity_rows.insert_user(
            connection,
            user_id=uuid.uuid4(),
            organization_id=tenant.organization_id,
            username=f"late-{uuid.uuid4().hex}",
            display_name="",
            password_hash="",
        )
        deletion = pool.submit(organizations.delete_organization, database, operator, tenant.organization_id)
        wait_until_blocked(database, deletion)
    deletion.result(PATIENCE)

    with pytest.raises(ResourceNotFoundError):
        users.get_any_user(database, operator, made.id)
