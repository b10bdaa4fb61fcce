# SPDX-License-Identifier: Apache-2.0
"""Conformance of storage drivers: volumes, and buckets where the driver offers them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

import pytest

from stratoplane.compute import ImageReference
from stratoplane.driver_kinds import BUCKET, VOLUME, DriverKind
from stratoplane.drivers import Driver
from stratoplane.errors import CapacityError, ConflictError, NotFoundError
from stratoplane.ids import new_id
from stratoplane.storage import BucketOps, BucketSpec, VolumeSpec
from stratoplane.testing.bench import Workbench
from stratoplane.testing.features import ForeignObjects, Images, Import
from stratoplane.testing.lifecycle import Conflict, Convergence, Deletion, Idempotency, Identity, Leftovers
from stratoplane.testing.shape import Conformance, Shape, offered
from stratoplane.testing.trouble import Concurrency, Errors, Interruptions


def volume_bench(driver: Driver, project_id: UUID, *, patience: float = 120.0, longest_call: float = 60.0) -> Workbench:
    """Return a bench for volumes."""
    return Workbench(
        driver=driver,
        kind=VOLUME,
        new_spec=lambda: VolumeSpec(uid=new_id(), project_id=project_id, name="conformance", size_gib=1),
        changed=lambda spec: replace(spec, name="renamed", size_gib=spec.size_gib + 1),
        other_shape=lambda spec: replace(spec, size_gib=spec.size_gib + 1),
        patience=patience,
        longest_call=longest_call,
    )


class Sizes:
    """Volumes grow and never shrink."""

    def test_a_volume_does_not_shrink(self, bench: Workbench) -> None:
        spec = replace(bench.new_spec(), size_gib=2)
        made = bench.create(spec)

        with pytest.raises(ConflictError):
            bench.update(replace(spec, size_gib=1))

        assert bench.observe(spec.uid) == made

    def test_a_volume_is_filled_from_an_image(self, bench: Workbench, image: ImageReference | None) -> None:
        if image is None:
            pytest.skip("no fixture image")
        spec = replace(bench.new_spec(), image=image)

        assert bench.create(spec) == bench.create(spec)

    def test_a_volume_without_its_image_is_refused(
        self, bench: Workbench, missing_image: ImageReference | None
    ) -> None:
        if missing_image is None:
            pytest.skip("no fixture missing_image")
        spec = replace(bench.new_spec(), image=missing_image)

        with pytest.raises(NotFoundError):
            bench.create(spec)

        assert spec.uid not in bench.listed()

    def test_a_volume_that_no_cluster_can_hold_is_refused(self, bench: Workbench, too_large_gib: int | None) -> None:
        if too_large_gib is None:
            pytest.skip("no fixture too_large_gib")
        spec = replace(bench.new_spec(), size_gib=too_large_gib)

        with pytest.raises(CapacityError):
            bench.create(spec)

        assert spec.uid not in bench.listed()


class StorageConformance(
    Shape,
    Identity,
    Idempotency,
    Conflict,
    Deletion,
    Convergence,
    Leftovers,
    Sizes,
    Images,
    ForeignObjects,
    Import,
    Interruptions,
    Errors,
    Concurrency,
    Conformance,
):
    """Inherit it, say how to make the driver, and every test of volumes runs.

    Optional fixtures beside those of :class:`~stratoplane.testing.shape.Conformance`: ``image`` and
    ``missing_image``, what volumes are filled from, and ``too_large_gib``, a size that the provider cannot hold.
    """

    driver_kind: ClassVar[DriverKind] = VOLUME

    @pytest.fixture
    def image(self) -> ImageReference | None:
        """Return None: without an author's own fixture, volumes are empty."""
        return None

    @pytest.fixture
    def missing_image(self) -> ImageReference | None:
        """Return None: without an author's own fixture, every image exists."""
        return None

    @pytest.fixture
    def too_large_gib(self) -> int | None:
        """Return None: without an author's own fixture, no volume is too large."""
        return None

    @pytest.fixture
    def bench(self, driver: Driver, project_id: UUID) -> Iterator[Workbench]:
        """Return the bench of the driver's volumes."""
        bench = volume_bench(driver, project_id, patience=self.patience, longest_call=self.longest_call)
        yield bench
        bench.tidy()


class BucketConformance(
    Identity, Idempotency, Deletion, Convergence, Leftovers, Interruptions, Concurrency, Conformance
):
    """Inherit it beside :class:`StorageConformance` for a storage driver that keeps buckets."""

    driver_kind: ClassVar[DriverKind] = BUCKET

    @pytest.fixture
    def bench(self, driver: Driver, project_id: UUID) -> Iterator[Workbench]:
        """Return the bench of the driver's buckets."""
        bench = Workbench(
            driver=offered(driver, BucketOps),
            kind=BUCKET,
            new_spec=lambda: BucketSpec(uid=new_id(), project_id=project_id, name="conformance"),
            changed=lambda spec: replace(spec, name="renamed"),
            other_shape=None,
            patience=self.patience,
            longest_call=self.longest_call,
        )
        yield bench
        bench.tidy()
