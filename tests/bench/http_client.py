# SPDX-License-Identifier: Apache-2.0
"""A client that costs as little as Python allows, so that the platform is measured and not its caller."""

import http.client
import json
import multiprocessing
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Where the API is, and the token to show."""

    url: str
    token: str


class Session:
    """One kept connection."""

    def __init__(self, access: Access) -> None:
        parts = urlsplit(access.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None, *, key: bool = False) -> tuple[int, Any]:
        """Send one request and return status and document; ``key`` sends a new idempotency key with it."""
        headers = self._headers | ({"Idempotency-Key": str(uuid.uuid4())} if key else {})
        content = json.dumps(body) if body is not None else None
        try:
            answer = self._send(method, path, content, headers)
        except http.client.RemoteDisconnected:
            if method != "GET":
                raise
            # The server closes a connection that was idle for its keep-alive time; what only reads is sent again.
            answer = self._send(method, path, content, headers)
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def _send(self, method: str, path: str, content: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request(method, path, content, headers)
        return self._connection.getresponse()

    def must(self, method: str, path: str, body: object = None, *, key: bool = False) -> Any:
        """Send one request that has to succeed and return its document."""
        status, document = self.call(method, path, body, key=key)
        if status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {status} {document}")
        return document


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a burst of posts came to: seconds in all, seconds of each request, answers that were no success."""

    seconds: float
    latencies: list[float]
    refused: int


def post_all(access: Access, path: str, bodies: Sequence[object], *, clients: int) -> Load:
    """Post every body, by ``clients`` connections at once in a process of their own."""
    return _load_by("POST", access, path, bodies, clients)


def get_all(access: Access, path: str, *, count: int, clients: int) -> Load:
    """Get ``path`` so many times, by ``clients`` connections at once in a process of their own."""
    return _load_by("GET", access, path, [None] * count, clients)


def _load_by(method: str, access: Access, path: str, bodies: Sequence[object], clients: int) -> Load:
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_load, args=(method, access, path, bodies, clients, sender)
    )
    process.start()
    load: Load = receiver.recv()
    process.join()
    return load


def _load(method: str, access: Access, path: str, bodies: Sequence[object], clients: int, sender: Any) -> None:
    latencies: list[float] = []
    refused: list[int] = []
    shares = [bodies[each::clients] for each in range(clients)]
    threads = [
        threading.Thread(target=_send_share, args=(method, access, path, share, latencies, refused)) for share in shares
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.send(Load(seconds=time.perf_counter() - begun, latencies=latencies, refused=len(refused)))


def _send_share(
    method: str, access: Access, path: str, bodies: Sequence[object], latencies: list[float], refused: list[int]
) -> None:
    session = Session(access)
    for body in bodies:
        begun = time.perf_counter()
        status, _ = session.call(method, path, body, key=method == "POST")
        latencies.append(time.perf_counter() - begun)
        if status >= http.client.BAD_REQUEST:
            refused.append(status)
