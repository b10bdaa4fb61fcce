# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL in recovery: it answers, and only reads, until it is promoted."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_engine.db.migrate import upgrade


class _Standby(PostgresqlServer):
    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        lines = self._lock_file_lines()
        return super().is_ready(process) or lines[7:8] == ["standby "]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standby:
    """A server in recovery with a migrated database."""

    url: str

    def promote(self) -> None:
        """Let it write from now on."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")


@contextmanager
def standby() -> Iterator[Standby]:
    """A server in recovery, without a primary: what is to be written there waits for its promotion."""
    with tempfile.TemporaryDirectory() as folder:
        server = _Standby(Path(folder), settings=WITHOUT_DURABILITY)
        with server:
            upgrade(server.url)
        (server.data / "standby.signal").touch()
        with server:
            yield Standby(url=server.url)
