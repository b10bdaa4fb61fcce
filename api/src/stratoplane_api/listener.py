# SPDX-License-Identifier: Apache-2.0
"""One LISTEN connection for a process: hands on what the database notifies."""

import threading
from collections.abc import Callable
from typing import Final

from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.listen import Heard, notifications
from stratoplane_engine.roles.essential import start_essential

_IDLE_SECONDS: Final = 30.0


class Listener:
    """Tells what is notified on a channel. It begins with the first request, so after any fork."""

    def __init__(self, database: Database, channel: str, hear: Callable[[Heard], None]) -> None:
        """Prepare to tell ``hear`` of ``channel`` until ``database`` is closed; nothing is connected here."""
        self._database: Final = database
        self._channel: Final = channel
        self._hear: Final = hear
        self._lock: Final = threading.Lock()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Begin to listen, if that has not happened yet in this process."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_essential(self._listen, f"listen-{self._channel}")

    def _listen(self) -> None:
        database = self._database
        for heard in notifications(
            database.url, [self._channel], idle_seconds=_IDLE_SECONDS, ended=lambda: database.closed
        ):
            self._hear(heard)
