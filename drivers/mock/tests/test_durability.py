# SPDX-License-Identifier: Apache-2.0
"""The region survives restarts and killed processes, and serves many at once."""

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stratoplane.drivers import AgentContext
from stratoplane_mock.compute import MockComputeDriver
from stratoplane_mock.region import MockRegion
from stratoplane_mock.rules import Fault, FaultRule, Kind
from stratoplane_mock.settings import MockSettings

INSTALLATION = uuid.uuid4()

PROGRAM = """
import logging, pathlib, sys, uuid
from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.drivers import AgentContext
from stratoplane.ids import new_id
from stratoplane_mock.compute import MockComputeDriver
from stratoplane_mock.settings import MockSettings

logging.disable()
folder, installation, number = sys.argv[1:]
context = AgentContext(
    installation_id=uuid.UUID(installation), cluster_id=uuid.uuid4(), state_folder=pathlib.Path(folder)
)
driver = MockComputeDriver(MockSettings(), context)
driver.prepare()
image = ImageReference(uid=new_id(), name="debian", source="debian")
for _ in range(int(number)):
    spec = MachineSpec(
        uid=new_id(), project_id=new_id(), name="web", vcpus=1, memory_mib=64, root_gib=1, image=image
    )
    print("ordered", spec.uid, flush=True)
    driver.create(spec)
    print("created", spec.uid, flush=True)
"""


def start(folder: Path, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(INSTALLATION), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[MockComputeDriver]:
    context = AgentContext(installation_id=INSTALLATION, cluster_id=uuid.uuid4(), state_folder=tmp_path)
    driver = MockComputeDriver(MockSettings(), context)
    driver.prepare()
    yield driver
    driver._session.region.close()


def words(lines: list[str], first: str) -> set[uuid.UUID]:
    return {uuid.UUID(line.split()[1]) for line in lines if line.startswith(first)}


def test_acknowledged_changes_survive_a_kill(tmp_path, driver):
    with start(tmp_path, 1_000_000) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()

    kept = {status.uid for status in driver.list()}

    assert process.returncode == -signal.SIGKILL
    assert words(lines, "created") <= kept <= words(lines, "ordered")
    assert MockRegion.open(tmp_path / "mock-region.sqlite3").admin.problems() == []


@pytest.mark.parametrize("step", [0, 1])
def test_a_crash_fault_kills_the_process(tmp_path, driver, step):
    region = MockRegion.open(tmp_path / "mock-region.sqlite3")
    region.faults.set(FaultRule(fault=Fault.CRASH, step=step, times=1))

    with start(tmp_path, 3) as process:
        assert process.stdout is not None
        lines = process.stdout.readlines()

    assert process.returncode == -signal.SIGKILL
    [ordered] = words(lines, "ordered")
    assert words(lines, "created") == set()
    assert [status.uid for status in driver.list()] == [ordered]
    assert (driver.observe(ordered) is None) == bool(step)
    assert region.admin.problems() == []


def test_processes_share_a_region(tmp_path, driver):
    processes = [start(tmp_path, 40) for _ in range(3)]

    lines = [line for process in processes for line in process.communicate()[0].splitlines()]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert {status.uid for status in driver.list()} == words(lines, "created")
    assert len(words(lines, "created")) == 120
    assert MockRegion.open(tmp_path / "mock-region.sqlite3").admin.problems() == []


def test_threads_of_all_drivers_share_a_region(make_cluster, machine, network, volume):
    cluster = make_cluster(hosts=3)
    lan = network()
    cluster.network.create(lan)

    def live(_: int) -> str:
        disk = volume()
        cluster.storage.create(disk)
        spec = machine(lan, volume_uids=(disk.uid,))
        address = cluster.compute.create(spec).addresses[0].address
        cluster.compute.delete(spec.uid)
        cluster.storage.delete(disk.uid)
        kept = machine(lan)
        return f"{address} {cluster.compute.create(kept).addresses[0].address}"

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(live, range(64)))

    addresses = [status.addresses[0].address for status in cluster.compute.list()]
    assert len(set(addresses)) == 64
    assert cluster.region.admin.problems() == []
    assert cluster.region.admin.objects(Kind.VOLUME) == []


def test_a_restarted_driver_sees_what_there_was(make_cluster, machine):
    spec = machine()
    made = make_cluster().compute.create(spec)

    again = make_cluster(hosts=1)

    assert again.compute.observe(spec.uid) == made
    assert again.region.admin.size().hosts == 1
