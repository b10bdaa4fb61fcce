# SPDX-License-Identifier: Apache-2.0
"""Stopping a job, trying one again, and ending one where it stands."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from stratoplane.errors import PermissionDeniedError, QuotaExceededError, ResourceNotFoundError, StateConflictError
from stratoplane.ids import new_id
from stratoplane.jobs import JobState, StepState
from stratoplane.messages import Operation, Outcome
from stratoplane_engine.db import claims
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_updates
from stratoplane_engine.jobs.runner import advance
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.job import Job, LeakFilter
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import job_control, leaks

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def cancel(tenant: "TenantWorld", made: ChangeResult) -> Job:
    return job_control.cancel(tenant.database, tenant.context(), tenant.project_id, tenant.job_id(made))


def retry(tenant: "TenantWorld", made: ChangeResult) -> Job:
    return job_control.retry(tenant.database, tenant.plugins, tenant.context(), tenant.project_id, tenant.job_id(made))


def calls(tenant: "TenantWorld", made: ChangeResult) -> list[tuple[str, str]]:
    rows = tenant.rows("SELECT verb, state FROM operation WHERE job_id = :job ORDER BY id", job=tenant.job_id(made))
    return [(row["verb"], row["state"]) for row in rows]


def fail_for_good(tenant: "TenantWorld") -> Any:
    return lambda operation: tenant.agent.failed(operation, code="no_capacity_at_provider", detail="no room")


def test_a_job_whose_cluster_is_silent_says_what_it_waits_for(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    assert tenant.job(volume).steps[1].state is StepState.RUNNING
    assert tenant.job(volume).silent_cluster is None

    tenant.execute("UPDATE cluster SET seen_at = seen_at - interval '91 seconds' WHERE id = :id", id=tenant.cluster_id)
    assert tenant.job(volume).silent_cluster == tenant.cluster

    tenant.execute("UPDATE cluster SET seen_at = clock_timestamp() WHERE id = :id", id=tenant.cluster_id)
    tenant.settle()
    assert tenant.job(volume).silent_cluster is None


def test_a_job_says_that_it_waits_for_the_one_before_it(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    change = tenant.update(volume, size_gib=9)
    ahead = tenant.job(change).ahead
    assert ahead is not None
    assert (ahead.id, ahead.kind) == (tenant.job_id(volume), "volume.create")
    assert tenant.job(volume).ahead is None

    tenant.settle()
    assert (tenant.job(change).state, tenant.job(change).ahead) == ("SUCCEEDED", None)


def test_a_job_says_where_its_driver_call_waits(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    call = tenant.job(volume).call
    assert call is not None
    assert (call.cluster, call.state) == (tenant.cluster, "QUEUED")

    tenant.settle()
    assert tenant.job(volume).call is None


def test_a_job_that_is_stopped_before_it_begins_calls_no_driver(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)

    asked = cancel(tenant, volume)
    assert (asked.state, asked.cancelled_by) == (JobState.PENDING, tenant.actor.name)
    tenant.settle()

    assert tenant.job(volume).state == "CANCELLED"
    assert calls(tenant, volume) == []
    assert (tenant.get(volume).status, tenant.used()) == ("FAILED", {})
    assert "stopped by" in tenant.get(volume).detail
    tenant.check_accounts()


def test_a_worker_that_judges_while_somebody_stops_the_job_counts_for_nothing(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    with tenant.database.system() as connection:
        claimed = claims.claim(connection, owner="slow", limit=100, start=new_id())
    (mine,) = [claim for claim in claimed if claim.id == tenant.job_id(volume)]
    update = advance(read_claim(mine, BUILTIN_KINDS), random.Random(1))
    cancel(tenant, volume)

    with tenant.database.system() as connection:
        assert persist_updates(connection, [update]) == frozenset()
    tenant.drain()
    assert tenant.job(volume).state == "CANCELLED"
    assert calls(tenant, volume) == []


def test_what_a_worker_offers_while_somebody_waits_to_stop_the_job_is_taken_back(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    with tenant.database.system() as connection:
        claimed = claims.claim(connection, owner="quick", limit=100, start=new_id())
    (mine,) = [claim for claim in claimed if claim.id == tenant.job_id(volume)]
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.system() as connection:
            persist_updates(connection, [advance(read_claim(mine, BUILTIN_KINDS), random.Random(1))])
            stopping = pool.submit(cancel, tenant, volume)
            wait_for_a_lock(tenant)
        stopping.result()
    tenant.drain()
    assert tenant.job(volume).state == "CANCELLED"
    assert calls(tenant, volume) == [("create", "ABANDONED")]


def wait_for_a_lock(tenant: "TenantWorld") -> None:
    """Return when somebody waits for a row that another holds."""
    waiting = "SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted"
    until = time.monotonic() + 60
    while not tenant.rows(waiting)[0]["n"]:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_no_agent_has_acknowledged_is_taken_back(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    (offered,) = tenant.agent.offers()

    cancel(tenant, volume)
    assert tenant.agent.acknowledge(offered).refused == (offered.id,)
    tenant.settle()

    assert tenant.job(volume).state == "CANCELLED"
    assert calls(tenant, volume) == [("create", "ABANDONED")]


def test_what_an_agent_is_at_is_waited_for_and_taken_back(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    (taken,) = tenant.agent.offers()
    tenant.agent.acknowledge(taken)

    cancel(tenant, volume)
    tenant.drain()
    assert tenant.job(volume).state == "RUNNING"
    tenant.agent.report(tenant.agent.failed(taken, Outcome.UNCERTAIN))
    tenant.settle()

    assert tenant.job(volume).state == "CANCELLED"
    assert calls(tenant, volume) == [("create", "DONE"), ("delete", "DONE")]
    tenant.check_accounts()


def test_a_job_whose_last_step_is_done_has_succeeded_and_says_that_somebody_wanted_it_stopped(
    tenant: "TenantWorld",
) -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    (taken,) = tenant.agent.offers()
    tenant.agent.acknowledge(taken)
    cancel(tenant, volume)
    tenant.agent.report(tenant.agent.done(taken))
    tenant.settle()

    assert (tenant.job(volume).state, tenant.job(volume).cancelled_by) == ("SUCCEEDED", tenant.actor.name)
    assert tenant.get(volume).status == "ACTIVE"


def test_a_stopped_change_leaves_the_resource_as_it_was(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=3)
    change = tenant.update(volume, size_gib=9)
    cancel(tenant, change)
    tenant.settle()

    assert tenant.job(change).state == "CANCELLED"
    assert (tenant.get(volume).status, tenant.get(volume).spec.size_gib) == ("ACTIVE", 3)
    tenant.check_accounts()


def test_a_stopped_deletion_keeps_the_resource(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=3)
    deletion = tenant.delete(volume)
    cancel(tenant, deletion)
    tenant.settle()

    assert tenant.job(deletion).state == "CANCELLED"
    assert tenant.get(volume).status == "ACTIVE"
    tenant.check_accounts()


def test_a_deletion_that_may_have_begun_is_carried_through(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=3)
    deletion = tenant.delete(volume)
    tenant.drain()
    tenant.agent.work(lambda operation: tenant.agent.failed(operation, Outcome.UNCERTAIN))
    tenant.drain()
    cancel(tenant, deletion)
    tenant.settle()

    assert tenant.job(deletion).state == "SUCCEEDED"


def test_a_job_that_has_ended_is_not_stopped(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=3)
    with pytest.raises(StateConflictError, match="SUCCEEDED"):
        cancel(tenant, volume)


def test_asking_twice_to_stop_is_on_record_once(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    cancel(tenant, volume)
    cancel(tenant, volume)
    count = "SELECT count(*)::int AS n FROM audit_event WHERE subject_id = :id AND action LIKE '%cancel-requested'"
    assert tenant.rows(count, id=volume.resource.id) == [{"n": 1}]


def test_another_projects_job_is_not_there_to_be_stopped(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    with pytest.raises(ResourceNotFoundError):
        cancel(tenant.neighbour(), volume)
    tenant.settle()
    assert tenant.job(volume).state == "SUCCEEDED"


def test_a_failed_create_is_made_again(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.7.0.0/24")
    machine = tenant.create("virtual_machine", network_ids=[network.resource.id])
    tenant.settle(fail_for_good(tenant))
    assert tenant.get(machine).status == "FAILED"

    again = retry(tenant, machine)
    assert again.kind == "virtual_machine.create"
    tenant.settle()

    assert tenant.get(machine).status == "RUNNING"
    links = tenant.rows("SELECT role FROM resource_link WHERE source_id = :id", id=machine.resource.id)
    assert [row["role"] for row in links] == ["interface"]
    tenant.check_accounts()


def test_a_failed_create_is_made_again_though_a_change_failed_behind_it(tenant: "TenantWorld") -> None:
    machine = tenant.create("virtual_machine", name="web")
    change = tenant.update(machine, power="STOPPED")
    tenant.settle(fail_for_good(tenant))
    assert (tenant.get(machine).status, tenant.job(change).state) == ("FAILED", "FAILED")

    instead = "virtual machine web is FAILED; retry the job that failed to create or delete it, or delete it"
    with pytest.raises(StateConflictError, match=instead):
        tenant.update(machine, power="STOPPED")
    with pytest.raises(StateConflictError, match=instead):
        retry(tenant, change)
    as_operator = job_control.retry_any(tenant.database, tenant.plugins, tenant.operator(), tenant.job_id(machine))
    assert as_operator.kind == "virtual_machine.create"
    with pytest.raises(StateConflictError, match="a later job exists"):
        retry(tenant, machine)
    tenant.settle()

    assert (tenant.get(machine).status, tenant.get(machine).spec.power) == ("STOPPED", "STOPPED")
    tenant.check_accounts()


def test_a_failed_change_was_undone_and_is_asked_for_again(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", volume_ids=[])
    volume = str(tenant.made("volume", size_gib=3).resource.id)
    change = tenant.update(machine, volume_ids=[volume])
    tenant.settle(tenant.agent.recording([], "update"))
    with pytest.raises(
        StateConflictError, match=r"what virtual_machine\.attach_volume began was undone; ask for it again"
    ):
        retry(tenant, change)
    again = tenant.update(machine, volume_ids=[volume])
    tenant.settle()
    assert tenant.job(again).state == "SUCCEEDED"


def test_making_it_again_needs_room_in_the_quota(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.settle(fail_for_good(tenant))
    tenant.limit("storage_gib", 2)

    with pytest.raises(QuotaExceededError):
        retry(tenant, volume)
    assert tenant.get(volume).status == "FAILED"
    tenant.check_accounts()


def test_a_failed_deletion_is_asked_for_again(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=3)
    deletion = tenant.delete(volume)
    tenant.settle(fail_for_good(tenant))
    assert tenant.job(deletion).state == "FAILED"
    with pytest.raises(StateConflictError, match="is FAILED; retry the job that failed to create or delete it"):
        tenant.update(volume, size_gib=4)

    retry(tenant, deletion)
    tenant.settle()
    assert tenant.row(volume)["status"] == "DELETED"


def test_only_the_last_job_of_a_resource_is_tried_again(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.settle(fail_for_good(tenant))
    retry(tenant, volume)
    with pytest.raises(StateConflictError, match="later job"):
        retry(tenant, volume)


def test_what_waits_for_its_next_attempt_runs_at_once(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    tenant.agent.work(lambda operation: tenant.agent.failed(operation, Outcome.TRANSIENT))
    tenant.drain()
    tenant.execute(
        "UPDATE job SET next_run_at = next_run_at + interval '1 hour' WHERE id = :id", id=tenant.job_id(volume)
    )
    assert tenant.drain() == 0

    assert retry(tenant, volume).state is JobState.RETRYING
    assert tenant.drain() == 1


def test_a_stuck_job_is_ended_where_it_stands_and_what_it_made_is_registered(fresh_tenant: "TenantWorld") -> None:
    tenant = fresh_tenant
    volume = tenant.create("volume", size_gib=3)
    tenant.drain()
    (taken,) = tenant.agent.offers()
    tenant.agent.acknowledge(taken)

    ended = job_control.resolve(tenant.database, tenant.operator(), tenant.job_id(volume), note="the rack is gone")
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (JobState.FAILED, "resolved_by_operator")
    assert "the rack is gone" in ended.error.detail
    assert tenant.agent.report(tenant.agent.done(taken)).stale == (taken.id,)
    tenant.settle()
    assert tenant.job(volume).state == "FAILED"

    page = Page(limit=10)
    (leak,) = leaks.list_leaks(tenant.database, tenant.operator(), page, LeakFilter.OPEN).items
    assert (leak.step, leak.resource_id) == ("provision", volume.resource.id)
    assert [row["kind"] for row in tenant.rows("SELECT kind FROM incident")] == ["leak"]
    leaks.resolve_leak(tenant.database, tenant.operator(), leak.id, note="looked")
    assert leaks.list_leaks(tenant.database, tenant.operator(), page, LeakFilter.OPEN).items == ()
    with pytest.raises(ResourceNotFoundError):
        leaks.resolve_leak(tenant.database, tenant.operator(), leak.id, note="looked")
    tenant.check_accounts()


def test_tenants_neither_resolve_jobs_nor_see_leaks(tenant: "TenantWorld") -> None:
    for refused in (
        lambda: job_control.resolve(tenant.database, tenant.context(), uuid4(), note=""),
        lambda: leaks.list_leaks(tenant.database, tenant.context(), Page(limit=1), LeakFilter.OPEN),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()


def test_the_story_of_a_job_names_every_driver_call(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=3)
    answers = [Outcome.TRANSIENT, Outcome.DONE]

    def behave(operation: Operation) -> Any:
        outcome = answers.pop(0)
        return tenant.agent.done(operation) if outcome is Outcome.DONE else tenant.agent.failed(operation, outcome)

    tenant.settle(behave)
    story = job_control.list_operations(tenant.database, tenant.operator(), tenant.job_id(volume), Page(limit=10)).items
    assert [(call.step, call.verb, call.result and call.result.outcome) for call in story] == [
        ("provision", "create", "transient"),
        ("provision", "create", "done"),
    ]
    assert story[0].result is not None
    assert story[0].result.provider_text == "provider says no"
