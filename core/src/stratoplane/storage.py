# SPDX-License-Identifier: Apache-2.0
"""The contract of storage drivers: volumes, and buckets where the provider offers them."""

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from stratoplane.compute import ImageReference
from stratoplane.drivers import Ability, Driver, Feature, Interface
from stratoplane.jobs import Wait


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeSpec:
    """A volume as it should be: ``size_gib`` in GiB, empty or filled from ``image``."""

    uid: UUID
    project_id: UUID
    name: str
    size_gib: int
    image: ImageReference | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeStatus:
    """A volume as it is."""

    uid: UUID
    name: str
    size_gib: int
    provider_reference: str = ""
    private: Mapping[str, object] = field(default_factory=dict)

    def drift(self, spec: VolumeSpec) -> frozenset[str]:
        """Return the names of the fields in which this volume differs from ``spec``."""
        pairs = {"size_gib": (self.size_gib, spec.size_gib)}
        return frozenset(name for name, (observed, desired) in pairs.items() if observed != desired)


class StorageDriver(Driver):
    """Makes and keeps volumes. The verbs' promises are those of :class:`stratoplane.compute.ComputeDriver`."""

    interface = Interface.STORAGE

    @abc.abstractmethod
    def observe(self, uid: UUID) -> VolumeStatus | None:
        """Return the volume as it is now, or None if it does not exist. Raises TransientError."""

    @abc.abstractmethod
    def create(self, spec: VolumeSpec) -> VolumeStatus | Wait:
        """Make the volume, or adopt the one of this uid. ConflictError when it exists with another size."""

    @abc.abstractmethod
    def update(self, spec: VolumeSpec) -> VolumeStatus | Wait:
        """Grow the volume to ``spec.size_gib``; shrinking is a ConflictError. NotFoundError when absent."""

    @abc.abstractmethod
    def delete(self, uid: UUID) -> Wait | None:
        """Remove the volume and its data. Absent is success; ConflictError while a machine uses it."""

    @abc.abstractmethod
    def list(self) -> Iterable[VolumeStatus]:
        """Return every volume that carries this installation's mark (machines' root disks are not volumes)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketSpec:
    """A bucket for objects as it should be; ``name`` is unique at the provider only together with ``uid``."""

    uid: UUID
    project_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketStatus:
    """A bucket as it is; ``endpoint`` is the address (URL) at which its objects are served."""

    uid: UUID
    name: str
    endpoint: str = ""
    provider_reference: str = ""
    private: Mapping[str, object] = field(default_factory=dict)

    def drift(self, spec: BucketSpec) -> frozenset[str]:
        """Return the names of the fields in which this bucket differs from ``spec``."""
        return frozenset({"name"} if self.name != spec.name else ())


class BucketOps(Ability):
    """The ability to manage buckets: the four verbs and a list, with the same promises."""

    feature: ClassVar = Feature.BUCKETS

    @abc.abstractmethod
    def observe_bucket(self, uid: UUID) -> BucketStatus | None:
        """Return the bucket as it is now, or None."""

    @abc.abstractmethod
    def create_bucket(self, spec: BucketSpec) -> BucketStatus | Wait:
        """Create the bucket, or return the one of this uid."""

    @abc.abstractmethod
    def update_bucket(self, spec: BucketSpec) -> BucketStatus | Wait:
        """Bring the bucket's name to ``spec``. NotFoundError when absent."""

    @abc.abstractmethod
    def delete_bucket(self, uid: UUID) -> Wait | None:
        """Remove the bucket. Absent is success; ConflictError while it contains objects."""

    @abc.abstractmethod
    def list_buckets(self) -> Iterable[BucketStatus]:
        """Return every bucket that carries this installation's mark."""
