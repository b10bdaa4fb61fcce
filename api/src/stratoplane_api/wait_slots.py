# SPDX-License-Identifier: Apache-2.0
"""Holding a request until something is as the caller wants it, without starving the other requests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from stratoplane_api.waiter_registry import WaiterRegistry

Seen = TypeVar("Seen")

LOOK_AGAIN: Final = 5.0
"""Seconds after which a held request looks by itself, in case a wake-up was lost."""


class WaitSlots:
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


def hold(
    waiters: WaiterRegistry, name: str, seconds: float, look: Callable[[], Seen], satisfied: Callable[[Seen], bool]
) -> Seen:
    """Return what ``look`` sees once ``satisfied`` says so, or as it is when the time has passed.

    Args:
        waiters: wakes by ``name`` when it is time to look again.
        name: what is waited for.
        seconds: longest time to hold the request.
        look: reads the present state; nothing is held while waiting.
        satisfied: tells whether that is what the caller waits for.
    """
    deadline = time.monotonic() + seconds
    with waiters.expect(name) as event:
        while True:
            event.clear()
            seen = look()
            remaining = deadline - time.monotonic()
            if remaining <= 0 or satisfied(seen):
                return seen
            event.wait(min(remaining, LOOK_AGAIN))
