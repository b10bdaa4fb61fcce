# SPDX-License-Identifier: Apache-2.0
"""Measure one agent against the small control plane of the tests: operations a second, latency, processor, memory.

``python -m agent.tests.bench.throughput [--operations 3000] [--driver memory --driver mock]`` prints JSON. ``memory``
is a driver that costs nothing, so its figures are the agent's own; ``mock`` is the simulated region.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from agent.tests.lab.lab_agent import LabAgent
from agent.tests.lab.lab_control_plane import LabControlPlane
from stratoplane.compute import ImageReference, MachineInterface, MachineSpec
from stratoplane.ids import new_id
from stratoplane.network import NetworkSpec

PROJECT = new_id()
TICKS = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=3000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--driver", action="append")
    options = parser.parse_args()
    for driver in options.driver or ["memory", "mock"]:
        print(json.dumps({"driver": driver, **measure(driver, options.operations, options.samples)}))
    return 0


def measure(driver: str, operations: int, samples: int) -> dict[str, object]:
    plane = LabControlPlane(poll_seconds=5.0, inventory_seconds=3600.0)
    plane.start()
    with tempfile.TemporaryDirectory() as folder:
        agent = LabAgent(Path(folder), plane.url, plane.token())
        network = "none" if driver == "memory" else driver
        agent.start(
            STRATOPLANE_AGENT_DRIVER=driver,
            STRATOPLANE_AGENT_NETWORK=network,
            STRATOPLANE_AGENT_STORAGE="none",
            STRATOPLANE_AGENT_LOG_LEVEL="info",
        )
        try:
            plane.wait_until(lambda: plane.inventories, "the agent", 30)
            specs = _specs(plane, samples + operations, with_network=driver != "memory")
            idle = _one_by_one(plane, specs[:samples])
            return {**idle, **_burst(plane, agent, specs[samples:])}
        finally:
            agent.terminate()
            plane.stop()


def _specs(plane: LabControlPlane, count: int, *, with_network: bool) -> list[MachineSpec]:
    net = NetworkSpec(uid=new_id(), project_id=PROJECT, name="bench", cidr="10.0.0.0/16", gateway="10.0.0.1")
    if with_network:
        made = plane.result(plane.queue("network", "create", net.uid, net))
        assert made.outcome == "done", made
    image = ImageReference(uid=new_id(), name="debian", source="debian.qcow2")
    return [
        MachineSpec(
            uid=new_id(),
            project_id=PROJECT,
            name=f"vm-{number}",
            vcpus=2,
            memory_mib=2048,
            root_gib=10,
            image=image,
            interfaces=(
                MachineInterface(network_uid=net.uid, mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"),
            ),
            ssh_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBench bench",),
        )
        for number in range(count)
    ]


def _one_by_one(plane: LabControlPlane, specs: list[MachineSpec]) -> dict[str, object]:
    """Queue one operation at a time on an idle agent: milliseconds from queueing to the result."""
    taken = []
    for spec in specs:
        begun = time.perf_counter()
        plane.result(plane.queue("virtual_machine", "create", spec.uid, spec))
        taken.append((time.perf_counter() - begun) * 1000)
    ranked = sorted(taken)
    return {
        "idle_p50_ms": round(statistics.median(ranked), 2),
        "idle_p99_ms": round(ranked[int(len(ranked) * 0.99)], 2),
    }


def _burst(plane: LabControlPlane, agent: LabAgent, specs: list[MachineSpec]) -> dict[str, object]:
    """Queue everything at once and wait for the last result."""
    before, requests = _processor(agent.process.pid), sum(plane.requests.values())
    begun = time.perf_counter()
    with plane.changed:
        identifiers = [plane.queue("virtual_machine", "create", spec.uid, spec) for spec in specs]
    for identifier in identifiers:
        result = plane.result(identifier, 120)
        assert result.outcome == "done", result
    seconds = time.perf_counter() - begun
    processor = _processor(agent.process.pid) - before
    return {
        "operations_per_second": round(len(specs) / seconds),
        "processor_us_per_operation": round(processor / len(specs) * 1e6),
        "requests_per_operation": round((sum(plane.requests.values()) - requests) / len(specs), 3),
        "rss_mib": round(_memory(agent.process.pid, "VmRSS"), 1),
        "peak_rss_mib": round(_memory(agent.process.pid, "VmHWM"), 1),
    }


def _processor(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
