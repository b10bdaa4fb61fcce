# SPDX-License-Identifier: Apache-2.0
"""The kit's classes for drivers of the reference provider, and for every mutant made from them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import mutants_of_parts  # noqa: F401  # enters its mutants
import mutants_of_trouble  # noqa: F401  # enters its mutants
import pytest
from mutants import MUTANTS
from reference import (
    MOST_GIB,
    MOST_VCPUS,
    Keeper,
    ReferenceCompute,
    ReferenceNetwork,
    ReferenceSettings,
    ReferenceStorage,
)

from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.drivers import Driver, Interface
from stratoplane.ids import new_id
from stratoplane.testing import (
    BucketConformance,
    ComputeConformance,
    NetworkConformance,
    StorageConformance,
    agent_context,
)


class AtTheReference:
    """Where the drivers under test come from."""

    kinds: ClassVar[dict[Interface, type[Driver]]] = {
        Interface.COMPUTE: ReferenceCompute,
        Interface.NETWORK: ReferenceNetwork,
        Interface.STORAGE: ReferenceStorage,
    }
    interface: ClassVar[Interface]
    repeat = 2

    def make(self, interface: Interface, tmp_path: Path, endpoint: str = "here") -> Driver:
        kind = self.kinds[interface]
        settings = kind.Settings(endpoint=endpoint) if kind.Settings is ReferenceSettings else kind.Settings()
        return kind(settings, self.context(tmp_path))

    def prepared(self, interface: Interface, tmp_path: Path) -> Driver:
        driver = self.make(interface, tmp_path)
        driver.prepare()
        return driver

    def context(self, tmp_path: Path):
        if not hasattr(self, "_context"):
            self._context = agent_context(tmp_path)
        return self._context

    @pytest.fixture
    def driver(self, tmp_path: Path) -> Driver:
        return self.prepared(self.interface, tmp_path)

    @pytest.fixture
    def network_driver(self, tmp_path: Path) -> Driver:
        return self.prepared(Interface.NETWORK, tmp_path)

    @pytest.fixture
    def storage_driver(self, tmp_path: Path) -> Driver:
        return self.prepared(Interface.STORAGE, tmp_path)

    @pytest.fixture
    def crashing_driver(self, driver: Driver) -> Callable[[int], Driver]:
        def crashing(step: int) -> Driver:
            assert isinstance(driver, Keeper)
            driver.look().cut_at = step
            return driver

        return crashing

    @pytest.fixture
    def unreachable_driver(self, tmp_path: Path) -> Driver:
        return self.make(self.interface, tmp_path, endpoint="nowhere")

    @pytest.fixture
    def misconfigured_driver(self, tmp_path: Path) -> Driver:
        return self.make(self.interface, tmp_path, endpoint="")

    @pytest.fixture
    def image(self) -> ImageReference:
        return ImageReference(uid=new_id(), name="present", source="present.qcow2")

    @pytest.fixture
    def missing_image(self) -> ImageReference:
        return ImageReference(uid=new_id(), name="absent", source="absent.qcow2")

    @pytest.fixture
    def too_large(self) -> Callable[[MachineSpec], MachineSpec]:
        return lambda spec: replace(spec, vcpus=MOST_VCPUS + 1)

    @pytest.fixture
    def too_large_gib(self) -> int:
        return MOST_GIB + 1


class TestReferenceCompute(AtTheReference, ComputeConformance):
    interface = Interface.COMPUTE


class TestReferenceNetwork(AtTheReference, NetworkConformance):
    interface = Interface.NETWORK


class TestReferenceStorage(AtTheReference, StorageConformance):
    interface = Interface.STORAGE


class TestReferenceBuckets(AtTheReference, BucketConformance):
    interface = Interface.STORAGE


SUITES = {
    "compute": TestReferenceCompute,
    "network": TestReferenceNetwork,
    "storage": TestReferenceStorage,
    "buckets": TestReferenceBuckets,
}

for mutant in MUTANTS:
    suite = SUITES[mutant.suite]
    chosen: Any = {**AtTheReference.kinds, mutant.driver.interface: mutant.driver}
    facts = {"kinds": chosen, "patience": 0.3, "longest_call": 0.3, "__module__": __name__}
    globals()[mutant.name] = type(mutant.name, (suite,), facts)
