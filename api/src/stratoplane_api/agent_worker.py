# SPDX-License-Identifier: Apache-2.0
"""How gunicorn serves the agents' API: greenlets, with deadlines for what connections send and a bound per address.

gevent's own server (``gevent_pywsgi``) has no deadline for a body, and one time-out for head and idle connection alike.
"""

import contextlib
import os
import socket
from types import FrameType
from typing import Final

import gevent
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]  # ships no annotations

from stratoplane_api.agent_connections import SLOWEST, AgentConnection, ConnectionsByAddress, Request
from stratoplane_api.deadlines import BODY_SECONDS, HEAD_SECONDS, IDLE_SHARE, room_for
from stratoplane_api.origin import origin


def _late_head() -> bytes:
    from stratoplane_api.problems import bare_answer  # noqa: PLC0415  # after gevent has patched what it imports
    from stratoplane_api.request_errors import LateRequestError  # noqa: PLC0415  # as above

    return bare_answer(LateRequestError(f"the headers did not arrive within {HEAD_SECONDS:.0f} s"))


def _late_body() -> Exception:
    from stratoplane_api.request_errors import LateRequestError  # noqa: PLC0415  # as above

    allowed = f"{BODY_SECONDS:.0f} s and one more for each {SLOWEST // 1024} KiB"
    return LateRequestError(f"the body did not arrive in time, which is {allowed}")


class AgentWorker(GeventWorker):  # type: ignore[misc]  # as above: mypy sees Any
    """One process of the agents' API; given to gunicorn as its worker class."""

    worker_connections: int
    _addresses: ConnectionsByAddress

    def __init__(self, *args: object, **settings: object) -> None:
        """Begin with no connection."""
        super().__init__(*args, **settings)
        self._connections: Final[set[AgentConnection]] = set()
        self._served: Final[dict[AgentConnection, Request]] = {}

    def load_wsgi(self) -> None:
        """Load the application and what settings say of connections."""
        super().load_wsgi()
        from stratoplane.settings import load  # noqa: PLC0415  # as above
        from stratoplane_api.settings import ApiSettings  # noqa: PLC0415  # as above

        self.worker_connections = room_for(self.worker_connections)
        self._addresses = ConnectionsByAddress(load(ApiSettings, {}, os.environ).connections_per_address)

    def timeout_ctx(self) -> contextlib.AbstractContextManager[None]:
        """Leave the time that a request may take to the connection, which knows head, body and pause."""
        return contextlib.nullcontext()

    def handle(self, listener: socket.socket, client: socket.socket, addr: object) -> None:
        """Serve one connection, if its address may have another."""
        address = origin(addr[0] if isinstance(addr, tuple) else None)
        connection = AgentConnection(client, _late_head, _late_body)
        if not self._addresses.admit(address, connection):
            client.close()
            return
        self._connections.add(connection)
        try:
            super().handle(listener, connection, addr)
        finally:
            self._connections.discard(connection)
            self._addresses.forget(address, connection)

    def handle_request(self, listener_name: object, req: Request, sock: AgentConnection, addr: object) -> None:
        """Answer one request, and wait for the next, unless the process is about to stop."""
        sock.serve(req)
        if not self.alive:
            req.force_close()
        self._served[sock] = req
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            del self._served[sock]
        sock.expect_next(self.cfg.keepalive)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order; the rest is done outside of the signal's handler, where locks can be taken."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._drain)

    def _drain(self) -> None:
        from stratoplane_api.draining import draining_of  # noqa: PLC0415  # as above

        draining_of(self.wsgi).begin()
        for request in self._served.values():
            request.force_close()
        gevent.sleep(IDLE_SHARE * self.cfg.graceful_timeout)
        for connection in self._connections - self._served.keys():
            # Its greenlet reads the end and closes; what has arrived before is still served.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
