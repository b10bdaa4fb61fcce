# SPDX-License-Identifier: Apache-2.0
"""Valkey in a folder, reached over a unix socket; every write reaches the disk within a second."""

import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, ClassVar, Final

from stratoplane_embedded import processes
from stratoplane_embedded.binaries import find_valkey
from stratoplane_embedded.identity import Identity
from stratoplane_embedded.server import EmbeddedServer
from stratoplane_embedded.sockets import socket_folder

_SETTINGS: Final[Mapping[str, str]] = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory-policy": "noeviction",
    "auto-aof-rewrite-min-size": "16mb",
    "loglevel": "notice",
}
_PING_SECONDS: Final = 1.0


class ValkeyServer(EmbeddedServer):
    """One Valkey server with its data in ``folder/data``.

    Args:
        folder: the server's own folder; created if it does not exist.
        settings: names and values of ``valkey.conf`` in addition to ours.
    """

    title: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """``unix:///path/of/the/socket?db=0``, for every client library of Redis."""
        return f"unix://{self._socket}?db=0"

    @property
    def _socket(self) -> Path:
        return self._socket_folder() / "valkey.sock"

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Ping the server; it answers LOADING while it reads its file from the disk."""
        return process.poll() is None and _ping(self._socket)

    def _spawn(self, log: IO[bytes] | int, lock: int) -> subprocess.Popen[bytes]:
        program = find_valkey()
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        self._sockets = socket_folder(self.folder, Identity())
        self._socket.unlink(missing_ok=True)
        configuration = self.folder / "valkey.conf"
        configuration.write_text(self._configuration(data, self._socket), encoding="utf-8")
        return processes.spawn(
            [str(program), str(configuration)],
            log=log,
            death_signal=self.stop_signal,
            folder=data,
            keep_descriptors=[lock],
        )

    def _configuration(self, data: Path, address: Path) -> str:
        lines = [f"{name} {value}" for name, value in self._settings.items()]
        paths = {"unixsocket": address, "dir": data, "pidfile": self.folder / "valkey.pid"}
        return "\n".join([*lines, *(f"{name} {_quoted(path)}" for name, path in paths.items()), ""])

    def _recorded_process(self) -> int | None:
        try:
            text = (self.folder / "valkey.pid").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ping(address: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PING_SECONDS)
            connection.connect(str(address))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
