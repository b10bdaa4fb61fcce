# SPDX-License-Identifier: Apache-2.0
"""Agents' polls while they are held: a bounded number for each agent, of which the newest counts."""

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from stratoplane.errors import RateLimitedError
from stratoplane_api.waiter_registry import WaiterRegistry
from stratoplane_engine.model.cluster import wake_name


class Poll:
    """One request that is held."""

    def __init__(self, connection: socket.socket | None) -> None:
        """Hold a request that came by ``connection``, None where the server does not tell."""
        self.superseded = False
        self._connection: Final = connection

    def is_given_up(self) -> bool:
        """Tell whether nobody waits for the answer: what were offered in it would be lost for its whole time."""
        return self.superseded or (self._connection is not None and _is_closed(self._connection))


class Polls:
    """Every agent's polls."""

    def __init__(self, most: int, waiters: WaiterRegistry) -> None:
        """Let every agent hold ``most`` polls at a time; ``waiters`` ends those that a newer one replaces."""
        self._most: Final = most
        self._waiters: Final = waiters
        self._lock: Final = threading.Lock()
        self._held: Final[defaultdict[UUID, set[Poll]]] = defaultdict(set)

    @contextmanager
    def hold(self, agent_id: UUID, connection: socket.socket | None = None) -> Iterator[Poll]:
        """Hold one more poll of an agent until the end; its older ones are answered with nothing.

        Raises:
            RateLimitedError: it holds as many as it may; it waits for one of them to be answered.
        """
        poll = Poll(connection)
        with self._lock:
            older = self._held[agent_id]
            if len(older) >= self._most:
                raise RateLimitedError(f"more than {self._most} polls at a time; wait for an answer", retry_after=1.0)
            for each in older:
                each.superseded = True
            others = bool(older)
            older.add(poll)
        try:
            if others:
                self._waiters.wake(wake_name(agent_id))
            yield poll
        finally:
            with self._lock:
                self._held[agent_id].discard(poll)
                if not self._held[agent_id]:
                    del self._held[agent_id]


def _is_closed(connection: socket.socket) -> bool:
    """Tell whether the other side closed: then there is something to read, and it is nothing."""
    patience = connection.gettimeout()
    try:
        connection.settimeout(0.0)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)
