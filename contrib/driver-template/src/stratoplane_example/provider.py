# SPDX-License-Identifier: Apache-2.0
"""The provider: volumes as sparse files in a folder. Replace this module by your provider's client library."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

GIB: Final = 1024**3
_UNFINISHED: Final = ".new"


class FolderProvider:
    """Files of one folder, by name.

    A real provider lets the caller choose the id, or keeps tags that the creating call sets. Here the name is the id.
    """

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder

    def connect(self) -> None:
        """Open the folder; the one above it is the operator's and must be there. Raises OSError."""
        self._folder.mkdir(exist_ok=True)

    def size_gib(self) -> int:
        """Return the size of the disk in GiB. Raises OSError."""
        disk = os.statvfs(self._folder)
        return disk.f_blocks * disk.f_frsize // GIB

    def find(self, name: str) -> int | None:
        """Return the size of a volume in GiB, None if there is none. Raises OSError."""
        try:
            return (self._folder / name).stat().st_size // GIB
        except FileNotFoundError:
            self._folder.stat()  # a folder that is away says nothing about what is in it
            return None

    def names(self) -> Iterator[str]:
        """Yield the names of all volumes. Raises OSError."""
        yield from (path.name for path in self._folder.iterdir() if path.suffix != _UNFINISHED)

    def create(self, name: str, size_gib: int) -> None:
        """Make a volume, whole or not at all. Raises OSError."""
        unfinished = self._folder / f"{name}.{uuid4()}{_UNFINISHED}"
        with unfinished.open("wb") as file:
            file.truncate(size_gib * GIB)
        unfinished.replace(self._folder / name)

    def grow(self, name: str, size_gib: int) -> None:
        """Give a volume another size. Raises OSError."""
        os.truncate(self._folder / name, size_gib * GIB)

    def remove(self, name: str) -> None:
        """Remove a volume; a missing volume is not an error. Raises OSError."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            self._folder.stat()
