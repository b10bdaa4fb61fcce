# SPDX-License-Identifier: Apache-2.0
"""A region of its own for each test, and drivers that work in it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stratoplane.compute import ImageReference, MachineInterface, MachineSpec
from stratoplane.drivers import AgentContext
from stratoplane.ids import new_id
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane.storage import VolumeSpec
from stratoplane_mock.compute import MockComputeDriver
from stratoplane_mock.network import MockNetworkDriver
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.storage import MockStorageDriver

IMAGE = ImageReference(uid=uuid.uuid4(), name="debian-12", source="debian-12.qcow2")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The three drivers of one region, prepared, and the region itself."""

    compute: MockComputeDriver
    network: MockNetworkDriver
    storage: MockStorageDriver
    region: MockRegion


@pytest.fixture
def context(tmp_path: Path) -> AgentContext:
    return AgentContext(installation_id=uuid.uuid4(), cluster_id=uuid.uuid4(), state_folder=tmp_path)


@pytest.fixture
def make_cluster(context: AgentContext) -> Callable[..., Cluster]:
    """Return a function that makes drivers in the test's region, with settings of choice."""

    def make(**chosen: Any) -> Cluster:
        settings = MockSettings(**chosen)
        compute, network = MockComputeDriver(settings, context), MockNetworkDriver(settings, context)
        storage = MockStorageDriver(settings, context)
        compute.prepare()
        network.prepare()
        storage.prepare()
        region = MockRegion.open(context.state_folder / FILE_NAME)
        return Cluster(compute=compute, network=network, storage=storage, region=region)

    return make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster()


@pytest.fixture
def project_id() -> UUID:
    return uuid.uuid4()


@pytest.fixture
def machine(project_id: UUID) -> Callable[..., MachineSpec]:
    """Return a function that makes specifications of machines; ``networks`` gives each a card."""

    def make(*networks: NetworkSpec, **chosen: Any) -> MachineSpec:
        uid = new_id()
        mac = ":".join(f"{octet:02x}" for octet in (0x02, *uid.bytes[-5:]))
        cards = tuple(MachineInterface(network_uid=network.uid, mac=mac) for network in networks)
        standard: dict[str, Any] = {
            "name": "web",
            "vcpus": 1,
            "memory_mib": 512,
            "root_gib": 10,
            "image": IMAGE,
            "interfaces": cards,
        }
        return MachineSpec(uid=uid, project_id=project_id, **{**standard, **chosen})

    return make


@pytest.fixture
def network(project_id: UUID) -> Callable[..., NetworkSpec]:
    """Return a function that makes specifications of networks."""

    def make(cidr: str = "10.1.0.0/24", gateway: str = "", mode: NetworkMode = NetworkMode.NAT) -> NetworkSpec:
        first = cidr.split("/", maxsplit=1)[0].rsplit(".", 1)[0] + ".1"
        return NetworkSpec(
            uid=new_id(), project_id=project_id, name="lan", cidr=cidr, gateway=gateway or first, mode=mode
        )

    return make


@pytest.fixture
def volume(project_id: UUID) -> Callable[..., VolumeSpec]:
    """Return a function that makes specifications of volumes."""

    def make(size_gib: int = 5, **chosen: Any) -> VolumeSpec:
        return VolumeSpec(uid=new_id(), project_id=project_id, name="data", size_gib=size_gib, **chosen)

    return make
