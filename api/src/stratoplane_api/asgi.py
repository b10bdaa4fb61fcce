# SPDX-License-Identifier: Apache-2.0
"""What an ASGI server calls: each request is read whole, in time and within bounds, before a thread works on it.

A thread that waits for bytes of its client is a thread that serves nobody, so clients that send nothing, or one byte a
second, would stop the service with as many connections as there are threads. Here they cost a connection each.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication, WSGIEnvironment

from stratoplane.errors import StratoplaneError, UnavailableError
from stratoplane_api.admission import REFUSAL
from stratoplane_api.deadlines import BODY_SECONDS
from stratoplane_api.draining import Draining, draining_of
from stratoplane_api.endpoints import LARGEST_BODY, MOST_SWALLOWED
from stratoplane_api.request_errors import LateRequestError
from stratoplane_api.wsgi import create_application as create_wsgi_application

MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes of bodies that a process holds at once; larger bodies beyond are told to come again."""
_SMALL: Final = 64 * 1024
"""Bytes of a body that always finds room: others' large bodies keep nobody from logging in."""

# As ASGI has them: what stands in one depends on its ``type``.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    """What was read: up to :data:`LARGEST_BODY` bytes, how many came, and why the request cannot be served.

    When it is not complete, more of it may come, and the connection cannot be used for another request.
    """

    content: bytes = b""
    length: int = 0
    complete: bool = True
    refusal: StratoplaneError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class WholeRequests:
    """An ASGI application that serves a WSGI application by threads.

    Args:
        application: gets requests whose body has been read; what refuses one stands in its environment.
        threads: how many requests are worked on at once.
        draining: how the application learns that the process is about to stop.
        body_seconds: within which a body must have come.
        most_held: bytes of bodies that are held at once.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        draining: Draining,
        body_seconds: float = BODY_SECONDS,
        most_held: int = MOST_HELD,
    ) -> None:
        self._application: Final = application
        self.draining: Final = draining
        # It starts no thread before the first request: gunicorn forks after this object was made.
        self._threads: Final = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._body_seconds: Final = body_seconds
        self._most_held: Final = most_held
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await self._read(receive) if _has_body(scope) else _Body()
        if body is None:
            return
        self._held += len(body.content)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, scope, body)
        finally:
            self._held -= len(body.content)
        headers = answer.headers if body.complete else [*answer.headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _read(self, receive: Receive) -> _Body | None:
        """Return the body, None when the client went away."""
        pieces = _Pieces()
        try:
            async with asyncio.timeout(self._body_seconds):
                while not pieces.complete and pieces.length < MOST_SWALLOWED:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    self._held += pieces.add(message)
                    if self._held > self._most_held and pieces.length > _SMALL:
                        refusal = UnavailableError("too many bodies arrive at once; try again shortly")
                        return _Body(complete=False, refusal=refusal)
        except TimeoutError:
            refused = LateRequestError(f"the body did not arrive within {self._body_seconds:.0f} s")
            return _Body(complete=False, refusal=refused)
        finally:
            self._held -= len(pieces.content)
        return _Body(content=bytes(pieces.content), length=pieces.length, complete=pieces.complete)

    def _answer(self, scope: Scope, body: _Body) -> _Answer:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: object = None, /
        ) -> Callable[[bytes], object]:
            begun[:] = [(status, headers)]
            return written.append

        content = self._application(environment(scope, body), start_response)
        try:
            whole = b"".join(chain(written, content))
        finally:
            close = getattr(content, "close", None)
            if close is not None:
                close()
        status, headers = begun[0]
        return _Answer(status=int(status[:3]), headers=[_encoded(*header) for header in headers], content=whole)


class _Pieces:
    """A body as it comes; what is more than any operation takes is counted and not kept."""

    def __init__(self) -> None:
        self.content: Final = bytearray()
        self.length = 0
        self.complete = False

    def add(self, message: Mapping[str, Any]) -> int:
        """Take the next piece and return how many of its bytes are kept."""
        piece: bytes = message.get("body", b"")
        kept = piece[: max(0, LARGEST_BODY - self.length)]
        self.content.extend(kept)
        self.length += len(piece)
        self.complete = not message.get("more_body", False)
        return len(kept)


def create_application(threads: int, body_seconds: float = BODY_SECONDS) -> WholeRequests:
    """Return the application of the public namespaces. Raises as :func:`stratoplane_api.wsgi.create_application`."""
    application = create_wsgi_application()
    draining = draining_of(application)
    return WholeRequests(application, threads=threads, draining=draining, body_seconds=body_seconds)


def environment(scope: Scope, body: _Body) -> WSGIEnvironment:
    """Return the environment of PEP 3333 for a request in the form of ASGI 3.

    A header whose name holds ``_`` is left out: it would pass for the one with ``-``. So is ``Transfer-Encoding``: what
    the application reads is the content itself.
    """
    host, port = scope.get("server") or ("localhost", 80)
    found: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body.content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        REFUSAL: body.refusal,
    }
    for name, value in scope["headers"]:
        key = _variable(name)
        if key is not None:
            found[key] = f"{found[key]},{value.decode('latin-1')}" if key in found else value.decode("latin-1")
    found["CONTENT_LENGTH"] = str(body.length)
    return found


def _variable(name: bytes) -> str | None:
    if b"_" in name or name == b"transfer-encoding":
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
