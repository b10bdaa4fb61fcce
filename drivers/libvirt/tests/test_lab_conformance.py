# SPDX-License-Identifier: Apache-2.0
"""The libvirt drivers do what drivers must do."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.drivers import AgentContext, Driver
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane.testing import ComputeConformance, NetworkConformance, StorageConformance
from stratoplane.testing.bench import Workbench
from stratoplane_libvirt.compute import LibvirtComputeDriver
from stratoplane_libvirt.network import LibvirtNetworkDriver
from stratoplane_libvirt.settings import LibvirtSettings
from stratoplane_libvirt.storage import LibvirtStorageDriver


class OnLibvirt:
    """How each of the kit's classes gets its drivers."""

    kind: ClassVar[type[Driver]]

    @pytest.fixture
    def settings(self, lab: LibvirtSettings) -> LibvirtSettings:
        """Guests are cut off early: what they do by themselves is tested elsewhere."""
        return dataclasses.replace(lab, shutdown_grace=0.0)

    @pytest.fixture
    def driver(self, settings: LibvirtSettings, context: AgentContext) -> Driver:
        return prepared(self.kind, settings, context)

    @pytest.fixture
    def network_driver(self, settings: LibvirtSettings, context: AgentContext) -> Driver:
        return prepared(LibvirtNetworkDriver, settings, context)

    @pytest.fixture
    def storage_driver(self, settings: LibvirtSettings, context: AgentContext) -> Driver:
        return prepared(LibvirtStorageDriver, settings, context)

    @pytest.fixture
    def crashing_driver(self, settings: LibvirtSettings, context: AgentContext, cutter) -> Callable[[int], Driver]:
        driver = self.kind(dataclasses.replace(settings, uri=cutter.uri), context)

        def crashing(step: int) -> Driver:
            cutter.disarm()
            driver.prepare()
            cutter.arm(step)
            return driver

        return crashing

    @pytest.fixture
    def add_foreign(self, bench: Workbench, foreign_driver: Driver) -> Iterator[Callable[[], str]]:
        """Another installation makes things on the same host."""
        other, made = bench.on(foreign_driver), []

        def add() -> str:
            spec = bench.new_spec()
            if isinstance(spec, MachineSpec):
                spec = dataclasses.replace(spec, interfaces=(), power=PowerState.STOPPED)
            made.append(spec.uid)
            reference: str = other.create(spec).provider_reference
            return reference

        yield add
        for uid in made:
            other.delete(uid)

    @pytest.fixture
    def unreachable_driver(self, settings: LibvirtSettings, context: AgentContext) -> Driver:
        return self.kind(dataclasses.replace(settings, uri="qemu+unix:///system?socket=/nonexistent"), context)

    @pytest.fixture
    def image(self, tiny: ImageReference) -> ImageReference:
        return tiny

    @pytest.fixture
    def missing_image(self) -> ImageReference:
        return ImageReference(uid=new_id(), name="absent", source="absent.qcow2")


def prepared(kind: type[Driver], settings: LibvirtSettings, context: AgentContext) -> Driver:
    driver = kind(settings, context)
    driver.prepare()
    return driver


class WithPool(OnLibvirt):
    @pytest.fixture
    def misconfigured_driver(self, settings: LibvirtSettings, context: AgentContext) -> Driver:
        return self.kind(dataclasses.replace(settings, pool="absent"), context)


class TestLibvirtCompute(WithPool, ComputeConformance):
    kind = LibvirtComputeDriver
    memory_mib = 48

    @pytest.fixture
    def too_large(self, driver: Driver) -> Callable[[MachineSpec], MachineSpec]:
        return lambda spec: dataclasses.replace(spec, memory_mib=driver.capacity().memory_mib + 1)


class TestLibvirtNetwork(OnLibvirt, NetworkConformance):
    kind = LibvirtNetworkDriver


class TestLibvirtStorage(WithPool, StorageConformance):
    kind = LibvirtStorageDriver

    @pytest.fixture
    def too_large_gib(self, driver: Driver) -> int:
        return driver.capacity().storage_gib + 1
