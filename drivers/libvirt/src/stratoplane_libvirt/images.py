# SPDX-License-Identifier: Apache-2.0
"""Importing images from the agent's image folder into the pool, once each."""

import concurrent.futures
import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from stratoplane.compute import ImageReference
from stratoplane.drivers import AvailableImage
from stratoplane.errors import MisconfiguredError, NotFoundError, PermanentError, TransientError
from stratoplane.jobs import Wait
from stratoplane_libvirt import names
from stratoplane_libvirt.connection import Connection
from stratoplane_libvirt.image_header import HEADER_BYTES, inspect_image, qcow2_size
from stratoplane_libvirt.pool import Pool, open_pool
from stratoplane_libvirt.volume_xml import Backing

_PATIENCE_SECONDS: Final = 3.0
"""Seconds that a call waits for an import before it returns Wait; small images are done by then."""
_CHUNK: Final = 1024 * 1024

_locks: Final[dict[UUID, threading.Lock]] = {}
_locks_guard: Final = threading.Lock()


class ImageLibrary:
    """The images of one pool. A mark beside each copy says that it is complete."""

    def __init__(self, connection: Connection, pool: str, folder: Path) -> None:
        self._connection = connection
        self._pool = pool
        self._folder = folder
        self._imports: dict[UUID, concurrent.futures.Future[None]] = {}
        self._sizes: dict[UUID, int] = {}
        self._guard = threading.Lock()
        self._executor = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="image-import")

    def provide(self, host: Any, image: ImageReference) -> Backing | Wait:
        """Return the image in the pool, copying it first if necessary, or Wait while it is copied.

        Raises:
            NotFoundError: the image folder has no such file.
            PermanentError: the file is not of the declared format, or is not allowed.
            TransientError: libvirt failed during the copy; the next call starts it again.
        """
        pool = open_pool(host, self._pool)
        if pool.find(names.image_mark_name(image.uid)) is None and not self._imported(image):
            return Wait(seconds=2.0, reason=f"copying the image {image.name} to the pool")
        return self._backing(pool, image)

    def listed(self, host: Any, limit: int) -> list[AvailableImage]:
        """Return up to ``limit`` images: the copies in the pool, which need no file any more, and the folder's files.

        Raises:
            MisconfiguredError: the agent may not read the image folder.
        """
        copies = (names.copied_image(name) for name in open_pool(host, self._pool).names())
        copied = [AvailableImage(uid=uid) for uid in sorted(uid for uid in copies if uid is not None)]
        files = [AvailableImage(source=name) for name in _file_names(self._folder)]
        return [*copied, *files][:limit]

    def _backing(self, pool: Pool, image: ImageReference) -> Backing:
        name = names.image_name(image.uid, image.format)
        volume = pool.require(name, f"the image {image.name}")
        if image.uid not in self._sizes:
            self._sizes[image.uid] = _virtual_size(pool, name, image.format)
        return Backing(path=volume.path(), format=image.format, size_bytes=self._sizes[image.uid])

    def _imported(self, image: ImageReference) -> bool:
        with self._guard:
            running = self._imports.get(image.uid)
            if running is None:
                running = self._executor.submit(self._import, image)
                self._imports[image.uid] = running
        try:
            running.result(_PATIENCE_SECONDS)
        except TimeoutError:
            return False
        finally:
            if running.done():
                with self._guard:
                    self._imports.pop(image.uid, None)
        return True

    def _import(self, image: ImageReference) -> None:
        action = f"copy the image {image.name}"
        with _lock_of(image.uid), self._connection.changing(action) as host:
            pool = open_pool(host, self._pool)
            if pool.find(names.image_mark_name(image.uid)) is not None:
                return
            try:
                with open_source(self._folder, image.source) as file:
                    _copy(pool, image, file)
            except OSError as error:
                raise TransientError(f"reading the image {image.source} failed", provider_text=str(error)) from error


def _file_names(folder: Path) -> list[str]:
    """Return the names that :func:`open_source` opens; none while there is no folder."""
    try:
        return sorted(each.name for each in folder.iterdir() if each.is_file() and os.access(each, os.R_OK))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MisconfiguredError(f"the image folder {folder} cannot be read", provider_text=str(error)) from error


def open_source(folder: Path, source: str) -> contextlib.closing[BinaryIO]:
    """Open the file ``source`` of the image folder.

    Raises:
        PermanentError: the name is outside of the folder.
        NotFoundError: the file does not exist.
        MisconfiguredError: the agent may not read it.
    """
    if not source or "/" in source or "\0" in source or source in (".", ".."):
        raise PermanentError(f"the image source {source!r} must be the name of a file in the image folder")
    try:
        return contextlib.closing((folder / source).open("rb"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"the image folder has no file {source!r}", provider_text=str(error)) from error
    except OSError as error:
        raise MisconfiguredError(f"the image file {source!r} cannot be read", provider_text=str(error)) from error


def _virtual_size(pool: Pool, name: str, image_format: str) -> int:
    if image_format == "qcow2":
        return qcow2_size(pool.read(name, 0, HEADER_BYTES))
    return pool.size(name)


def _copy(pool: Pool, image: ImageReference, file: BinaryIO) -> None:
    """Check the file and copy the same open file, so that it cannot be replaced in between."""
    inspect_image(file, image.format)
    _check_digest(file, image)
    name = names.image_name(image.uid, image.format)
    pool.delete(name)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    pool.upload(name, file, size)
    pool.create_raw(names.image_mark_name(image.uid), 0)


def _check_digest(file: BinaryIO, image: ImageReference) -> None:
    if not image.sha256:
        return
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in _chunks(file):
        digest.update(chunk)
    if digest.hexdigest() != image.sha256.lower():
        raise PermanentError(f"the image {image.name} does not have the SHA-256 digest that it was registered with")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _lock_of(image_uid: UUID) -> threading.Lock:
    """Return the lock of an image: the compute and the storage driver of one agent share the pool."""
    with _locks_guard:
        return _locks.setdefault(image_uid, threading.Lock())
