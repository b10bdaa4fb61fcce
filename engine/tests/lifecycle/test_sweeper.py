# SPDX-License-Identifier: Apache-2.0
"""The sweeper ends what is late, mends what is stranded, and wakes the workers for what was overlooked."""

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from stratoplane_engine.jobs.queue import QUEUE, WorkerNotifier
from stratoplane_engine.jobs.sweeper import Sweep, sweep
from stratoplane_engine.model.change import IdempotencyKey

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

NOTHING = Sweep(abandoned=0, stranded=0, due=0, expired=0)


@pytest.fixture
def valkey(valkey_url: str) -> Redis:
    """An empty Valkey."""
    connection = Redis.from_url(valkey_url)
    connection.flushdb()
    return connection


def waiting(valkey: Redis) -> int:
    """Return how many wake-ups are in RQ's queue."""
    length: int = valkey.llen(f"rq:queue:{QUEUE}")
    return length


def test_an_idle_platform_is_left_in_peace(fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str) -> None:
    fresh_tenant.made("volume", size_gib=1)

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)) == NOTHING
    assert waiting(valkey) == 0


def test_a_job_whose_wake_up_was_lost_is_found(fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str) -> None:
    fresh_tenant.create("volume", size_gib=1)
    fresh_tenant.execute("DELETE FROM outbox")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).due == 1
    assert waiting(valkey) == 1


def test_a_job_whose_worker_died_is_found_when_its_lease_has_ended(
    fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str
) -> None:
    fresh_tenant.create("volume", size_gib=1)
    fresh_tenant.execute(
        "UPDATE job SET lease_until = clock_timestamp() + interval '20 s', state = 'RUNNING', epoch = 1"
    )
    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)) == NOTHING
    assert fresh_tenant.drain() == 0

    fresh_tenant.execute("UPDATE job SET lease_until = clock_timestamp() - interval '1 s'")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).due == 1
    assert fresh_tenant.drain() == 1


def test_a_retry_is_due_when_its_time_has_come(fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str) -> None:
    fresh_tenant.create("volume", size_gib=1)
    fresh_tenant.execute("UPDATE job SET state = 'RETRYING', next_run_at = clock_timestamp() + interval '1 hour'")
    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)) == NOTHING

    fresh_tenant.execute("UPDATE job SET next_run_at = clock_timestamp()")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).due == 1


def test_a_job_that_waits_for_an_operation_which_is_not_there_is_mended(
    fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str
) -> None:
    volume = fresh_tenant.create("volume", size_gib=1)
    fresh_tenant.drain()
    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)) == NOTHING
    fresh_tenant.execute("DELETE FROM operation")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).stranded == 1
    fresh_tenant.settle()

    assert fresh_tenant.get(volume).status == "ACTIVE"


def test_operations_that_no_agent_takes_end_and_the_job_goes_on(
    fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str
) -> None:
    volume = fresh_tenant.create("volume", size_gib=1)
    fresh_tenant.drain()
    fresh_tenant.execute("UPDATE operation SET deadline_at = clock_timestamp()")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).abandoned == 1
    assert waiting(valkey) == 1
    fresh_tenant.drain()

    assert fresh_tenant.job(volume).state == "RETRYING"
    error = fresh_tenant.job(volume).steps[1].error
    assert error is not None
    assert error.detail == "the cluster's agent is connected and was at its limit of parallel operations"


def test_answers_are_forgotten_when_their_time_is_over(
    fresh_tenant: "TenantWorld", valkey: Redis, valkey_url: str
) -> None:
    keyed = fresh_tenant.context(idempotency=IdempotencyKey(key="k", fingerprint="f"))
    fresh_tenant.made("volume", size_gib=1, context=keyed)
    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)) == NOTHING

    fresh_tenant.execute("UPDATE idempotency SET expires_at = clock_timestamp()")

    assert sweep(fresh_tenant.database, WorkerNotifier(valkey_url)).expired == 1
    assert fresh_tenant.rows("SELECT FROM idempotency") == []


def test_without_valkey_everything_but_the_wake_up_is_done(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.create("volume", size_gib=1)

    assert sweep(fresh_tenant.database, WorkerNotifier("unix:///nowhere/valkey.sock")).due == 1
