# SPDX-License-Identifier: Apache-2.0
"""What changes at the provider behind the platform's back is found, and corrected or told."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import OPERATIONS, wait_until


def test_a_machine_switched_off_at_the_provider_is_switched_on_again(platform: Any, tenant: Any) -> None:
    machine = tenant.make("virtual-machines", name="drifts", flavor="tiny", image="mock-linux")
    command = [str(Path(sys.executable).parent / "stratoplane-mock"), "power-off", machine["id"]]
    subprocess.run(command, env=platform.environment, check=True, capture_output=True)

    def corrected() -> bool:
        jobs = tenant.call("GET", "/jobs").json()["items"]
        updates = [job for job in jobs if job["kind"] == "virtual_machine.correct"]
        return any(job["state"] == "SUCCEEDED" and job["created_by"] == "reconciler" for job in updates)

    wait_until(corrected, "the reconciler corrects the power")
    actions = [event["action"] for event in tenant.call("GET", "/audit-events").json()["items"]]
    assert "engine:resource:drift-found" in actions


def test_a_vanished_machine_and_an_orphan_become_incidents(platform: Any, tenant: Any) -> None:
    machine = tenant.make("virtual-machines", name="vanishes", flavor="tiny", image="mock-linux")
    mock = str(Path(sys.executable).parent / "stratoplane-mock")
    subprocess.run([mock, "add-orphan", "volume"], env=platform.environment, check=True, capture_output=True)
    subprocess.run([mock, "vanish", machine["id"]], env=platform.environment, check=True, capture_output=True)

    def kinds() -> set[str]:
        listed = platform.operator.get(f"{OPERATIONS}/incidents", params={"limit": 200}).json()["items"]
        return {each["kind"] for each in listed if each["status"] == "OPEN"}

    wait_until(lambda: kinds() >= {"resource-lost", "orphan"}, "both are told of")
    assert tenant.call("GET", f"/virtual-machines/{machine['id']}").json()["status"] == "LOST"
    (orphan,) = platform.operator.get(f"{OPERATIONS}/orphans").json()["items"]
    assert (orphan["kind"], orphan["cluster"]) == ("volume", "local-mock")
    assert tenant.change("DELETE", f"/virtual-machines/{machine['id']}")["state"] == "SUCCEEDED"
    wait_until(lambda: "resource-lost" not in kinds(), "the incident resolves by itself")
