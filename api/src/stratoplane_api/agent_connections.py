# SPDX-License-Identifier: Apache-2.0
"""Connections of agents: deadlines for what they send, and a bound for each address.

A greenlet that waits for bytes costs little, but it is held for as long as the other side likes, and there are only so
many. Requests that are worked on, held polls among them, read nothing: no deadline runs for them.
"""

import socket
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Protocol

from stratoplane_api.deadlines import BODY_SECONDS, HEAD_SECONDS, UNREAD_SECONDS

SLOWEST: Final = 64 * 1024
"""Bytes of a body for which a connection gets a second more: reports of thousands of machines come by slow lines."""


class Request(Protocol):
    """What of gunicorn's request is used here."""

    def force_close(self) -> None:
        """Let the connection end with the answer."""


class HeldConnection(Protocol):
    """What of a connection counts for its address."""

    is_reading: bool
    """Whether it waits for bytes at present."""
    waits_since: float
    """When it began to wait for the request that it has or will have, in seconds."""

    def cut(self) -> None:
        """End it."""


class AgentConnection:
    """A socket whose bytes must come in time; for everything else it is the socket.

    It ends as if the other side had closed it, except in the middle of a body: the application is told then.
    """

    def __init__(
        self,
        connected: socket.socket,
        late_head: Callable[[], bytes],
        late_body: Callable[[], Exception],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to wait for the first request.

        Args:
            connected: the connection.
            late_head: returns what is sent to who began a head and did not end it.
            late_body: returns what is raised where a body is read that does not come.
            clock: measures seconds.
        """
        self._socket: Final = connected
        self._late_head: Final = late_head
        self._late_body: Final = late_body
        self._clock: Final = clock
        self._request: Request | None = None
        self._has_begun = False
        self._is_over = self._is_cut = False
        self.is_reading = False
        self.waits_since = self._clock()
        self._deadline = self.waits_since + HEAD_SECONDS
        if connected.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def serve(self, request: Request) -> None:
        """Wait for the body of a request whose head has come."""
        self._request, self._deadline = request, self._clock() + BODY_SECONDS

    def expect_next(self, seconds: float) -> None:
        """Wait for another request, which must begin within ``seconds``."""
        self._request, self._has_begun = None, False
        self.waits_since = self._clock()
        self._deadline = self.waits_since + seconds

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what comes in time, ``b""`` when nothing does. Raises LateRequestError in the middle of a body."""
        if flags:
            return self._socket.recv(size, flags)
        if self._is_over:
            return b""
        remaining = self._deadline - self._clock()
        data = self._receive(size, remaining) if remaining > 0 else None
        if data is None or self._is_cut:
            return self._end()
        self._heard(len(data))
        return data

    def cut(self) -> None:
        """End the connection while it waits for bytes: its address needs the place."""
        self._is_cut = True
        try:
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            return

    def _receive(self, size: int, seconds: float) -> bytes | None:
        self.is_reading = True
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(size)
        except TimeoutError:
            return None
        finally:
            self.is_reading = False
            self._socket.settimeout(None)

    def _heard(self, count: int) -> None:
        if self._request is not None:
            self._deadline += count / SLOWEST
        elif not self._has_begun:
            self._has_begun = True
            self._deadline = self._clock() + HEAD_SECONDS

    def _end(self) -> bytes:
        self._is_over = True
        if self._request is not None:
            self._request.force_close()
            raise self._late_body()
        if self._has_begun and not self._is_cut:
            self._socket.sendall(self._late_head())
        return b""


class ConnectionsByAddress:
    """Every connection by its address. Where one has as many as it may, the one that has waited longest is cut."""

    def __init__(self, most: int) -> None:
        """Let every address have ``most`` connections, any number if it is 0."""
        self._most: Final = most
        self._connections: Final[defaultdict[str, set[HeldConnection]]] = defaultdict(set)

    def admit(self, address: str, connection: HeldConnection) -> bool:
        """Take in a connection; tell whether there is a place for it. Only requests that are worked on keep theirs."""
        others = self._connections[address]
        if self._most and len(others) >= self._most:
            waiting = [each for each in others if each.is_reading]
            if not waiting:
                return False
            longest = min(waiting, key=lambda each: each.waits_since)
            others.discard(longest)
            longest.cut()
        others.add(connection)
        return True

    def forget(self, address: str, connection: HeldConnection) -> None:
        """Give back the place of a connection that has ended."""
        others = self._connections[address]
        others.discard(connection)
        if not others:
            del self._connections[address]
