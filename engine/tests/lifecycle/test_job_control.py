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


def cancel(site: "TenantWorld", made: ChangeResult) -> Job:
    return job_control.cancel(site.database, site.context(), site.project_id, site.job_id(made))


def retry(site: "TenantWorld", made: ChangeResult) -> Job:
    return job_control.retry(site.database, site.plugins, site.context(), site.project_id, site.job_id(made))


def calls(site: "TenantWorld", made: ChangeResult) -> list[tuple[str, str]]:
    rows = site.rows("SELECT verb, state FROM operation WHERE job_id = :job ORDER BY id", job=site.job_id(made))
    return [(row["verb"], row["state"]) for row in rows]


def fail_for_good(site: "TenantWorld") -> Any:
    return lambda operation: site.hand.failed(operation, code="no_capacity_at_provider", detail="no room")


def test_a_job_whose_cluster_is_silent_says_what_it_waits_for(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.drain()
    assert site.job(volume).steps[1].state is StepState.RUNNING
    assert site.job(volume).silent_cluster is None

    site.execute("UPDATE cluster SET seen_at = seen_at - interval '91 seconds' WHERE id = :id", id=site.cluster_id)
    assert site.job(volume).silent_cluster == site.cluster

    site.execute("UPDATE cluster SET seen_at = clock_timestamp() WHERE id = :id", id=site.cluster_id)
    site.settle()
    assert site.job(volume).silent_cluster is None


def test_a_job_that_is_stopped_before_it_begins_calls_no_driver(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)

    asked = cancel(site, volume)
    assert (asked.state, asked.cancelled_by) == (JobState.PENDING, site.actor.name)
    site.settle()

    assert site.job(volume).state == "CANCELLED"
    assert calls(site, volume) == []
    assert (site.get(volume).status, site.used()) == ("FAILED", {})
    assert "stopped by" in site.get(volume).detail
    site.check_accounts()


def test_a_worker_that_judges_while_somebody_stops_the_job_counts_for_nothing(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    with site.database.system() as connection:
        claimed = claims.claim(connection, owner="slow", limit=100, start=new_id())
    (mine,) = [claim for claim in claimed if claim.id == site.job_id(volume)]
    update = advance(read_claim(mine, BUILTIN_KINDS), random.Random(1))
    cancel(site, volume)

    with site.database.system() as connection:
        assert persist_updates(connection, [update]) == frozenset()
    site.drain()
    assert site.job(volume).state == "CANCELLED"
    assert calls(site, volume) == []


def test_what_a_worker_offers_while_somebody_waits_to_stop_the_job_is_taken_back(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    with site.database.system() as connection:
        claimed = claims.claim(connection, owner="quick", limit=100, start=new_id())
    (mine,) = [claim for claim in claimed if claim.id == site.job_id(volume)]
    with ThreadPoolExecutor(1) as pool:
        with site.database.system() as connection:
            persist_updates(connection, [advance(read_claim(mine, BUILTIN_KINDS), random.Random(1))])
            stopping = pool.submit(cancel, site, volume)
            wait_for_a_lock(site)
        stopping.result()
    site.drain()
    assert site.job(volume).state == "CANCELLED"
    assert calls(site, volume) == [("create", "ABANDONED")]


def wait_for_a_lock(site: "TenantWorld") -> None:
    """Return when somebody waits for a row that another holds."""
    waiting = "SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted"
    until = time.monotonic() + 60
    while not site.rows(waiting)[0]["n"]:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_no_agent_has_acknowledged_is_taken_back(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.drain()
    (offered,) = site.hand.offers()

    cancel(site, volume)
    assert site.hand.acknowledge(offered).refused == (offered.id,)
    site.settle()

    assert site.job(volume).state == "CANCELLED"
    assert calls(site, volume) == [("create", "ABANDONED")]


def test_what_an_agent_is_at_is_waited_for_and_taken_back(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.drain()
    (taken,) = site.hand.offers()
    site.hand.acknowledge(taken)

    cancel(site, volume)
    site.drain()
    assert site.job(volume).state == "RUNNING"
    site.hand.report(site.hand.failed(taken, Outcome.UNCERTAIN))
    site.settle()

    assert site.job(volume).state == "CANCELLED"
    assert calls(site, volume) == [("create", "DONE"), ("delete", "DONE")]
    site.check_accounts()


def test_a_job_whose_last_step_is_done_has_succeeded_and_says_that_somebody_wanted_it_stopped(
    site: "TenantWorld",
) -> None:
    volume = site.create("volume", size_gib=3)
    site.drain()
    (taken,) = site.hand.offers()
    site.hand.acknowledge(taken)
    cancel(site, volume)
    site.hand.report(site.hand.done(taken))
    site.settle()

    assert (site.job(volume).state, site.job(volume).cancelled_by) == ("SUCCEEDED", site.actor.name)
    assert site.get(volume).status == "ACTIVE"


def test_a_stopped_change_leaves_the_resource_as_it_was(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=3)
    change = site.update(volume, size_gib=9)
    cancel(site, change)
    site.settle()

    assert site.job(change).state == "CANCELLED"
    assert (site.get(volume).status, site.get(volume).spec.size_gib) == ("ACTIVE", 3)
    site.check_accounts()


def test_a_stopped_deletion_keeps_the_resource(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=3)
    deletion = site.delete(volume)
    cancel(site, deletion)
    site.settle()

    assert site.job(deletion).state == "CANCELLED"
    assert site.get(volume).status == "ACTIVE"
    site.check_accounts()


def test_a_deletion_that_may_have_begun_is_carried_through(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=3)
    deletion = site.delete(volume)
    site.drain()
    site.hand.work(lambda operation: site.hand.failed(operation, Outcome.UNCERTAIN))
    site.drain()
    cancel(site, deletion)
    site.settle()

    assert site.job(deletion).state == "SUCCEEDED"


def test_a_job_that_has_ended_is_not_stopped(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=3)
    with pytest.raises(StateConflictError, match="SUCCEEDED"):
        cancel(site, volume)


def test_asking_twice_to_stop_is_on_record_once(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    cancel(site, volume)
    cancel(site, volume)
    count = "SELECT count(*)::int AS n FROM audit_event WHERE subject_id = :id AND action LIKE '%cancel-requested'"
    assert site.rows(count, id=volume.resource.id) == [{"n": 1}]


def test_another_projects_job_is_not_there_to_be_stopped(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    with pytest.raises(ResourceNotFoundError):
        cancel(site.neighbour(), volume)
    site.settle()
    assert site.job(volume).state == "SUCCEEDED"


def test_a_failed_create_is_made_again(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.7.0.0/24")
    machine = site.create("virtual_machine", network_ids=[network.resource.id])
    site.settle(fail_for_good(site))
    assert site.get(machine).status == "FAILED"

    again = retry(site, machine)
    assert again.kind == "virtual_machine.create"
    site.settle()

    assert site.get(machine).status == "RUNNING"
    links = site.rows("SELECT role FROM resource_link WHERE source_id = :id", id=machine.resource.id)
    assert [row["role"] for row in links] == ["interface"]
    site.check_accounts()


def test_making_it_again_needs_room_in_the_quota(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.settle(fail_for_good(site))
    site.limit("storage_gib", 2)

    with pytest.raises(QuotaExceededError):
        retry(site, volume)
    assert site.get(volume).status == "FAILED"
    site.check_accounts()


def test_a_failed_deletion_is_asked_for_again(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=3)
    deletion = site.delete(volume)
    site.settle(fail_for_good(site))
    assert site.job(deletion).state == "FAILED"

    retry(site, deletion)
    site.settle()
    assert site.row(volume)["status"] == "DELETED"


def test_only_the_last_job_of_a_resource_is_tried_again(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.settle(fail_for_good(site))
    retry(site, volume)
    with pytest.raises(StateConflictError, match="later job"):
        retry(site, volume)


def test_what_waits_for_its_next_attempt_runs_at_once(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    site.drain()
    site.hand.work(lambda operation: site.hand.failed(operation, Outcome.TRANSIENT))
    site.drain()
    site.execute("UPDATE job SET next_run_at = next_run_at + interval '1 hour' WHERE id = :id", id=site.job_id(volume))
    assert site.drain() == 0

    assert retry(site, volume).state is JobState.RETRYING
    assert site.drain() == 1


def test_a_stuck_job_is_ended_where_it_stands_and_what_it_made_is_registered(fresh_site: "TenantWorld") -> None:
    site = fresh_site
    volume = site.create("volume", size_gib=3)
    site.drain()
    (taken,) = site.hand.offers()
    site.hand.acknowledge(taken)

    ended = job_control.resolve(site.database, site.operator(), site.job_id(volume), note="the rack is gone")
    assert ended.error is not None
    assert (ended.state, ended.error.code) == (JobState.FAILED, "resolved_by_operator")
    assert "the rack is gone" in ended.error.detail
    assert site.hand.report(site.hand.done(taken)).stale == (taken.id,)
    site.settle()
    assert site.job(volume).state == "FAILED"

    page = Page(limit=10)
    (leak,) = leaks.list_leaks(site.database, site.operator(), page, LeakFilter.OPEN).items
    assert (leak.step, leak.resource_id) == ("provision", volume.resource.id)
    assert [row["kind"] for row in site.rows("SELECT kind FROM incident")] == ["leak"]
    leaks.resolve_leak(site.database, site.operator(), leak.id, note="looked")
    assert leaks.list_leaks(site.database, site.operator(), page, LeakFilter.OPEN).items == ()
    with pytest.raises(ResourceNotFoundError):
        leaks.resolve_leak(site.database, site.operator(), leak.id, note="looked")
    site.check_accounts()


def test_tenants_neither_resolve_jobs_nor_see_leaks(site: "TenantWorld") -> None:
    for refused in (
        lambda: job_control.resolve(site.database, site.context(), uuid4(), note=""),
        lambda: leaks.list_leaks(site.database, site.context(), Page(limit=1), LeakFilter.OPEN),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()


def test_the_story_of_a_job_names_every_driver_call(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=3)
    answers = [Outcome.TRANSIENT, Outcome.DONE]

    def behave(operation: Operation) -> Any:
        outcome = answers.pop(0)
        return site.hand.done(operation) if outcome is Outcome.DONE else site.hand.failed(operation, outcome)

    site.settle(behave)
    story = job_control.list_operations(site.database, site.operator(), site.job_id(volume), Page(limit=10)).items
    assert [(call.step, call.verb, call.result and call.result.outcome) for call in story] == [
        ("provision", "create", "transient"),
        ("provision", "create", "done"),
    ]
    assert story[0].result is not None
    assert story[0].result.provider_text == "provider says no"
