# SPDX-License-Identifier: Apache-2.0
"""Volumes of a storage pool, by name, over the libvirt connection: no access to the host's files is needed."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import libvirt

from stratoplane.errors import MisconfiguredError, NotFoundError
from stratoplane_libvirt.connection import tolerating
from stratoplane_libvirt.volume_xml import Backing, build_folder_pool, build_qcow2, build_raw
from stratoplane_libvirt.xml_document import parse, render, require_text

_CHUNK: Final = 256 * 1024


class Pool:
    """One storage pool of type dir."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.name: str = handle.name()

    def path(self) -> str:
        """Return the pool's folder on the host."""
        return require_text(parse(self.handle.XMLDesc(0)), "target/path")

    def names(self) -> list[str]:
        return list(self.handle.listVolumes())

    def find(self, name: str) -> Any | None:
        """Return the handle of a volume, None if it does not exist."""
        with tolerating(libvirt.VIR_ERR_NO_STORAGE_VOL):
            return self.handle.storageVolLookupByName(name)
        return None

    def require(self, name: str, what: str) -> Any:
        """Return the handle of a volume. Raises NotFoundError, which calls it ``what``, if it does not exist."""
        found = self.find(name)
        if found is None:
            raise NotFoundError(f"{what} does not exist in the pool {self.name}")
        return found

    def create_qcow2(self, name: str, size_bytes: int, backing: Backing | None = None) -> Any:
        return self.handle.createXML(render(build_qcow2(name, size_bytes, backing)), 0)

    def create_raw(self, name: str, size_bytes: int) -> Any:
        return self.handle.createXML(render(build_raw(name, size_bytes)), 0)

    def replace_with_bytes(self, name: str, content: bytes) -> None:
        """Create a raw volume of exactly ``content``, replacing an existing one."""
        self.delete(name)
        self.upload(name, io.BytesIO(content), len(content))

    def upload(self, name: str, source: BinaryIO, size_bytes: int) -> Any:
        """Create a volume from the next ``size_bytes`` of ``source``; an interrupted upload leaves a part."""
        volume = self.create_raw(name, size_bytes)
        with self._stream() as stream:
            volume.upload(stream, 0, size_bytes, 0)
            stream.sendAll(lambda _stream, wanted, file: file.read(min(wanted, _CHUNK)), source)
        return volume

    def size(self, name: str) -> int:
        """Return the size in bytes of the disk in a volume, for a raw one the file's length."""
        return int(self.require(name, f"the volume {name}").info()[1])

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return bytes of a volume's file; 0 for ``length`` reads to its end."""
        volume = self.require(name, f"the volume {name}")
        received = io.BytesIO()
        with self._stream() as stream:
            volume.download(stream, offset, length, 0)
            stream.recvAll(lambda _stream, data, file: file.write(data), received)
        return received.getvalue()

    def delete(self, name: str) -> None:
        """Remove a volume; absent is success."""
        volume = self.find(name)
        if volume is not None:
            with tolerating(libvirt.VIR_ERR_NO_STORAGE_VOL):
                volume.delete(0)

    @contextlib.contextmanager
    def _stream(self) -> Iterator[Any]:
        stream = self.handle.connect().newStream(0)
        try:
            yield stream
            stream.finish()
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()
            raise


def open_pool(host: Any, name: str) -> Pool:
    """Return the operator's pool, started if it is not active.

    Raises:
        MisconfiguredError: the pool does not exist, or is of a type without file names.
    """
    handle = _find_pool(host, name)
    if handle is None:
        raise MisconfiguredError(f"libvirt has no storage pool {name!r}; define one of type dir")
    if not handle.isActive():
        with tolerating(libvirt.VIR_ERR_OPERATION_INVALID):
            handle.create(0)
    return Pool(handle)


def open_own_pool(host: Any, name: str, path: str) -> Pool:
    """Return a pool of the driver's own, defined, built, started and set to start automatically."""
    handle = _find_pool(host, name) or _define_pool(host, name, path)
    if not handle.isActive():
        handle.setAutostart(1)
        with tolerating(libvirt.VIR_ERR_OPERATION_INVALID):
            handle.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    return Pool(handle)


def _define_pool(host: Any, name: str, path: str) -> Any:
    """Define a pool, or use one that another process has just defined."""
    try:
        return host.storagePoolDefineXML(render(build_folder_pool(name, path)), 0)
    except libvirt.libvirtError:
        found = _find_pool(host, name)
        if found is None:
            raise
        return found


def _find_pool(host: Any, name: str) -> Any | None:
    with tolerating(libvirt.VIR_ERR_NO_STORAGE_POOL):
        return host.storagePoolLookupByName(name)
    return None
