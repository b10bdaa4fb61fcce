# SPDX-License-Identifier: Apache-2.0
"""The outbox relay: what transactions left to tell becomes wake-ups; without Valkey nothing stands still."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from rq import Queue

from stratoplane_embedded.valkey import ValkeyServer
from stratoplane_engine.jobs.outbox_relay import relay
from stratoplane_engine.jobs.queue import DRAIN, QUEUE, WorkerNotifier

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of the test's own, to be stopped and started."""
    with ValkeyServer(tmp_path) as server:
        yield server


def told(valkey: ValkeyServer) -> list[list[str]]:
    """Return what the wake-ups in RQ's queue tell, oldest first."""
    queue = Queue(QUEUE, connection=Redis.from_url(valkey.url))
    assert {job.func_name for job in queue.jobs} <= {DRAIN}
    return [job.args[0] for job in queue.jobs]


def unsent(tenant: "TenantWorld") -> int:
    return len(tenant.rows("SELECT FROM outbox"))


def test_one_wake_up_tells_of_many_jobs_and_is_told_once(fresh_tenant: "TenantWorld", valkey: ValkeyServer) -> None:
    made = [fresh_tenant.create("volume", size_gib=1) for _ in range(3)]
    assert unsent(fresh_tenant) == 3

    assert relay(fresh_tenant.database, WorkerNotifier(valkey.url)) == 3
    assert relay(fresh_tenant.database, WorkerNotifier(valkey.url)) == 0

    assert told(valkey) == [[str(fresh_tenant.job_id(each)) for each in made]]
    assert unsent(fresh_tenant) == 0


def test_a_request_that_was_taken_back_tells_nothing(fresh_tenant: "TenantWorld", valkey: ValkeyServer) -> None:
    fresh_tenant.create("volume", size_gib=1, context=fresh_tenant.context(dry_run=True))
    assert relay(fresh_tenant.database, WorkerNotifier(valkey.url)) == 0


def test_two_relays_at_once_tell_everything_and_nothing_twice(
    fresh_tenant: "TenantWorld", valkey: ValkeyServer
) -> None:
    made = {str(fresh_tenant.job_id(fresh_tenant.create("volume", size_gib=1))) for _ in range(30)}
    with ThreadPoolExecutor(3) as pool:
        sent = sum(pool.map(lambda _: relay(fresh_tenant.database, WorkerNotifier(valkey.url)), range(3)))

    heard = [identifier for wake_up in told(valkey) for identifier in wake_up]
    assert (sent, len(heard), set(heard)) == (30, 30, made)


def test_while_valkey_is_away_the_outbox_does_not_grow_and_it_goes_on_when_valkey_is_back(
    fresh_tenant: "TenantWorld", valkey: ValkeyServer
) -> None:
    notifier = WorkerNotifier(valkey.url)
    valkey.stop()
    fresh_tenant.create("volume", size_gib=1)
    assert relay(fresh_tenant.database, notifier) == 1
    assert unsent(fresh_tenant) == 0

    valkey.start()
    later = fresh_tenant.create("volume", size_gib=1)
    assert relay(fresh_tenant.database, notifier) == 1

    assert told(valkey) == [[str(fresh_tenant.job_id(later))]]


def test_a_valkey_that_hangs_does_not_hold_the_relay(fresh_tenant: "TenantWorld", valkey: ValkeyServer) -> None:
    notifier = WorkerNotifier(valkey.url)
    notifier.send([])
    assert valkey.process is not None
    fresh_tenant.create("volume", size_gib=1)
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert relay(fresh_tenant.database, notifier) == 1
        assert time.monotonic() - begun < 60
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)
