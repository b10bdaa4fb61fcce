# SPDX-License-Identifier: Apache-2.0
"""Volumes on libvirt: qcow2 files in a pool."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

import libvirt

from stratoplane.compute import ImageOps
from stratoplane.drivers import AvailableImage, Capacity, DriverContext
from stratoplane.errors import CapacityError, ConflictError, PermanentError
from stratoplane.foreign import ForeignObject, ForeignOps
from stratoplane.jobs import Wait
from stratoplane.storage import StorageDriver, VolumeSpec, VolumeStatus
from stratoplane_libvirt import names
from stratoplane_libvirt.connection import Connection, tolerating
from stratoplane_libvirt.domain_xml import Disk, DomainRecord
from stratoplane_libvirt.domains import all_records
from stratoplane_libvirt.foreign import in_order
from stratoplane_libvirt.images import ImageLibrary
from stratoplane_libvirt.locks import ObjectLocks
from stratoplane_libvirt.pool import Pool, open_pool
from stratoplane_libvirt.settings import LibvirtSettings
from stratoplane_libvirt.volume_xml import Backing

_GIB: Final = 1024**3


class LibvirtStorageDriver(StorageDriver, ImageOps, ForeignOps):
    """Volumes in one storage pool of one libvirt host."""

    Settings: ClassVar = LibvirtSettings

    def __init__(self, settings: LibvirtSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._installation_id: Final = context.installation_id
        self._connection: Final = Connection(settings.uri)
        self._locks: Final = ObjectLocks()
        self._images: Final = ImageLibrary(self._connection, settings.pool, settings.image_folder)

    def prepare(self) -> None:
        with self._connection.changing("open the pool") as host:
            self._pool(host)

    def capacity(self) -> Capacity:
        with self._connection.reading("read its capacity") as host:
            return Capacity(storage_gib=_pool_gib(self._pool(host)))

    def list_images(self, limit: int) -> Iterable[AvailableImage]:
        with self._connection.reading("list the images") as host:
            return self._images.listed(host, limit)

    def observe(self, uid: UUID) -> VolumeStatus | None:
        with self._connection.reading(f"describe volume {uid}") as host:
            volume = self._pool(host).find(self._name(uid))
            return None if volume is None else _status(uid, volume)

    def list(self) -> Iterable[VolumeStatus]:
        with self._connection.reading("list the volumes") as host:
            pool = self._pool(host)
            uids = {name: names.volume_uid(self._installation_id, name) for name in pool.names()}
            return list(_statuses(pool, {name: uid for name, uid in uids.items() if uid is not None}))

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        with self._connection.reading("list foreign volumes") as host:
            pool = self._pool(host)
            key = UUID(pool.handle.UUIDString())
            uids = {
                name: names.foreign_uid(key, name)
                for name in pool.names()
                if names.is_foreign_volume(self._installation_id, name)
            }
            return in_order(_statuses(pool, uids), limit)

    def create(self, spec: VolumeSpec) -> VolumeStatus | Wait:
        with self._locks.hold(spec.uid), self._connection.changing(f"create volume {spec.uid}") as host:
            pool = self._pool(host)
            present = pool.find(self._name(spec.uid))
            if present is not None:
                return _adopted(spec, present)
            _refuse_too_large(spec, pool)
            image: Backing | None = None
            if spec.image is not None:
                provided = self._images.provide(host, spec.image)
                if isinstance(provided, Wait):
                    return provided
                image = provided
                _refuse_too_small(spec, image)
            return _status(spec.uid, pool.create_qcow2(self._name(spec.uid), spec.size_gib * _GIB, image))

    def update(self, spec: VolumeSpec) -> VolumeStatus:
        with self._locks.hold(spec.uid), self._connection.changing(f"grow volume {spec.uid}") as host:
            pool = self._pool(host)
            volume = pool.require(self._name(spec.uid), f"the volume {spec.uid}")
            size, wanted = volume.info()[1], spec.size_gib * _GIB
            if size > wanted:
                raise ConflictError(f"the volume has {size // _GIB} GiB and cannot shrink to {spec.size_gib} GiB")
            if size < wanted:
                _refuse_too_large(spec, pool)
                self._grow(host, spec.uid, volume, wanted)
            return _status(spec.uid, volume)

    def delete(self, uid: UUID) -> None:
        with self._locks.hold(uid), self._connection.changing(f"delete volume {uid}") as host:
            for _, record, _ in self._users(host, uid):
                raise ConflictError(f"the volume {uid} is in use by {record.name}")
            self._pool(host).delete(self._name(uid))

    def _grow(self, host: Any, uid: UUID, volume: Any, size_bytes: int) -> None:
        """Grow a volume; a running machine has the file locked, so it must do that itself."""
        for domain, _, disk in self._users(host, uid):
            if domain.isActive():
                domain.blockResize(disk.target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
                return
        volume.resize(size_bytes, 0)

    def _users(self, host: Any, uid: UUID) -> Iterable[tuple[Any, DomainRecord, Disk]]:
        name = self._name(uid)
        for domain, record in all_records(host):
            for disk in record.disks:
                if disk.volume == name:
                    yield domain, record, disk

    def _pool(self, host: Any) -> Pool:
        return open_pool(host, self.settings.pool)

    def _name(self, uid: UUID) -> str:
        return names.volume_name(self._installation_id, uid)


def _statuses(pool: Pool, uids: Mapping[str, UUID]) -> Iterable[VolumeStatus]:
    """Return the volumes with these names; those that vanish meanwhile are skipped."""
    for name, uid in uids.items():
        volume, status = pool.find(name), None
        if volume is not None:
            with tolerating(libvirt.VIR_ERR_NO_STORAGE_VOL):
                status = _status(uid, volume)
        if status is not None:
            yield status


def _adopted(spec: VolumeSpec, volume: Any) -> VolumeStatus:
    status = _status(spec.uid, volume)
    if status.size_gib != spec.size_gib:
        raise ConflictError(f"the volume {spec.uid} already exists with {status.size_gib} GiB")
    return status


def _pool_gib(pool: Pool) -> int:
    return int(pool.handle.info()[1]) // _GIB


def _refuse_too_large(spec: VolumeSpec, pool: Pool) -> None:
    """Raise CapacityError if the volume would not fit into the empty pool."""
    if spec.size_gib > (offered := _pool_gib(pool)):
        raise CapacityError(f"the pool {pool.name} cannot provide {spec.size_gib} GiB: its capacity is {offered} GiB")


def _refuse_too_small(spec: VolumeSpec, image: Backing) -> None:
    if image.size_bytes > spec.size_gib * _GIB:
        needed = -(-image.size_bytes // _GIB)
        raise PermanentError(f"the image needs a volume of {needed} GiB; this one has {spec.size_gib} GiB")


def _status(uid: UUID, volume: Any) -> VolumeStatus:
    name = volume.name()
    return VolumeStatus(uid=uid, name=name, size_gib=volume.info()[1] // _GIB, provider_reference=name)
