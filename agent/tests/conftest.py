# SPDX-License-Identifier: Apache-2.0
"""A small control plane, real agent processes, and specifications to give them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agent.tests.lab.lab_agent import LabAgent
from agent.tests.lab.lab_control_plane import LabControlPlane
from stratoplane.compute import MachineInterface, MachineSpec
from stratoplane.ids import new_id
from stratoplane.network import NetworkSpec

PROJECT = UUID("00000000-0000-7000-8000-00000000000a")


@pytest.fixture
def control_plane() -> Iterator[LabControlPlane]:
    plane = LabControlPlane()
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def agent(tmp_path: Path, control_plane: LabControlPlane) -> Iterator[LabAgent]:
    """Return an agent that is not started yet."""
    agent = LabAgent(tmp_path, control_plane.url, control_plane.token())
    yield agent
    agent.close()


@pytest.fixture
def machine() -> Callable[..., MachineSpec]:
    def make(name: str = "web", **members) -> MachineSpec:
        chosen = {"uid": new_id(), "vcpus": 1, "memory_mib": 512, "root_gib": 1, **members}
        return MachineSpec(project_id=PROJECT, name=name, **chosen)

    return make


@pytest.fixture
def plugged(machine: Callable[..., MachineSpec]) -> Callable[..., MachineSpec]:
    """Return a maker of machines with one network card."""

    def make(name: str) -> MachineSpec:
        return machine(name, interfaces=(MachineInterface(network_uid=new_id(), mac="02:00:00:00:00:01"),))

    return make


@pytest.fixture
def network() -> Callable[..., NetworkSpec]:
    def make(name: str = "net") -> NetworkSpec:
        return NetworkSpec(uid=new_id(), project_id=PROJECT, name=name, cidr="10.1.0.0/24", gateway="10.1.0.1")

    return make
