# SPDX-License-Identifier: Apache-2.0
"""Worker and scheduler as real processes, with a Valkey and a PostgreSQL that go away and come back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from rq import Worker
from rq.worker import BaseWorker

from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_embedded.valkey import ValkeyServer
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.migrate import upgrade
from stratoplane_engine.jobs.outbox_relay import relay
from stratoplane_engine.jobs.queue import QUEUE, WorkerNotifier
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

PATIENCE = 60.0
Start = Callable[..., subprocess.Popen[bytes]]


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until ``condition`` holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start("worker", database_url, redis_url)``: start a role as a process of its own."""
    children: list[subprocess.Popen[bytes]] = []

    def make(role: str, database_url: str, redis_url: str, **settings: str) -> subprocess.Popen[bytes]:
        addresses = {"STRATOPLANE_DATABASE_URL": database_url, "STRATOPLANE_REDIS_URL": redis_url}
        with (tmp_path / f"{role}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", f"stratoplane_engine.roles.{role}"],
                env={**os.environ, **addresses, **settings},
                stdout=log,
                stderr=log,
            )
        children.append(child)
        return child

    yield make
    for child in children:
        child.kill()
        child.wait()
    for log in sorted(tmp_path.glob("*.log")):
        print(f"--- {log.name}\n{log.read_text()}")


def registered(valkey: ValkeyServer) -> list[BaseWorker]:
    return Worker.all(connection=Redis.from_url(valkey.url))


def is_idle(valkey: ValkeyServer) -> bool:
    return [worker.get_state() for worker in registered(valkey)] == ["idle"]


def is_dispatched(tenant: "TenantWorld", made: ChangeResult) -> bool:
    """Tell whether a worker has moved the create job to where an agent has it."""
    return tenant.rows("SELECT FROM operation WHERE resource_id = :id", id=made.resource.id) != []


def test_a_worker_is_an_rq_worker_that_drains_on_a_wake_up(
    fresh_tenant: "TenantWorld", fresh_database_url: str, valkey: ValkeyServer, start: Start
) -> None:
    start("worker", fresh_database_url, valkey.url)
    eventually(lambda: is_idle(valkey), "the worker is registered with RQ and waits")
    (worker,) = registered(valkey)
    assert worker.queue_names() == [QUEUE]
    made = [fresh_tenant.create("volume", size_gib=1) for _ in range(3)]

    relay(fresh_tenant.database, WorkerNotifier(valkey.url))

    eventually(lambda: all(is_dispatched(fresh_tenant, each) for each in made), "the jobs are moved")
    eventually(lambda: registered(valkey)[0].successful_job_count == 1, "RQ counts one job for all three")


def test_an_idle_worker_stops_at_once_when_asked(fresh_database_url: str, valkey: ValkeyServer, start: Start) -> None:
    child = start("worker", fresh_database_url, valkey.url)
    eventually(lambda: is_idle(valkey), "the worker waits")

    child.send_signal(signal.SIGTERM)

    assert child.wait(timeout=PATIENCE) == 0
    assert registered(valkey) == []


def test_a_worker_stops_at_once_while_valkey_is_away(
    fresh_database_url: str, valkey: ValkeyServer, start: Start
) -> None:
    child = start("worker", fresh_database_url, valkey.url)
    eventually(lambda: is_idle(valkey), "the worker waits")
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()

    child.send_signal(signal.SIGINT)

    assert child.wait(timeout=PATIENCE) == 0


def test_work_goes_on_while_valkey_is_dead_and_wake_ups_work_when_it_is_back(
    fresh_tenant: "TenantWorld", fresh_database_url: str, valkey: ValkeyServer, start: Start
) -> None:
    child = start("worker", fresh_database_url, valkey.url)
    eventually(lambda: is_idle(valkey), "the worker waits")
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()
    meanwhile = [fresh_tenant.create("volume", size_gib=1) for _ in range(2)]
    eventually(
        lambda: all(is_dispatched(fresh_tenant, each) for each in meanwhile), "the jobs are moved without Valkey"
    )

    valkey.stop()
    valkey.start()
    eventually(lambda: is_idle(valkey), "the worker is registered again")
    later = fresh_tenant.create("volume", size_gib=1)
    relay(fresh_tenant.database, WorkerNotifier(valkey.url))

    eventually(lambda: is_dispatched(fresh_tenant, later), "the job is moved")
    assert child.poll() is None


def test_valkey_may_be_emptied_at_any_time_and_a_worker_that_nobody_wakes_looks_by_itself(
    fresh_tenant: "TenantWorld", fresh_database_url: str, valkey: ValkeyServer, start: Start
) -> None:
    child = start("worker", fresh_database_url, valkey.url)
    eventually(lambda: is_idle(valkey), "the worker waits")
    Redis.from_url(valkey.url).flushall()
    told = fresh_tenant.create("volume", size_gib=1)
    relay(fresh_tenant.database, WorkerNotifier(valkey.url))
    eventually(lambda: is_dispatched(fresh_tenant, told), "the job is moved")

    untold = fresh_tenant.create("volume", size_gib=1)

    eventually(lambda: is_dispatched(fresh_tenant, untold), "the job is moved without a wake-up")
    assert child.poll() is None


def test_jobs_from_before_the_start_are_moved_without_a_wake_up_or_valkey(
    fresh_tenant: "TenantWorld", fresh_database_url: str, start: Start
) -> None:
    made = fresh_tenant.create("volume", size_gib=1)
    start("worker", fresh_database_url, "unix:///nowhere/valkey.sock")

    eventually(lambda: is_dispatched(fresh_tenant, made), "the job is moved")
    later = fresh_tenant.create("volume", size_gib=1)
    eventually(lambda: is_dispatched(fresh_tenant, later), "the next one too")


def test_worker_and_scheduler_survive_the_death_of_the_database(
    tmp_path: Path, valkey: ValkeyServer, start: Start, build_tenant: "Callable[[Database], TenantWorld]"
) -> None:
    with PostgresqlServer(tmp_path / "postgresql", settings=WITHOUT_DURABILITY) as server:
        upgrade(server.url)
        tenant = build_tenant(Database(server.url))
        children = [
            start("worker", server.url, valkey.url),
            start("scheduler", server.url, valkey.url, STRATOPLANE_SWEEP_SECONDS="0.5"),
        ]
        first = tenant.create("volume", size_gib=1)
        eventually(lambda: is_dispatched(tenant, first), "the first job is moved")
        assert server.process is not None
        server.process.kill()
        server.stop()
        server.start()

        second = tenant.create("volume", size_gib=1)
        eventually(lambda: is_dispatched(tenant, second), "the second job is moved")
        tenant.agent.work()
        eventually(lambda: tenant.get(second).status == "ACTIVE", "what the agent reported is settled")
        assert [child.poll() for child in children] == [None, None]
        for child in children:
            child.send_signal(signal.SIGTERM)
        assert [child.wait(timeout=PATIENCE) for child in children] == [0, 0]
        tenant.database.close()


def test_a_missing_setting_is_said_in_one_line(start: Start, tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "stratoplane_engine.roles.worker"],
        env={key: value for key, value in os.environ.items() if not key.startswith("STRATOPLANE_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode != 0
    assert "database_url: required" in child.stderr
    assert "Traceback" not in child.stderr
