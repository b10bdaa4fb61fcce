# SPDX-License-Identifier: Apache-2.0
"""Delayed and repeated calls on one thread; each must be short, long work belongs on a bulkhead."""

import heapq
import itertools
from collections.abc import Callable
from typing import Final

from stratoplane_agent.host import HOST, Host
from stratoplane_agent.log import Log

_log: Final = Log("timer")


class Timer:
    """One daemon thread that makes calls when they are due."""

    def __init__(self, host: Host = HOST) -> None:
        self._host: Final = host
        self._entries: Final[list[tuple[float, int, Callable[[], None]]]] = []
        self._order: Final = itertools.count()
        self._changed: Final = host.condition()
        self._stopped = False
        self._thread: Final = host.thread("timer", self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Make no further call."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call in ``seconds``. What it raises is logged as a bug."""
        with self._changed:
            heapq.heappush(self._entries, (self._host.monotonic() + seconds, next(self._order), call))
            if self._entries[0][2] is call:
                self._changed.notify()

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call every ``seconds``, the first after ``seconds``."""

        def repeat() -> None:
            try:
                call()
            finally:
                self.after(seconds, repeat)

        self.after(seconds, repeat)

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception as error:  # noqa: BLE001  # top of this thread; the other calls continue
                _log.bug("call_failed", error)

    def _next(self) -> Callable[[], None] | None:
        """Wait until the next call is due and return it, None after :meth:`stop`."""
        with self._changed:
            while not self._stopped:
                left = self._entries[0][0] - self._host.monotonic() if self._entries else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._entries)[2]
                self._changed.wait(left)
        return None
