# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the API: uvicorn's protocol, with a deadline and a bound for the head of every request."""

import resource
from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]  # ships no annotations

from stratoplane.errors import StratoplaneError
from stratoplane_api import problems
from stratoplane_api.errors import row_of
from stratoplane_api.request_errors import (
    HeadTooLargeError,
    LateRequestError,
    MalformedRequestError,
    UriTooLongError,
)
from stratoplane_api.tracing import REQUEST_ID_HEADER, read_trace

HEAD_SECONDS: Final = 10.0
"""Within how many seconds a connection must have sent the head of a request that it began."""
MOST_CONNECTIONS: Final = 8192
"""Connections that a process keeps at once, if it may open so many files; those beyond are closed at once."""
_OTHER_FILES: Final = 256
"""Files that a process needs beside its connections."""
LARGEST_TARGET: Final = 8 * 1024
"""Bytes of path and query."""
LARGEST_HEAD: Final = 32 * 1024
"""Bytes of request line and headers."""


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    most: ClassVar = MOST_CONNECTIONS
    _deadline: TimerHandle | None = None
    _head_bytes = 0
    _reads_head = True

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has grown too large."""
        if self._reads_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._reads_head and self._head_bytes and not self.transport.is_closing():
            if self._deadline is None:
                self._deadline = self.loop.call_later(HEAD_SECONDS, self._is_late)
            self._bound_head()

    def on_headers_complete(self) -> None:
        """Let the request be served, unless its head is too large."""
        self._forget_deadline()
        head = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._refuses(len(self.url), head):
            return
        self._reads_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        self._reads_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, and close the connection."""
        if not self.transport.is_closing():
            self._refuse(MalformedRequestError(f"this is not a valid HTTP request: {msg}"))

    def _bound_head(self) -> None:
        # Before the parser gives the target it may be anything; a head that is within the bound can wait.
        if self._head_bytes > LARGEST_HEAD:
            self._refuses(len(getattr(self, "url", b"")), self._head_bytes)

    def _refuses(self, target: int, head: int) -> bool:
        if target > LARGEST_TARGET:
            self._refuse(UriTooLongError(f"path and query are {target} bytes long; the limit is {LARGEST_TARGET}"))
        elif head > LARGEST_HEAD:
            self._refuse(HeadTooLargeError(f"the headers are {head} bytes long; the limit is {LARGEST_HEAD}"))
        return target > LARGEST_TARGET or head > LARGEST_HEAD

    def _is_late(self) -> None:
        self._deadline = None
        if self._head_bytes:
            self._refuse(LateRequestError(f"the headers did not arrive within {HEAD_SECONDS:.0f} s"))
        else:
            self.transport.close()

    def _refuse(self, error: StratoplaneError) -> None:
        """Answer in the server's own name, and close the connection."""
        trace, status = read_trace({}), HTTPStatus(row_of(error).status)
        content = problems.encoded(error, trace)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {problems.MEDIA_TYPE}\r\n"
            f"Content-Length: {len(content)}\r\n{REQUEST_ID_HEADER}: {trace.request_id}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + content)
        self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


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
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard != resource.RLIM_INFINITY:
            Connection.most = max(1, min(MOST_CONNECTIONS, hard - _OTHER_FILES))
        super().init_process()
