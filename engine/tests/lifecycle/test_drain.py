# SPDX-License-Identifier: Apache-2.0
"""Claiming, moving and persisting: one job that goes wrong takes no other with it, and none is stuck for ever."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from stratoplane.ids import new_id
from stratoplane.quota import UNLIMITED
from stratoplane_engine.db import claims
from stratoplane_engine.db.claims import Claim
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.worker_loop import MOST_CRASHES
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def claim(tenant: "TenantWorld", limit: int = 100) -> list[Claim]:
    with tenant.database.system() as connection:
        return claims.claim(connection, owner="somebody", limit=limit, start=new_id())


def die(tenant: "TenantWorld") -> None:
    """Let every worker that holds a job be dead for longer than its lease."""
    tenant.execute("UPDATE job SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL")


def made_of_an_unknown_workflow(tenant: "TenantWorld") -> ChangeResult:
    odd = tenant.create("volume", size_gib=1)
    tenant.execute("UPDATE job SET kind = 'volume.levitate' WHERE id = :id", id=tenant.job_id(odd))
    return odd


def test_many_jobs_are_moved_in_one_drain(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.limit("volumes", UNLIMITED)
    for _ in range(250):
        fresh_tenant.create("volume", size_gib=1)
    assert fresh_tenant.drain() == 250
    assert len(fresh_tenant.agent.offers(200)) == 200


def test_a_batch_takes_the_same_few_statements_however_many_jobs_it_has(
    fresh_tenant: "TenantWorld", fresh_database_url: str
) -> None:
    sent: list[bytes] = []
    watched = replace(fresh_tenant, database=Database(fresh_database_url, application="watched", watch=sent.append))

    def statements(jobs: int) -> tuple[int, int]:
        """Return how many were sent to begin so many jobs, and to end them."""
        for _ in range(jobs):
            fresh_tenant.create("volume", size_gib=1)
        sent.clear()
        assert watched.drain() == jobs
        begun = len(sent)
        fresh_tenant.agent.work()
        sent.clear()
        assert watched.drain() == jobs
        return begun, len(sent)

    few, many = statements(1), statements(20)
    watched.database.close()

    assert few == many == (2, 6)


def test_a_job_that_cannot_be_moved_holds_up_no_other_and_ends_in_quarantine(fresh_tenant: "TenantWorld") -> None:
    odd, good = made_of_an_unknown_workflow(fresh_tenant), fresh_tenant.create("volume", size_gib=1)

    assert fresh_tenant.drain() == 1
    for _ in range(MOST_CRASHES):
        assert fresh_tenant.job(odd).state == "RUNNING"
        die(fresh_tenant)
        fresh_tenant.drain()

    job = fresh_tenant.job(odd)
    assert job.error is not None
    assert (job.state, job.error.code) == ("FAILED", "quarantined")
    assert fresh_tenant.get(odd).status == "FAILED"
    assert fresh_tenant.job(good).state == "RUNNING"
    fresh_tenant.settle()
    assert fresh_tenant.get(good).status == "ACTIVE"
    fresh_tenant.delete(odd)
    fresh_tenant.settle()
    assert fresh_tenant.row(odd)["status"] == "DELETED"
    fresh_tenant.check_accounts()


def test_what_a_dead_worker_held_is_tried_again_one_by_one(fresh_tenant: "TenantWorld") -> None:
    made = [fresh_tenant.create("volume", size_gib=1) for _ in range(4)]
    assert len(claim(fresh_tenant)) == 4
    assert claim(fresh_tenant) == []
    die(fresh_tenant)
    later = fresh_tenant.create("volume", size_gib=1)

    again = claim(fresh_tenant)

    assert {(each.id, each.crashes, each.row["epoch"]) for each in again} == {
        (fresh_tenant.job_id(later), 0, 1),
        (fresh_tenant.job_id(made[0]), 1, 2),
    }
    die(fresh_tenant)
    assert fresh_tenant.drain() == 5
    assert fresh_tenant.rows("SELECT sum(crashes)::int AS crashes FROM job") == [{"crashes": 0}]


def test_a_job_that_killed_its_workers_is_quarantined_and_names_what_it_may_have_left(
    fresh_tenant: "TenantWorld",
) -> None:
    volume = fresh_tenant.made("volume", size_gib=1)
    change = fresh_tenant.update(volume, size_gib=2)
    fresh_tenant.drain()
    fresh_tenant.agent.work()
    for _ in range(MOST_CRASHES):
        claim(fresh_tenant)
        die(fresh_tenant)

    assert fresh_tenant.drain() == 1

    job = fresh_tenant.job(change)
    assert job.error is not None
    assert (job.state, job.error.leaks) == ("FAILED", ("resize",))
    assert (fresh_tenant.get(volume).status, fresh_tenant.get(volume).spec.size_gib) == ("ACTIVE", 1)
    assert (
        fresh_tenant.get(volume).detail == "several workers died in a row while they moved this job; tell an operator"
    )
    fresh_tenant.check_accounts()


def test_an_update_that_cannot_be_persisted_holds_up_no_other(fresh_tenant: "TenantWorld") -> None:
    odd, good = fresh_tenant.create("volume", name="odd", size_gib=1), fresh_tenant.create("volume", size_gib=1)
    with psycopg.connect(fresh_tenant.database.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE operation ADD CONSTRAINT never CHECK (spec->>'name' IS DISTINCT FROM 'odd')")

    assert fresh_tenant.drain() == 1

    assert [step.state for step in fresh_tenant.job(good).steps] == ["DONE", "RUNNING"]
    assert [step.state for step in fresh_tenant.job(odd).steps] == ["PENDING", "PENDING"]


def test_workers_at_once_never_move_the_same_job(tenant: "TenantWorld") -> None:
    for _ in range(40):
        tenant.create("volume", size_gib=1)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: tenant.drain(), range(4))) == 40
    assert len(tenant.agent.offers()) == 40


@pytest.mark.parametrize("earlier", ["by its time", "by its id"])
def test_jobs_of_one_resource_run_in_the_order_in_which_they_were_accepted(
    fresh_tenant: "TenantWorld", earlier: str
) -> None:
    """Ids are made by several hosts whose clocks differ; the order is that of the database's clock."""
    machine = fresh_tenant.made("virtual_machine", name="a")
    first = fresh_tenant.update(machine, name="b")
    second = fresh_tenant.update(machine, name="c")
    if earlier == "by its time":
        low = str(new_id()).replace(str(new_id())[:8], "00000000", 1)
        statement = "UPDATE job_step SET job_id = :low WHERE job_id = :id"
        with psycopg.connect(fresh_tenant.database.url, autocommit=True) as connection:
            connection.execute("ALTER TABLE job_step DROP CONSTRAINT job_step_job_id_fkey")
        fresh_tenant.execute("UPDATE job SET id = :low WHERE id = :id", low=low, id=fresh_tenant.job_id(second))
        fresh_tenant.execute(statement, low=low, id=fresh_tenant.job_id(second))

    fresh_tenant.drain()

    (operation,) = fresh_tenant.agent.offers()
    (row,) = fresh_tenant.rows("SELECT job_id FROM operation WHERE id = :id", id=operation.id)
    assert row["job_id"] == fresh_tenant.job_id(first)
