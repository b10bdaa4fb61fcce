# SPDX-License-Identifier: Apache-2.0
"""Two tiny clients, so that these tests need nothing but what the distribution itself declares."""

import shutil
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from stratoplane_embedded.postgresql import WITHOUT_DURABILITY, PostgresqlServer
from stratoplane_embedded.valkey import ValkeyServer

pytest_plugins = ["pytester"]
Query = Callable[[str, str], list[tuple[str, ...]]]


@pytest.fixture
def query() -> Query:
    return _query


@pytest.fixture
def command() -> Callable[[str, str], str]:
    return _command


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder that every account can pass through and whose sockets fit, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def first_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of a server that was started and stopped once, to be copied: making them takes most of a test's time."""
    server = PostgresqlServer(tmp_path_factory.mktemp("first") / "postgresql", settings=WITHOUT_DURABILITY)
    server.start()
    server.stop()
    return server.data


@pytest.fixture
def new_postgresql(tmp_path: Path) -> Iterator[PostgresqlServer]:
    """A server in a folder that does not exist yet."""
    server = PostgresqlServer(tmp_path / "postgresql", settings=WITHOUT_DURABILITY)
    yield server
    server.stop()


@pytest.fixture
def postgresql(new_postgresql: PostgresqlServer, first_data: Path) -> PostgresqlServer:
    """A server that was started before."""
    shutil.copytree(first_data, new_postgresql.data)
    return new_postgresql


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "valkey")
    yield server
    server.stop()


def _query(url: str, sql: str) -> list[tuple[str, ...]]:
    """Run ``sql`` by PostgreSQL's simple query protocol and return the rows as text."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query)["host"][0]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(f"{folder}/.s.PGSQL.5432")
        stream = connection.makefile("rwb")
        words = ["user", unquote(parts.username or ""), "database", unquote(parts.path.lstrip("/")), ""]
        body = struct.pack("!i", 3 << 16) + b"\0".join(word.encode() for word in words) + b"\0"
        stream.write(struct.pack("!i", len(body) + 4) + body)
        stream.flush()
        _until_ready(stream)
        text = sql.encode() + b"\0"
        stream.write(b"Q" + struct.pack("!i", len(text) + 4) + text)
        stream.flush()
        rows = [_row(body) for kind, body in _until_ready(stream) if kind == b"D"]
        stream.close()
    return rows


def _until_ready(stream) -> list[tuple[bytes, bytes]]:
    messages: list[tuple[bytes, bytes]] = []
    while not messages or messages[-1][0] != b"Z":
        kind = stream.read(1)
        assert kind, "the server closed the connection"
        body = stream.read(struct.unpack("!i", stream.read(4))[0] - 4)
        assert kind != b"E", body.replace(b"\0", b" ").decode()
        messages.append((kind, body))
    return messages


def _row(body: bytes) -> tuple[str, ...]:
    values, position = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        size = struct.unpack("!i", body[position : position + 4])[0]
        values.append(body[position + 4 : position + 4 + max(size, 0)].decode())
        position += 4 + max(size, 0)
    return tuple(values)


def _command(url: str, text: str) -> str:
    """Send one inline command to Valkey and return the first line of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(urlsplit(url).path)
        stream = connection.makefile("rwb")
        stream.write(text.encode() + b"\r\n")
        stream.flush()
        first = stream.readline().decode().strip()
        if first.startswith("$") and first != "$-1":
            first = stream.readline().decode().strip()
        stream.close()
    return first
