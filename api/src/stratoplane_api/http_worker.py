# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the API: uvicorn's protocol, with a deadline and bounds for the head of every request."""

import asyncio
import logging
import select
import socket
import sys
import time
from asyncio import TimerHandle, Transport
from collections.abc import Sequence
from typing import Any, ClassVar, Final, cast

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # ships no annotations
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]  # ships no annotations

from stratoplane.errors import StratoplaneError
from stratoplane_api import problems
from stratoplane_api.asgi import WholeRequests
from stratoplane_api.deadlines import HEAD_SECONDS, IDLE_SHARE, UNREAD_SECONDS, room_for
from stratoplane_api.draining import Draining
from stratoplane_api.endpoints import LARGEST_BODY
from stratoplane_api.request_errors import (
    BodyTooLargeError,
    HeadTooLargeError,
    LateRequestError,
    MalformedRequestError,
    UriTooLongError,
)

MOST_CONNECTIONS: Final = 8192
"""Connections that a process keeps at once, if it may open so many files; those beyond are closed at once."""
_LOOK_SECONDS: Final = 0.05
LARGEST_TARGET: Final = 8 * 1024
"""Bytes of path and query."""
LARGEST_HEAD: Final = 32 * 1024
"""Bytes of request line and headers."""
LARGEST_CHUNKED: Final = 2 * LARGEST_BODY
"""Bytes of a chunked body with all that frames it."""


class Connection(HttpToolsProtocol):
    """One connection of a client.

    One request is served at a time. What comes behind it before its answer (pipelining, RFC 9112, section 9.3.2) is not
    read: the connection is closed after the answer, and the client sends the rest again over another.
    """

    most: ClassVar[int] = MOST_CONNECTIONS
    _deadline: TimerHandle | None = None
    _bytes = 0
    """Of the present head, or of the present chunked body."""
    _in_head = True
    _is_chunked = False
    _ignores = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within the bounds; nothing more after a refusal, or behind a request that is being served."""
        if self._ignores or self.transport.is_closing():
            return
        if self._is_served():
            self._ignore_rest()
            return
        if self._in_head or self._is_chunked:
            self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self._ignores:
            return
        self._bound()
        if self._in_head and self._deadline is None and not self._is_served():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._is_late)

    def on_message_begin(self) -> None:
        """Begin a request, unless another is being served."""
        if self._is_served():
            self._ignore_rest()
        if not self._ignores:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of path and query."""
        if not self._ignores:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body is refused, it would come too late to be looked at."""
        if self._ignores:
            return
        if self._in_head:
            super().on_header(name, value)
        else:
            self._refuse(MalformedRequestError("headers behind the body (trailers) are not taken"))

    def on_headers_complete(self) -> None:
        """Let the request be served, unless its head is refused."""
        if self._ignores:
            return
        self._forget_deadline()
        refusal = self._refusal_of_head()
        if refusal is not None:
            self._refuse(refusal)
            return
        self._in_head, self._bytes = False, 0
        super().on_headers_complete()
        if self._departs():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._ignores:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the head of the next request, once this one is answered."""
        if self._ignores:
            return
        self._in_head, self._is_chunked, self._bytes = True, False, 0
        super().on_message_complete()

    def close_after_answer(self) -> None:
        """Let the answer to the present request, or to the next, be the last."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn declares
        if cycle is not None:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close the connection, unless a request is being served or its head has begun to come."""
        if self._in_head and self._bytes and not self._is_served():
            return
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, and close the connection; behind a request that is served, only stop reading."""
        if self._is_served():
            self._ignore_rest()
        elif not self._ignores and not self.transport.is_closing():
            self._refuse(MalformedRequestError(f"this is not a valid HTTP request: {msg}"))

    def _unsupported_upgrade_warning(self) -> None:
        # uvicorn reads no further: the request is answered as it is (RFC 9110, section 7.8), and the connection ends.
        self._ignore_rest()

    def _departs(self) -> bool:
        return cast("WholeRequests", self.app).draining.begun

    def _is_served(self) -> bool:
        """Whether a whole request waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _ignore_rest(self) -> None:
        self._ignores = True
        self.cycle.keep_alive = False

    def _refusal_of_head(self) -> StratoplaneError | None:
        head = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) > LARGEST_TARGET or head > LARGEST_HEAD:
            return _refusal_of(len(self.url), head)
        version = self.parser.get_http_version()
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        if version == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            return MalformedRequestError("a request of HTTP/1.1 has one Host header")
        if codings and (version != "1.1" or [coding.lower() for coding in codings] != [b"chunked"]):
            return MalformedRequestError("the only transfer coding that is taken is chunked, in HTTP/1.1")
        self._is_chunked = bool(codings)
        return None

    def _bound(self) -> None:
        if self._in_head and self._bytes > LARGEST_HEAD:
            # An endless path is told from endless headers, once the parser has begun to give it.
            self._refuse(_refusal_of(len(getattr(self, "url", b"")), self._bytes))
        elif self._is_chunked and self._bytes > LARGEST_CHUNKED:
            self._refuse(BodyTooLargeError(f"the limit of any body is {LARGEST_BODY} bytes"))

    def _is_late(self) -> None:
        self._deadline = None
        if self._bytes:
            self._refuse(LateRequestError(f"the headers did not arrive within {HEAD_SECONDS:.0f} s"))
        else:
            self.transport.close()

    def _refuse(self, error: StratoplaneError) -> None:
        """Answer in the server's own name, read nothing more, and close the connection."""
        self._ignores = True
        self.transport.write(problems.bare_answer(error))
        self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal_of(target: int, head: int) -> StratoplaneError:
    """Return what is said of a head of so many bytes that is too large: of its path, if that is."""
    if target > LARGEST_TARGET:
        return UriTooLongError(f"path and query are {target} bytes long; the limit is {LARGEST_TARGET}")
    return HeadTooLargeError(f"the headers are {head} bytes long; the limit is {LARGEST_HEAD}")


class DrainingServer(Server):
    """uvicorn's server, which tells its clients to close before it closes their connections."""

    def __init__(self, config: Config, draining: Draining, idle_seconds: float) -> None:
        super().__init__(config)
        self._draining: Final = draining
        self._idle_seconds: Final = idle_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is held at once, take no more connections, let clients close those there are, then stop."""
        self._draining.begin()
        # At once: the first of those that were woken may answer before anything else is done here.
        for connection in cast("set[Connection]", self.server_state.connections):
            connection.close_after_answer()
        until = time.monotonic() + self._idle_seconds
        await self._stop_listening(sockets or [], until)
        while self.server_state.connections and time.monotonic() < until:  # noqa: ASYNC110  # nobody tells of the last
            await asyncio.sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: Sequence[socket.socket], until: float) -> None:
        """Close the listening sockets once nothing waits in them: the system resets what does."""
        waiting = select.poll()
        for each in sockets:
            waiting.register(each.fileno(), select.POLLIN)
        while waiting.poll(0) and time.monotonic() < until:  # noqa: ASYNC110  # the system tells no other way
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for each in sockets:
            each.close()


class HttpWorker(UvicornWorker):  # type: ignore[misc]  # as above: mypy sees Any
    """One process of the API; given to gunicorn as its worker class."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "http": Connection,
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "server_header": False,
        "date_header": True,
        # The address of the connection is what is counted; a header would let everybody choose another.
        "proxy_headers": False,
        "access_log": False,
    }

    def init_process(self) -> None:
        """Let the process open as many files as it may, and serve."""
        Connection.most = room_for(MOST_CONNECTIONS)
        # Below the parent's patience: what is still served is cut off by us, in order.
        self.config.timeout_graceful_shutdown = max(1, int((1 - IDLE_SHARE) * self.cfg.graceful_timeout) - 1)
        # What clients send wrong is answered, and nothing for an operator to read.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        super().init_process()

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = DrainingServer(self.config, self.wsgi.draining, IDLE_SHARE * self.cfg.graceful_timeout)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
