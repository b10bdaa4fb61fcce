# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL in a folder: created at the first start, reached over a unix socket that only its owner can open.

Clients need no password: the socket's folder has mode 0700 and the server listens nowhere else. Set settings of
your own with ``ALTER SYSTEM``; ``stratoplane.conf`` is rewritten at each start.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, ClassVar, Final
from urllib.parse import quote

from stratoplane_embedded import processes
from stratoplane_embedded.binaries import PostgresqlBinaries, find_postgresql
from stratoplane_embedded.errors import StartError
from stratoplane_embedded.identity import Identity, choose_identity
from stratoplane_embedded.server import EmbeddedServer
from stratoplane_embedded.sockets import socket_folder

SUPERUSER: Final = "stratoplane"
DATABASE: Final = "stratoplane"
_INITDB_SECONDS: Final = 300.0
_FIRST_WITH_BUILTIN_LOCALE: Final = 17
_STATUS_LINE: Final = 7
_ACCESS: Final = "# Only the owner of the socket's folder gets this far.\nlocal all all trust\n"
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "synchronous_commit": "on",
    "jit": "off",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
WITHOUT_DURABILITY: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


class PostgresqlServer(EmbeddedServer):
    """One PostgreSQL server with its data in ``folder/data``.

    Args:
        folder: the server's own folder; created if it does not exist.
        settings: names and values of ``postgresql.conf`` in addition to those for a small machine.
    """

    title: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # fast shutdown: ends sessions, keeps what they committed

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """``postgresql://user@/database?host=/folder/of/the/socket`` of the superuser, for every client library."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self._socket_folder()))}"

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Read the status that the server writes for ``pg_ctl``: its process and the word ``ready``."""
        lines = self._lock_file_lines()
        return len(lines) > _STATUS_LINE and lines[0] == str(process.pid) and lines[_STATUS_LINE].strip() == "ready"

    def _spawn(self, log: IO[bytes] | int, lock: int) -> subprocess.Popen[bytes]:
        binaries = find_postgresql(self._existing_version())
        identity = choose_identity(binaries.postgres, self.folder, self.data)
        identity.open_way(self.folder)
        if not self.data.exists():
            self._initialise(binaries, identity)
        self._write_settings()
        identity.give(self.data)
        self._sockets = socket_folder(self.folder, identity)
        self._clear_lock_files(self._sockets)
        return processes.spawn(
            [*identity.prefix, str(binaries.postgres), "-D", str(self.data), "-k", str(self._sockets)],
            log=log,
            death_signal=self.stop_signal,
            environment=_environment(),
            user=identity.user,
            group=identity.group,
            folder=self.data,
            keep_descriptors=[lock],
        )

    def _clear_lock_files(self, sockets: Path) -> None:
        """Remove the lock files of a killed server: PostgreSQL refuses to start when its pid was reused."""
        for path in (self.data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
            path.unlink(missing_ok=True)

    def _existing_version(self) -> int | None:
        if not self.data.exists():
            return None
        try:
            return int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError) as error:
            raise StartError(f"{self.data} does not contain PostgreSQL data; move it away and start again") from error

    def _initialise(self, binaries: PostgresqlBinaries, identity: Identity) -> None:
        """Create the data in a temporary folder and move it into place when it is complete."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        identity.give(unfinished)
        self._run(identity, [str(binaries.initdb), "--pgdata", str(unfinished), *self._initdb_options(binaries)])
        with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\ninclude_if_exists = 'stratoplane.conf'\n")
        (unfinished / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        single = [str(binaries.postgres), "--single", "-D", str(unfinished), "postgres"]
        self._run(identity, single, f'CREATE DATABASE "{DATABASE}"\n')
        unfinished.rename(self.data)

    def _initdb_options(self, binaries: PostgresqlBinaries) -> list[str]:
        options = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        if binaries.version >= _FIRST_WITH_BUILTIN_LOCALE:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return options if self._settings.get("fsync") != "off" else [*options, "--no-sync"]

    def _run(self, identity: Identity, command: list[str], text: str = "") -> None:
        try:
            done = identity.run(
                command, text=text, seconds=_INITDB_SECONDS, folder=self.folder, environment=_environment()
            )
        except subprocess.TimeoutExpired as error:
            raise StartError(f"PostgreSQL's data could not be created in {self.folder}: {error}") from error
        if done.returncode != 0 or "ERROR:" in done.stderr:
            reason = done.stderr.strip() or done.stdout.strip()
            raise StartError(f"PostgreSQL's data could not be created in {self.folder}: {reason}")

    def _write_settings(self) -> None:
        lines = ["# Rewritten at each start. Use ALTER SYSTEM for settings of your own."]
        lines += [f"{name} = {value}" for name, value in self._settings.items()]
        (self.data / "stratoplane.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _lock_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _recorded_process(self) -> int | None:
        lines = self._lock_file_lines()
        return int(lines[0]) if lines and lines[0].isdigit() else None


def _environment() -> dict[str, str]:
    """Return the environment without variables that PostgreSQL would read as settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}
