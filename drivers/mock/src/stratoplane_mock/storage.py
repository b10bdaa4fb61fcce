# SPDX-License-Identifier: Apache-2.0
"""Volumes and buckets of the simulated region."""

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.compute import ImageOps
from stratoplane.drivers import AvailableImage, Capacity, DriverContext
from stratoplane.foreign import Adoption, ForeignObject, ImportOps
from stratoplane.storage import BucketOps, BucketSpec, BucketStatus, StorageDriver, VolumeSpec, VolumeStatus
from stratoplane_mock import adoption, buckets, hosts, volumes
from stratoplane_mock.rules import Call, Kind
from stratoplane_mock.session import Session
from stratoplane_mock.settings import MockSettings


class MockStorageDriver(StorageDriver, BucketOps, ImageOps, ImportOps):
    """Volumes and buckets that exist in a file only."""

    production_ready: ClassVar = False
    Settings: ClassVar = MockSettings

    def __init__(self, settings: MockSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._session: Final = Session(settings, context)

    def prepare(self) -> None:
        self._session.prepare()

    def capacity(self) -> Capacity:
        size = self._session.region.read(_volume("capacity"), hosts.size)
        return Capacity(storage_gib=size.storage_gib)

    def observe(self, uid: UUID) -> VolumeStatus | None:
        return self._session.read(_volume("observe", uid), volumes.observe, uid)

    def create(self, spec: VolumeSpec) -> VolumeStatus:
        return self._session.change(_volume("create", spec.uid), volumes.create, spec)

    def update(self, spec: VolumeSpec) -> VolumeStatus:
        return self._session.change(_volume("update", spec.uid), volumes.update, spec)

    def delete(self, uid: UUID) -> None:
        self._session.change(_volume("delete", uid), volumes.delete, uid)

    def list(self) -> Iterable[VolumeStatus]:
        return self._session.read(_volume("list"), volumes.list_all)

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        return self._session.read(_volume("list_foreign"), volumes.list_foreign, limit)

    def list_images(self, limit: int) -> Iterable[AvailableImage] | None:
        return self._session.read(_volume("list_images"), volumes.list_images, limit)

    def adopt(self, adoption: Adoption) -> VolumeStatus:
        return self._session.change(_volume("adopt", adoption.uid), volumes.adopt, adoption)

    def release(self, uid: UUID) -> None:
        self._session.change(_volume("release", uid), adoption.release, Kind.VOLUME, uid)

    def observe_bucket(self, uid: UUID) -> BucketStatus | None:
        return self._session.read(_bucket("observe", uid), buckets.observe, uid)

    def create_bucket(self, spec: BucketSpec) -> BucketStatus:
        return self._session.change(_bucket("create", spec.uid), buckets.create, spec)

    def update_bucket(self, spec: BucketSpec) -> BucketStatus:
        return self._session.change(_bucket("update", spec.uid), buckets.update, spec)

    def delete_bucket(self, uid: UUID) -> None:
        self._session.change(_bucket("delete", uid), buckets.delete, uid)

    def list_buckets(self) -> Iterable[BucketStatus]:
        return self._session.read(_bucket("list"), buckets.list_all)


def _volume(verb: str, uid: UUID | None = None) -> Call:
    return Call(kind=Kind.VOLUME, verb=verb, uid=uid)


def _bucket(verb: str, uid: UUID | None = None) -> Call:
    return Call(kind=Kind.BUCKET, verb=verb, uid=uid)
