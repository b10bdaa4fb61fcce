# SPDX-License-Identifier: Apache-2.0
"""Conformance of compute drivers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

import pytest

from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.driver_kinds import VIRTUAL_MACHINE, DriverKind
from stratoplane.drivers import Driver
from stratoplane.ids import new_id
from stratoplane.network import NetworkDriver, NetworkSpec
from stratoplane.resources import PowerState
from stratoplane.storage import StorageDriver, VolumeSpec
from stratoplane.testing.bench import Workbench
from stratoplane.testing.features import ConsoleLog, ForeignObjects, Images, Import, LiveResize, Reboot, Resize
from stratoplane.testing.lifecycle import Conflict, Convergence, Deletion, Idempotency, Identity, Leftovers
from stratoplane.testing.network import network_bench
from stratoplane.testing.parts import Addresses, Power, Volumes
from stratoplane.testing.shape import Conformance, Shape
from stratoplane.testing.storage import volume_bench
from stratoplane.testing.trouble import Concurrency, Errors, Interruptions


class ComputeConformance(
    Shape,
    Identity,
    Idempotency,
    Conflict,
    Deletion,
    Convergence,
    Leftovers,
    Power,
    Addresses,
    Volumes,
    Interruptions,
    Errors,
    Concurrency,
    Reboot,
    Resize,
    LiveResize,
    ConsoleLog,
    Images,
    ForeignObjects,
    Import,
    Conformance,
):
    """Inherit it, say how to make the driver, and every test of compute drivers runs.

    Optional fixtures beside those of :class:`~stratoplane.testing.shape.Conformance`:

    - ``network_driver``, ``storage_driver``: drivers of the same cluster; without them machines have neither.
    - ``image``: what machines start from; the default names a file ``conformance.qcow2``.
    - ``missing_image``: an image that the provider does not have.
    - ``too_large``: a function that makes a machine's specification larger than the provider.

    Attributes:
        cidr: range of the network that is made for machines.
        vcpus, memory_mib, root_gib: size of the machines.
    """

    driver_kind: ClassVar[DriverKind] = VIRTUAL_MACHINE
    cidr: ClassVar[str] = "10.213.0.0/24"
    vcpus: ClassVar[int] = 1
    memory_mib: ClassVar[int] = 128
    root_gib: ClassVar[int] = 1

    @pytest.fixture
    def network_driver(self) -> NetworkDriver | None:
        """Return None: without an author's own fixture, machines have no cards."""
        return None

    @pytest.fixture
    def storage_driver(self) -> StorageDriver | None:
        """Return None: without an author's own fixture, machines have no volumes."""
        return None

    @pytest.fixture
    def image(self) -> ImageReference:
        """Return what machines start from."""
        return ImageReference(uid=new_id(), name="conformance", source="conformance.qcow2")

    @pytest.fixture
    def missing_image(self) -> ImageReference | None:
        """Return None: without an author's own fixture, every image exists."""
        return None

    @pytest.fixture
    def too_large(self) -> Callable[[MachineSpec], MachineSpec] | None:
        """Return None: without an author's own fixture, no machine is too large."""
        return None

    @pytest.fixture
    def networks(self, network_driver: NetworkDriver | None, project_id: UUID) -> Iterator[Workbench]:
        """Return the bench of the cluster's networks."""
        if network_driver is None:
            pytest.skip("no fixture network_driver")
        bench = network_bench(network_driver, project_id, [self.cidr], patience=self.patience)
        yield bench
        bench.tidy()

    @pytest.fixture
    def network(self, networks: Workbench) -> NetworkSpec:
        """Return the specification of a network that was made."""
        spec: NetworkSpec = networks.new_spec()
        networks.create(spec)
        return spec

    @pytest.fixture
    def volumes(self, storage_driver: StorageDriver | None, project_id: UUID) -> Iterator[Workbench]:
        """Return the bench of the cluster's volumes."""
        if storage_driver is None:
            pytest.skip("no fixture storage_driver")
        bench = volume_bench(storage_driver, project_id, patience=self.patience)
        yield bench
        bench.tidy()

    @pytest.fixture
    def volume(self, volumes: Workbench) -> VolumeSpec:
        """Return the specification of a volume that was made."""
        spec: VolumeSpec = volumes.new_spec()
        volumes.create(spec)
        return spec

    @pytest.fixture
    def bench(
        self,
        driver: Driver,
        project_id: UUID,
        image: ImageReference,
        request: pytest.FixtureRequest,
    ) -> Iterator[Workbench]:
        """Return the bench of the driver's machines."""

        def new_spec() -> MachineSpec:
            return MachineSpec(
                uid=new_id(),
                project_id=project_id,
                name="conformance",
                vcpus=self.vcpus,
                memory_mib=self.memory_mib,
                root_gib=self.root_gib,
                image=image,
            )

        # What machines use is made before them and so is tidied up after them.
        for companion in ("network", "volume"):
            if companion in request.fixturenames:
                request.getfixturevalue(companion)
        bench = Workbench(
            driver=driver,
            kind=VIRTUAL_MACHINE,
            new_spec=new_spec,
            changed=lambda spec: replace(spec, name="renamed", power=PowerState.STOPPED),
            other_shape=lambda spec: replace(spec, vcpus=spec.vcpus + 1),
            patience=self.patience,
            longest_call=self.longest_call,
        )
        yield bench
        bench.tidy()
