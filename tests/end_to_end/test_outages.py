# SPDX-License-Identifier: Apache-2.0
"""Processes die and servers go away: what was accepted is done once, and the platform comes back by itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.conftest import make_tenant, start, wait_until

pytestmark = pytest.mark.long
MACHINES = 30


@pytest.fixture(scope="module")
def fragile() -> Iterator[Any]:
    """A platform of this module's own, whose processes it may kill."""
    with tempfile.TemporaryDirectory(prefix="sp") as folder:
        running = start(Path(folder) / "state", STRATOPLANE_SWEEP_SECONDS="1")
        yield running
        running.stop()


def at_the_provider(platform: Any) -> list[dict[str, Any]]:
    """Return the machines that the simulated region holds."""
    command = [str(Path(sys.executable).parent / "stratoplane-mock"), "show", "machine", "--json"]
    shown = subprocess.run(command, env=platform.environment, check=True, capture_output=True, text=True)
    machines: list[dict[str, Any]] = json.loads(shown.stdout)["objects"]
    return machines


def all_running(tenant: Any, names: set[str]) -> bool:
    """Tell whether every machine of these names runs."""
    items = tenant.call("GET", "/virtual-machines", params={"limit": 200}).json()["items"]
    return {each["name"] for each in items if each["status"] == "RUNNING"} >= names


@pytest.mark.parametrize("victim", ["worker", "scheduler", "agent", "agent-api", "valkey", "postgres", "api"])
def test_a_killed_process_loses_nothing_and_makes_nothing_twice(fragile: Any, victim: str) -> None:
    tenant = make_tenant(fragile)
    pid = fragile.pid(victim)
    accepted = set()
    for number in range(MACHINES):
        if number == MACHINES // 2:
            os.kill(pid, signal.SIGKILL)
        # Without an answer nobody knows whether it was accepted; only answers count here.
        with contextlib.suppress(httpx.TransportError):
            body = {"name": f"m-{number}", "flavor": "tiny", "image": "mock-linux"}
            answer = tenant.call("POST", "/virtual-machines", json=body)
            if answer.status_code == 202:
                accepted.add(body["name"])

    wait_until(lambda: fragile.pid(victim) not in (0, pid), f"{victim} is started again")
    wait_until(lambda: _answers(tenant), "the API answers")
    wait_until(lambda: all_running(tenant, accepted), "every accepted machine runs")

    items = tenant.call("GET", "/virtual-machines", params={"limit": 200}).json()["items"]
    assert len(accepted) >= MACHINES // 2
    ours = {each["id"] for each in items}
    made = [each["uid"] for each in at_the_provider(fragile) if each["uid"] in ours]
    assert sorted(made) == sorted(ours)
    assert tenant.used()["virtual_machines"] == len(items)


def _answers(tenant: Any) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return bool(tenant.call("GET", "/virtual-machines").status_code == 200)
    return False


def test_the_api_answers_503_while_the_database_is_down_and_recovers(fragile: Any) -> None:
    tenant = make_tenant(fragile)
    pid = fragile.pid("postgres")
    # A supervisor that stands still starts nothing again, so that the database stays away until it was seen.
    with stopped(fragile.report()["process"]["pid"]):
        os.kill(pid, signal.SIGKILL)
        problem = wait_until(lambda: _refusal(tenant), "the API notices that its database is gone")

    wait_until(lambda: fragile.pid("postgres") not in (0, pid), "postgres is started again")
    wait_until(lambda: _answers(tenant), "the API answers again")
    assert problem.status_code == 503
    assert problem.headers["Retry-After"]


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _refusal(tenant: Any) -> httpx.Response | None:
    answer: httpx.Response = tenant.call("GET", "/virtual-machines")
    return None if answer.status_code == 200 else answer


def test_everything_survives_a_restart_of_the_platform(fragile: Any) -> None:
    tenant = make_tenant(fragile)
    machine = tenant.make("virtual-machines", name="kept", flavor="tiny", image="mock-linux")
    fragile.server("down")
    fragile.server("up", "--detach")
    wait_until(lambda: _answers(tenant), "the API answers")

    assert tenant.call("GET", f"/virtual-machines/{machine['id']}").json()["status"] == "RUNNING"
    assert tenant.change("DELETE", f"/virtual-machines/{machine['id']}")["state"] == "SUCCEEDED"
