# SPDX-License-Identifier: Apache-2.0
"""Volumes at the example provider."""

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.drivers import Capacity, DriverContext
from stratoplane.errors import ConflictError, NotFoundError, UnsupportedError
from stratoplane.storage import StorageDriver, VolumeSpec, VolumeStatus
from stratoplane_example.failures import translated
from stratoplane_example.provider import FolderProvider
from stratoplane_example.settings import ExampleSettings


class ExampleStorageDriver(StorageDriver):
    """Keeps each volume as a file that is named by its uid, in a folder of this installation alone."""

    contract: ClassVar = (1, 0)
    Settings: ClassVar = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        # The folder is the mark: list() shows what is in it, and another installation has another folder.
        self._provider: Final = FolderProvider(settings.folder / str(context.installation_id))

    def prepare(self) -> None:
        with translated("open the folder"):
            self._provider.connect()

    def capacity(self) -> Capacity:
        with translated("read the size of the disk"):
            return Capacity(storage_gib=self._provider.size_gib())

    def observe(self, uid: UUID) -> VolumeStatus | None:
        with translated(f"look for volume {uid}"):
            size = self._provider.find(str(uid))
        return None if size is None else _status(uid, size)

    def create(self, spec: VolumeSpec) -> VolumeStatus:
        if spec.image is not None:
            raise UnsupportedError("this driver makes empty volumes only; leave the image out")
        existing = self.observe(spec.uid)
        if existing is None:
            with translated(f"create volume {spec.uid}"):
                self._provider.create(str(spec.uid), spec.size_gib)
            return _status(spec.uid, spec.size_gib)
        if existing.size_gib != spec.size_gib:
            raise ConflictError(f"volume {spec.uid} exists with {existing.size_gib} GiB instead of {spec.size_gib}")
        return existing

    def update(self, spec: VolumeSpec) -> VolumeStatus:
        existing = self.observe(spec.uid)
        if existing is None:
            raise NotFoundError(f"there is no volume {spec.uid}")
        if spec.size_gib < existing.size_gib:
            raise ConflictError(f"volume {spec.uid} has {existing.size_gib} GiB and cannot shrink")
        with translated(f"grow volume {spec.uid}"):
            self._provider.grow(str(spec.uid), spec.size_gib)
        return _status(spec.uid, spec.size_gib)

    def delete(self, uid: UUID) -> None:
        with translated(f"delete volume {uid}"):
            self._provider.remove(str(uid))

    def list(self) -> Iterable[VolumeStatus]:
        with translated("list volumes"):
            found = [(UUID(name), self._provider.find(name)) for name in self._provider.names()]
        return [_status(uid, size) for uid, size in found if size is not None]


def _status(uid: UUID, size_gib: int) -> VolumeStatus:
    return VolumeStatus(uid=uid, name=str(uid), size_gib=size_gib, provider_reference=str(uid))
