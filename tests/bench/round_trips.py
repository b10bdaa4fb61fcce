# SPDX-License-Identifier: Apache-2.0
"""How often a request waits for PostgreSQL and for Valkey, counted on the wire, and what it costs in processor time."""

import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

import psutil

from tests.bench.http_client import Access, Session
from tests.bench.installation import Installation
from tests.bench.report import Figure

REQUESTS: Final = 200
WARM_UP: Final = 60
_CHUNK: Final = 1 << 16


class Line:
    """Stands between a program and a server's unix socket, and counts how often the program waits for an answer.

    One round trip is everything that is sent until the server answers, in however many messages.

    Args:
        path: where the program connects; ``upstream`` is the server's socket.
    """

    def __init__(self, path: Path, upstream: Path) -> None:
        self.round_trips = 0
        self._upstream: Final = upstream
        self._listener: Final = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as ready:
            server.connect(str(self._upstream))
            others = {caller: server, server: caller}
            for each in others:
                ready.register(each, selectors.EVENT_READ)
            asks = False
            while True:
                for key, _ in ready.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    if source is caller and not asks:
                        self.round_trips += 1
                    asks = source is caller
                    others[source].sendall(data)


def round_trips(installation: Installation) -> list[Figure]:
    """Round trips and processor time of a request, at an API process of the benchmark's own."""
    report, folder = installation.supervisor(), installation.state.parent
    database, valkey = urlsplit(report["database_url"]), urlsplit(report["redis_url"])
    host = Path(parse_qs(database.query)["host"][0])
    with ExitStack() as stack:
        to_postgresql = stack.enter_context(Line(folder / ".s.PGSQL.5432", host / ".s.PGSQL.5432"))
        to_valkey = stack.enter_context(Line(folder / "valkey.sock", Path(valkey.path)))
        urls = {
            "STRATOPLANE_DATABASE_URL": report["database_url"].replace(str(host), str(folder)),
            "STRATOPLANE_REDIS_URL": report["redis_url"].replace(valkey.path, str(folder / "valkey.sock")),
        }
        access, process = stack.enter_context(_Api(installation, urls))
        session = Session(access)
        return [
            figure
            for name, send in _requests(installation, session)
            for figure in _measure(name, send, to_postgresql, to_valkey, process)
        ]


def _requests(installation: Installation, session: Session) -> list[tuple[str, Callable[[int], object]]]:
    machines = f"{installation.path}/virtual-machines"
    network = f"{installation.path}/networks/{installation.network}"
    return [
        ("show one", lambda _: session.must("GET", network)),
        ("list of 10", lambda _: session.must("GET", f"{machines}?limit=10")),
        ("create", lambda number: session.must("POST", machines, installation.machine(f"trip-{number}"), key=True)),
    ]


def _measure(
    name: str, send: Callable[[int], object], to_postgresql: Line, to_valkey: Line, process: psutil.Process
) -> list[Figure]:
    for number in range(WARM_UP):
        send(-number - 1 if name != "create" else 10_000 + number)
    before = (to_postgresql.round_trips, to_valkey.round_trips, _seconds(process))
    for number in range(REQUESTS):
        send(number)
    after = (to_postgresql.round_trips, to_valkey.round_trips, _seconds(process))
    postgresql, valkey, seconds = ((late - early) / REQUESTS for early, late in zip(before, after, strict=True))
    return [
        Figure(name=f"{name}: round trips to PostgreSQL", value=postgresql, unit="each"),
        Figure(name=f"{name}: round trips to Valkey", value=valkey, unit="each"),
        Figure(name=f"{name}: processor time of the API", value=seconds * 1000, unit="ms"),
    ]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


class _Api:
    """One API process with one worker, whose servers are at ``urls``."""

    def __init__(self, installation: Installation, urls: dict[str, str]) -> None:
        self._installation: Final = installation
        self._environment: Final = os.environ | urls | {"STRATOPLANE_API_RATE_REQUESTS": "10000000"}
        self._url: Final = "http://127.0.0.1:8798"

    def __enter__(self) -> tuple[Access, psutil.Process]:
        options = ["--bind=127.0.0.1:8798", "--workers=1", "--worker-class=stratoplane_api.http_worker.HttpWorker"]
        command = [sys.executable, "-m", "gunicorn", *options, "--no-control-socket", "--log-level=error"]
        self._server = subprocess.Popen(
            [*command, "stratoplane_api.asgi:create_application(threads=4)"], env=self._environment, stdout=sys.stderr
        )
        access = Access(url=self._url, token=self._installation.access.token)
        self._installation.wait_until(lambda: self._answers(access), "the API answers", seconds=30)
        (worker,) = psutil.Process(self._server.pid).children()
        return access, worker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.terminate()
        self._server.wait()

    def _answers(self, access: Access) -> bool:
        try:
            return Session(access).call("GET", "/api/common/v1/version")[0] == 200
        except OSError:
            return False
