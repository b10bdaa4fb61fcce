# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for something to happen, woken by name."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from stratoplane_engine.db.listen import Heard


class WaiterRegistry:
    """Waiters by the name of what they wait for. Works for threads, and for greenlets once gevent has patched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, set[threading.Event]] = defaultdict(set)

    @contextmanager
    def expect(self, *names: str) -> Iterator[threading.Event]:
        """Give an event that is set whenever one of ``names`` is woken; look at the state after this, then wait."""
        event = threading.Event()
        with self._lock:
            for name in names:
                self._waiting[name].add(event)
        try:
            yield event
        finally:
            with self._lock:
                for name in names:
                    self._waiting[name].discard(event)
                    if not self._waiting[name]:
                        del self._waiting[name]

    def names(self) -> set[str]:
        """Return what anybody waits for."""
        with self._lock:
            return set(self._waiting)

    def wake(self, name: str) -> None:
        """Wake everybody who waits for ``name``."""
        with self._lock:
            events = tuple(self._waiting.get(name, ()))
        for event in events:
            event.set()

    def hear(self, heard: Heard) -> None:
        """Wake those whom a listener heard of; everybody when it may have missed something."""
        if not heard.payloads:
            self.wake_all()
        for payload in heard.payloads:
            self.wake(payload)

    def wake_all(self) -> None:
        """Wake everybody; for when messages may have been missed."""
        with self._lock:
            events = [event for waiting in self._waiting.values() for event in waiting]
        for event in events:
            event.set()
