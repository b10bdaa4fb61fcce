# SPDX-License-Identifier: Apache-2.0
"""A receiver on loopback, a notification, and plugins that are made with settings."""

import base64
import contextlib
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stratoplane.hookspecs import Notification
from stratoplane.settings import Secret
from stratoplane_webhook.webhook import WebhookPlugin, WebhookSettings

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass(kw_only=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Receiver:
    """What the receiver answers with, and what it was sent."""

    url: str = ""
    port: int = 0
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bytes = b""
    stop: threading.Event = field(default_factory=threading.Event)
    pause_seconds: float = 0.0
    received: list[Received] = field(default_factory=list)


def handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(path=self.path, headers=headers, body=body))
            with contextlib.suppress(ConnectionError):
                self._answer()

        def _answer(self) -> None:
            if receiver.pause_seconds and not receiver.body and not receiver.endless:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self._go_on(b"x")
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.body)
            if receiver.endless:
                self._go_on(receiver.endless)

        def _go_on(self, part: bytes) -> None:
            while not receiver.stop.wait(receiver.pause_seconds):
                self.wfile.write(part)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Handler


@contextlib.contextmanager
def served(receiver: Receiver, *, tls=None) -> Iterator[Receiver]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(receiver))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    receiver.url = f"http://127.0.0.1:{receiver.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with served(Receiver()) as running:
        yield running


@pytest.fixture
def tls_receiver() -> Iterator[Callable[[ssl.SSLContext], Receiver]]:
    """Return a maker of receivers that speak TLS."""
    with contextlib.ExitStack() as running:
        yield lambda context: running.enter_context(served(Receiver(), tls=context))


@pytest.fixture
def notification() -> Notification:
    return Notification(
        id=uuid.UUID(int=7),
        event="opened",
        occurred_at="2026-11-23T10:00:00Z",
        incident_id=uuid.UUID(int=8),
        kind="agent-lost",
        severity="WARNING",
        status="OPEN",
        title="cluster rack-1 is silent \N{EM DASH} since 10:00",
        cluster_id=uuid.UUID(int=9),
        detail={"seconds": 180},
    )


@pytest.fixture
def plugin() -> Callable[..., WebhookPlugin]:
    """Return a maker of plugins that may reach loopback by http, unless it is told otherwise."""

    def make(*urls: str, resolver=None, **chosen) -> WebhookPlugin:
        values = {"secret": Secret(SECRET), "allow_http": True, "allowed_networks": ("127.0.0.0/8",), **chosen}
        settings = WebhookSettings(urls=urls, **values)
        return WebhookPlugin(settings, resolver=resolver) if resolver else WebhookPlugin(settings)

    return make
