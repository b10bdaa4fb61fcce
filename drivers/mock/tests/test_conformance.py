# SPDX-License-Identifier: Apache-2.0
"""The mock drivers do what drivers must do, in a quick region and in a slow one."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.drivers import AgentContext, Driver
from stratoplane.testing import BucketConformance, ComputeConformance, NetworkConformance, StorageConformance
from stratoplane_mock.compute import MockComputeDriver
from stratoplane_mock.network import MockNetworkDriver
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.rules import Fault, FaultRule, Kind
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.storage import MockStorageDriver

KNOWN_IMAGE = ImageReference(uid=uuid.uuid4(), name="debian-12", source="debian-12.qcow2")

_FOREIGN = {
    MockComputeDriver: (Kind.MACHINE, "vm"),
    MockNetworkDriver: (Kind.NETWORK, "net"),
    MockStorageDriver: (Kind.VOLUME, "vol"),
}


class InTheRegion:
    """How each of the kit's classes gets its drivers."""

    kind: ClassVar[type[Driver]]
    settings: ClassVar = MockSettings(images=(KNOWN_IMAGE.source,))

    @pytest.fixture
    def driver(self, context: AgentContext) -> Driver:
        return prepared(self.kind, self.settings, context)

    @pytest.fixture
    def region(self, driver: Driver) -> Iterator[MockRegion]:
        region = MockRegion.open(driver.context.state_folder / FILE_NAME)
        yield region
        region.faults.clear()
        assert region.admin.problems() == []
        region.close()

    @pytest.fixture
    def crashing_driver(self, driver: Driver, region: MockRegion) -> Callable[[int], Driver]:
        def crashing(step: int) -> Driver:
            region.faults.set(FaultRule(fault=Fault.PARTIAL, step=step, times=1))
            return driver

        return crashing

    @pytest.fixture
    def add_foreign(self, driver: Driver, region: MockRegion) -> Callable[[], str]:
        kind, prefix = next(found for family, found in _FOREIGN.items() if isinstance(driver, family))
        return lambda: f"{prefix}-{str(region.admin.add_foreign(kind))[-12:]}"

    @pytest.fixture
    def unreachable_driver(self, driver: Driver, region: MockRegion) -> Driver:
        region.faults.set(FaultRule(fault=Fault.UNAVAILABLE, verb="*"))
        return type(driver)(driver.settings, driver.context)

    @pytest.fixture
    def misconfigured_driver(self, context: AgentContext, tmp_path: Path) -> Driver:
        (tmp_path / "file").touch()
        return self.kind(MockSettings(region=tmp_path / "file" / "region.sqlite3"), context)

    @pytest.fixture
    def image(self) -> ImageReference:
        return KNOWN_IMAGE

    @pytest.fixture
    def missing_image(self) -> ImageReference:
        return ImageReference(uid=uuid.uuid4(), name="plan-9", source="plan-9.qcow2")

    @pytest.fixture
    def network_driver(self, context: AgentContext) -> Driver:
        return prepared(MockNetworkDriver, self.settings, context)

    @pytest.fixture
    def storage_driver(self, context: AgentContext) -> Driver:
        return prepared(MockStorageDriver, self.settings, context)


def prepared(kind: type[Driver], settings: MockSettings, context: AgentContext) -> Driver:
    driver = kind(settings, context)
    driver.prepare()
    return driver


class TestMockCompute(InTheRegion, ComputeConformance):
    kind = MockComputeDriver

    @pytest.fixture
    def too_large(self) -> Callable[[MachineSpec], MachineSpec]:
        return lambda spec: replace(spec, vcpus=MockSettings().host_vcpus + 1)


class TestSlowMockCompute(TestMockCompute):
    """Everything takes a while, so every verb answers Wait."""

    settings = MockSettings(
        images=(KNOWN_IMAGE.source,), machine_seconds=0.02, shutdown_seconds=0.02, delete_seconds=0.02
    )


class TestMockNetwork(InTheRegion, NetworkConformance):
    kind = MockNetworkDriver


class TestMockStorage(InTheRegion, StorageConformance):
    kind = MockStorageDriver

    @pytest.fixture
    def too_large_gib(self) -> int:
        return MockSettings().storage_gib + 1


class TestMockBuckets(InTheRegion, BucketConformance):
    kind = MockStorageDriver
