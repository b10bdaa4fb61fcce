# SPDX-License-Identifier: Apache-2.0
"""Places for requests that are held, so that they do not starve the others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
