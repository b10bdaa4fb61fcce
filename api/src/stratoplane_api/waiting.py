# SPDX-License-Identifier: Apache-2.0
"""Holding a request until something is as the caller wants it, without starving the other requests."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from uuid import UUID

from stratoplane.errors import RateLimitedError
from stratoplane_api.wakeups import Wakeups

Seen = TypeVar("Seen")

LOOK_AGAIN: Final = 5.0
"""Seconds after which a held request looks by itself, in case a wake-up was lost."""


class Places:
    """How many requests may be held at a time; whoever finds no place is answered at once."""

    def __init__(self, most: int) -> None:
        """Let ``most`` requests be held, none for 0."""
        self._free = threading.Semaphore(most)

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Take a place and give it back at the end; tells whether there was one."""
        taken = self._free.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._free.release()


class PollCount:
    """How many polls each caller holds."""

    def __init__(self, most: int) -> None:
        """Let every caller hold ``most`` polls at a time."""
        self._most = most
        self._lock = threading.Lock()
        self._held: Counter[UUID] = Counter()

    @contextmanager
    def hold(self, caller: UUID) -> Iterator[None]:
        """Count one more poll of ``caller`` until the end.

        Raises:
            RateLimitedError: it holds as many as it may; it waits for one of them to be answered.
        """
        with self._lock:
            if self._held[caller] >= self._most:
                raise RateLimitedError(f"more than {self._most} polls at a time; wait for an answer", retry_after=1.0)
            self._held[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[caller] -= 1
                if not self._held[caller]:
                    del self._held[caller]


def hold(
    wakeups: Wakeups, name: str, seconds: float, look: Callable[[], Seen], satisfied: Callable[[Seen], bool]
) -> Seen:
    """Return what ``look`` sees once ``satisfied`` says so, or as it is when the time has passed.

    Args:
        wakeups: wakes by ``name`` when it is time to look again.
        name: what is waited for.
        seconds: longest time to hold the request.
        look: reads the present state; nothing is held while waiting.
        satisfied: tells whether that is what the caller waits for.
    """
    deadline = time.monotonic() + seconds
    with wakeups.expect(name) as event:
        while True:
            event.clear()
            seen = look()
            remaining = deadline - time.monotonic()
            if remaining <= 0 or satisfied(seen):
                return seen
            event.wait(min(remaining, LOOK_AGAIN))
