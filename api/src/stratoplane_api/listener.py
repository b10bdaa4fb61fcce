# SPDX-License-Identifier: Apache-2.0
"""One LISTEN connection for a process: turns the database's notifications into wake-ups."""

import threading
from typing import Final

from stratoplane_api.waiter_registry import WaiterRegistry
from stratoplane_engine.db.listen import notifications

_IDLE_SECONDS: Final = 30.0


class Listener:
    """Wakes whoever waits for a notification's payload. It begins with the first request, so after any fork."""

    def __init__(self, database_url: str, channel: str, waiters: WaiterRegistry) -> None:
        """Prepare to listen to ``channel`` and to wake ``waiters``; nothing is connected here."""
        self._database_url = database_url
        self._channel = channel
        self._waiters = waiters
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Begin to listen, if that has not happened yet in this process."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._listen, name=f"listen-{self._channel}", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        for payloads in notifications(self._database_url, [self._channel], idle_seconds=_IDLE_SECONDS):
            if not payloads:
                self._waiters.wake_all()
            for payload in payloads:
                self._waiters.wake(payload)
