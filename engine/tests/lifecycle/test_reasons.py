# SPDX-License-Identifier: Apache-2.0
"""A change or deletion that waits says what it waits for, on its job and on the resource."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from stratoplane.ids import new_id
from stratoplane.jobs import JobState, StepState
from stratoplane.messages import Outcome
from stratoplane_engine.db import claims
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.cluster import ClusterPatch, ClusterState
from stratoplane_engine.model.job import Job, JobAhead, JobStep, OpenCall, OperationState
from stratoplane_engine.model.listing import Page
from stratoplane_engine.model.waiting import WaitReason, waiting_of
from stratoplane_engine.services.clusters import update_cluster
from stratoplane_engine.services.resources import list_resources

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STEPS = (
    JobStep(position=0, name="first", state=StepState.DONE),
    JobStep(position=1, name="second", state=StepState.RUNNING),
)
NOTED = (JobStep(position=0, name="only", state=StepState.RUNNING, output={"reason": "network front is being made"}),)
QUEUED, RUNNING = (
    OpenCall(cluster="a", state=OperationState.QUEUED),
    OpenCall(cluster="a", state=OperationState.RUNNING),
)
TIMES = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def job(state: JobState = JobState.RUNNING, **members: object) -> Job:
    values: dict[str, object] = {
        **dict.fromkeys(("id", "organization_id", "project_id", "resource_id"), UUID(int=1)),
        **dict.fromkeys(("created_at", "deadline_at"), NOW),
        **dict.fromkeys(("resource_kind", "resource_name", "kind", "actor"), "x"),
        "steps": STEPS,
        "state": state,
    }
    return Job(**{**values, **members})  # type: ignore[arg-type]  # the table below names members


def test_every_reason_has_its_words_and_the_one_that_lasts_longest_is_told() -> None:
    ahead = JobAhead(id=UUID(int=7), kind="x.create")
    failing = OpenCall(cluster="a", state=OperationState.QUEUED, open_until=NOW, on_trial=True)
    trial = OpenCall(cluster="a", state=OperationState.OFFERED, on_trial=True)
    disabled = job(JobState.RETRYING, disabled_cluster="a", ahead=ahead, silent_cluster="a", next_run_at=NOW)
    table = [
        (disabled, "cluster a, which is disabled; an operator must enable it"),
        (job(JobState.PENDING, ahead=ahead), f"the x.create {UUID(int=7)} before it"),
        (job(worker_ended=True), "another worker, since the one that moved it ended; it is moved alone"),
        (job(JobState.RETRYING, next_run_at=NOW), "its next attempt at 2026-11-01T12:00:00Z"),
        (job(call=failing, silent_cluster="a"), "the agent of cluster a, which is silent"),
        (job(silent_cluster="a"), "the agent of cluster a, which is silent"),
        (
            job(call=failing),
            "cluster a, whose provider keeps failing; nothing is sent to it until 2026-11-01T12:00:00Z",
        ),
        (job(call=trial), "cluster a, whose provider kept failing; one call at a time tries whether it answers"),
        (job(call=QUEUED, steps=NOTED), "its turn at the agent of cluster a"),
        (
            job(call=RUNNING, cancelled_by="user:bob"),
            "the end of the call that the agent of cluster a executes; it stops after that",
        ),
        (job(steps=NOTED), "network front is being made"),
        (job(JobState.PENDING), "its turn among the jobs of all organizations"),
    ]
    told = {}
    for waits, words in table:
        found = waiting_of(waits)
        assert found is not None, words
        told[found.reason] = str(found)
        assert str(found) == words
    assert set(told) == set(WaitReason)

    for busy in (job(call=RUNNING), job(), job(JobState.SUCCEEDED, ahead=ahead), job(JobState.FAILED)):
        assert waiting_of(busy) is None


def listed(tenant: "TenantWorld", made: ChangeResult) -> str:
    page = list_resources(tenant.database, tenant.context(), tenant.project_id, BUILTIN_KINDS["volume"], Page(limit=50))
    return next(each.detail for each in page.items if each.id == made.resource.id)


def open_circuit(tenant: "TenantWorld", seconds: int) -> None:
    tenant.execute("DELETE FROM circuit WHERE cluster_id = :id", id=tenant.cluster_id)
    circuit = """INSERT INTO circuit (cluster_id, budget, trips, open_until)
        VALUES (:id, 0, 1, clock_timestamp() + make_interval(secs => :seconds))"""
    tenant.execute(circuit, id=tenant.cluster_id, seconds=seconds)


def test_a_change_says_what_it_waits_for_as_that_changes(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    grown = tenant.update(volume, size_gib=2)
    assert tenant.waits_for(grown) == "its turn among the jobs of all organizations"
    assert tenant.get(volume).detail == listed(tenant, volume) == f"waiting for {tenant.waits_for(grown)}"

    tenant.drain()
    assert tenant.waits_for(grown) == f"its turn at the agent of cluster {tenant.cluster}"
    open_circuit(tenant, 60)
    failing = rf"cluster {tenant.cluster}, whose provider keeps failing; nothing is sent to it until {TIMES}"
    assert re.fullmatch(failing, tenant.waits_for(grown))
    open_circuit(tenant, -1)
    assert tenant.waits_for(grown).endswith("one call at a time tries whether it answers")
    tenant.execute("UPDATE cluster SET seen_at = seen_at - interval '91 seconds' WHERE id = :id", id=tenant.cluster_id)
    assert tenant.waits_for(grown) == f"the agent of cluster {tenant.cluster}, which is silent"
    assert tenant.get(volume).detail == listed(tenant, volume) == f"waiting for {tenant.waits_for(grown)}"
    tenant.execute("UPDATE cluster SET seen_at = clock_timestamp() WHERE id = :id", id=tenant.cluster_id)

    tenant.agent.work(lambda operation: tenant.agent.failed(operation, Outcome.TRANSIENT))
    tenant.drain()
    assert re.fullmatch(rf"its next attempt at {TIMES}", tenant.waits_for(grown))
    update_cluster(tenant.database, tenant.operator(), tenant.cluster_id, ClusterPatch(state=ClusterState.DISABLED))
    assert tenant.waits_for(grown).startswith(f"cluster {tenant.cluster}, which is disabled")
    # A cluster that drains holds nothing up of what it has.
    update_cluster(tenant.database, tenant.operator(), tenant.cluster_id, ClusterPatch(state=ClusterState.DRAINING))
    tenant.settle()
    assert tenant.waits_for(grown) == tenant.get(volume).detail == listed(tenant, volume) == ""


def test_a_deletion_says_what_the_job_before_it_waits_for(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    grown = tenant.update(volume, size_gib=2)
    tenant.drain()
    (call,) = tenant.agent.offers()
    tenant.agent.acknowledge(call)
    assert tenant.get(volume).detail == ""

    deletion = tenant.delete(volume)
    before = f"the {tenant.job(grown).kind} {tenant.job_id(grown)} before it"
    assert tenant.waits_for(deletion) == before
    ends = f"the end of the call that the agent of cluster {tenant.cluster} executes; it stops after that"
    assert tenant.get(volume).detail == f"waiting for {before}, which is waiting for {ends}"
    tenant.execute("UPDATE cluster SET seen_at = seen_at - interval '91 seconds' WHERE id = :id", id=tenant.cluster_id)
    silent = f"the agent of cluster {tenant.cluster}, which is silent"
    assert listed(tenant, volume) == f"waiting for {before}, which is waiting for {silent}"


def test_a_job_whose_worker_ended_says_so(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    with tenant.database.system() as connection:
        claims.claim(connection, owner="sleeper", limit=10, start=new_id())
    assert tenant.waits_for(volume) == ""
    over = "UPDATE job SET lease_until = clock_timestamp() - interval '1 second' WHERE id = :id"
    tenant.execute(over, id=tenant.job_id(volume))
    assert tenant.waits_for(volume) == "another worker, since the one that moved it ended; it is moved alone"
    tenant.settle()
    assert tenant.waits_for(volume) == ""
