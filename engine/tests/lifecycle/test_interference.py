# SPDX-License-Identifier: Apache-2.0
"""People stop, repeat or end a job at every point of every workflow: what becomes of the job and its resource."""

from typing import Any

import pytest

from engine.tests.lifecycle.tenant_world import TenantWorld, build_world
from engine.tests.lifecycle.test_adoption import adopt, show
from engine.tests.lifecycle.transitions import check_transitions, note_transitions
from stratoplane.errors import StateConflictError
from stratoplane.messages import Operation, Outcome
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services import job_control

CREATED: dict[str, dict[str, Any]] = {"volume": {"size_gib": 3}, "virtual_machine": {}}
CHANGED: dict[str, dict[str, Any]] = {"volume": {"size_gib": 9}, "virtual_machine": {"power": "STOPPED"}}
ACTIONS = ("cancel", "retry", "resolve")
Rows = dict[str, tuple[str, str, str]]
# A job that an agent is at is not hastened; one that waits for another has begun nothing that could be ended.
CREATE: Rows = {
    "accepted": ("CANCELLED FAILED", "SUCCEEDED ACTIVE", "FAILED FAILED"),
    "offered": ("CANCELLED FAILED", "refused, SUCCEEDED ACTIVE", "FAILED FAILED"),
    "executing": ("SUCCEEDED ACTIVE", "refused, SUCCEEDED ACTIVE", "FAILED FAILED"),
    "retrying": ("CANCELLED FAILED", "SUCCEEDED ACTIVE", "FAILED FAILED"),
    "uncertain": ("CANCELLED FAILED", "SUCCEEDED ACTIVE", "FAILED FAILED"),
    "undoing": ("FAILED FAILED", "refused, FAILED FAILED", "FAILED FAILED"),
}
ADOPT: Rows = {
    "accepted": ("CANCELLED DELETED", "SUCCEEDED ACTIVE", "FAILED DELETED"),
    "offered": ("CANCELLED DELETED", "refused, SUCCEEDED ACTIVE", "FAILED DELETED"),
    "executing": ("SUCCEEDED ACTIVE", "refused, SUCCEEDED ACTIVE", "FAILED DELETED"),
    "retrying": ("CANCELLED DELETED", "SUCCEEDED ACTIVE", "FAILED DELETED"),
    "uncertain": ("CANCELLED DELETED", "SUCCEEDED ACTIVE", "FAILED DELETED"),
    "undoing": ("FAILED DELETED", "refused, FAILED DELETED", "FAILED DELETED"),
}
DELETE: Rows = {
    "accepted": ("CANCELLED ACTIVE", "SUCCEEDED DELETED", "FAILED ACTIVE"),
    "offered": ("CANCELLED ACTIVE", "refused, SUCCEEDED DELETED", "FAILED ACTIVE"),
    "executing": ("SUCCEEDED DELETED", "refused, SUCCEEDED DELETED", "FAILED FAILED"),
    "retrying": ("CANCELLED ACTIVE", "SUCCEEDED DELETED", "FAILED ACTIVE"),
    "uncertain": ("SUCCEEDED DELETED", "SUCCEEDED DELETED", "FAILED FAILED"),
    "failed": ("refused, FAILED FAILED", "FAILED DELETED", "refused, FAILED FAILED"),
    "behind": ("CANCELLED ACTIVE", "SUCCEEDED DELETED", "refused, SUCCEEDED DELETED"),
    "behind_failing_create": ("CANCELLED FAILED", "SUCCEEDED DELETED", "refused, SUCCEEDED DELETED"),
}


def update(before: str, after: str) -> Rows:
    return {
        "accepted": (f"CANCELLED {before}", f"SUCCEEDED {after}", f"FAILED {before}"),
        "offered": (f"CANCELLED {before}", f"refused, SUCCEEDED {after}", f"FAILED {before}"),
        "executing": (f"SUCCEEDED {after}", f"refused, SUCCEEDED {after}", f"FAILED {before}"),
        "retrying": (f"CANCELLED {before}", f"SUCCEEDED {after}", f"FAILED {before}"),
        "uncertain": (f"CANCELLED {before}", f"SUCCEEDED {after}", f"FAILED {before}"),
        "undoing": (f"FAILED {before}", f"refused, FAILED {before}", f"FAILED {before}"),
        "behind": (f"CANCELLED {before}", f"SUCCEEDED {after}", f"refused, SUCCEEDED {after}"),
        "behind_failing_create": ("CANCELLED FAILED", "FAILED FAILED", "refused, FAILED FAILED"),
    }


ACT: Rows = {
    "accepted": ("CANCELLED RUNNING", "SUCCEEDED RUNNING", "FAILED RUNNING"),
    "offered": ("CANCELLED RUNNING", "refused, SUCCEEDED RUNNING", "FAILED RUNNING"),
    "executing": ("SUCCEEDED RUNNING", "refused, SUCCEEDED RUNNING", "FAILED RUNNING"),
    "retrying": ("CANCELLED RUNNING", "SUCCEEDED RUNNING", "FAILED RUNNING"),
    "uncertain": ("SUCCEEDED RUNNING", "SUCCEEDED RUNNING", "FAILED RUNNING"),
    "failed": ("refused, FAILED RUNNING", "refused, FAILED RUNNING", "refused, FAILED RUNNING"),
}
EXPECTED: dict[str, dict[str, Rows]] = {
    "volume": {"create": CREATE, "update": update("ACTIVE", "ACTIVE"), "delete": DELETE, "adopt": ADOPT},
    "virtual_machine": {"update": update("RUNNING", "STOPPED"), "reboot": ACT, "read_console": ACT},
}


def ask(tenant: TenantWorld, kind: str, verb: str, made: ChangeResult | None) -> ChangeResult:
    """Ask for what the job is to do."""
    if verb == "create":
        return tenant.create(kind, **CREATED[kind])
    if verb == "adopt":
        tenant.execute("UPDATE cluster SET features = array_append(features, 'import')")
        show(tenant, kind)
        return adopt(tenant, kind)
    assert made is not None
    if verb == "update":
        return tenant.update(made, **CHANGED[kind])
    return tenant.delete(made) if verb == "delete" else tenant.act(made, verb)


def bring_to(tenant: TenantWorld, point: str) -> tuple[Operation, ...]:
    """Bring the job that was asked for to a point; return what the agent is at meanwhile."""
    if point in {"accepted", "behind", "behind_failing_create"}:
        return ()
    tenant.drain()
    if point == "offered":
        return ()
    if point == "executing":
        taken = tenant.agent.offers()
        tenant.agent.acknowledge(*taken)
        return taken
    outcome = {"retrying": Outcome.TRANSIENT, "uncertain": Outcome.UNCERTAIN}.get(point, Outcome.PERMANENT)
    tenant.agent.work(lambda operation: tenant.agent.failed(operation, outcome))
    tenant.drain()
    return ()


def begin(tenant: TenantWorld, kind: str, verb: str, point: str) -> tuple[ChangeResult, tuple[Operation, ...]]:
    """Return the job at its point, and what the agent is at meanwhile."""
    if point == "behind_failing_create":
        made: ChangeResult | None = tenant.create(kind, **CREATED[kind])
    else:
        made = None if verb in {"create", "adopt"} else tenant.made(kind, **CREATED[kind])
    if point == "behind" and made is not None:
        tenant.update(made, name="earlier")
    if not point.startswith("behind"):
        asked = ask(tenant, kind, verb, made)
        return asked, bring_to(tenant, point)
    tenant.drain()
    taken = tenant.agent.offers()
    tenant.agent.acknowledge(*taken)
    return ask(tenant, kind, verb, made), taken


def interfere(tenant: TenantWorld, action: str, asked: ChangeResult) -> None:
    context, job_id = tenant.context(), tenant.job_id(asked)
    if action == "cancel":
        job_control.cancel(tenant.database, context, tenant.project_id, job_id)
    elif action == "retry":
        job_control.retry(tenant.database, tenant.plugins, context, tenant.project_id, job_id)
    else:
        job_control.resolve(tenant.database, tenant.operator(), job_id, note="the rack is gone")


def become(database: Database, kind: str, verb: str, point: str, action: str) -> str:
    """Return what an action at a point makes of the job and its resource, once everything has come to rest."""
    tenant = build_world(database)
    tenant.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE id <> :id", id=tenant.cluster_id)
    asked, taken = begin(tenant, kind, verb, point)
    refused = ""
    try:
        interfere(tenant, action, asked)
    except StateConflictError:
        refused = "refused, "
    tenant.drain()
    fails = point == "behind_failing_create"
    tenant.agent.report(*(tenant.agent.failed(each) if fails else tenant.agent.done(each) for each in taken))
    tenant.settle()
    tenant.check_accounts()
    check_transitions(database)
    row = tenant.row(asked)
    assert row["status"] != "FAILED" or row["detail"], "nobody knows why"
    return f"{refused}{tenant.job(asked).state} {row['status']}"


@pytest.fixture
def noted(fresh_database: Database) -> Database:
    """A database that notes every change of a job's state and a resource's status."""
    return note_transitions(fresh_database)


@pytest.mark.parametrize(("kind", "verb"), [(kind, verb) for kind, verbs in EXPECTED.items() for verb in verbs])
def test_what_people_do_to_a_job_leaves_what_was_observed(noted: Database, kind: str, verb: str) -> None:
    expected = EXPECTED[kind][verb]
    became = {point: tuple(become(noted, kind, verb, point, action) for action in ACTIONS) for point in expected}
    assert became == expected
