# SPDX-License-Identifier: Apache-2.0
"""One change at a time for each object: steps of two calls for one object must not interleave."""

import contextlib
import threading
from collections.abc import Iterator
from uuid import UUID


class ObjectLocks:
    """A lock for each object that is being changed, created and dropped on demand."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[UUID, threading.Lock] = {}
        self._wanted: dict[UUID, int] = {}

    @contextlib.contextmanager
    def hold(self, uid: UUID) -> Iterator[None]:
        """Wait until no other thread holds the lock of the object ``uid``, and hold it."""
        with self._guard:
            lock = self._locks.setdefault(uid, threading.Lock())
            self._wanted[uid] = self._wanted.get(uid, 0) + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._wanted[uid] -= 1
                if not self._wanted[uid]:
                    del self._wanted[uid], self._locks[uid]
