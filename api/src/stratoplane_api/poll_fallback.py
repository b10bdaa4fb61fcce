# SPDX-License-Identifier: Apache-2.0
"""One look for a whole process: thousands of held polls need not ask the database one by one."""

import logging
import threading
import time
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_api.waiter_registry import WaiterRegistry
from stratoplane_engine.db.connection import Database
from stratoplane_engine.roles.essential import start_essential
from stratoplane_engine.services import agents

_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


class PollFallback:
    """Wakes the polls of clusters that have work, whose notification was lost or whose offer lapsed."""

    def __init__(self, database: Database, waiters: WaiterRegistry) -> None:
        """Prepare to look into ``database`` for those who wait at ``waiters``; nothing is connected here."""
        self._database: Final = database
        self._waiters: Final = waiters
        self._lock: Final = threading.Lock()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Begin to look, if that has not happened yet in this process: so after any fork."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = start_essential(self._look_on, "poll_fallback")

    def _look_on(self) -> None:
        while not self._database.closed:
            time.sleep(_SECONDS)
            if not self._waiters.names():
                continue
            try:
                for cluster in agents.clusters_with_work(self._database):
                    self._waiters.wake(str(cluster))
            except UnavailableError as error:
                _log.warning("%s", error.detail)
            except Exception:  # noqa: BLE001  # one look that broke must not be the last
                _log.exception("a look for clusters with work broke; the next one follows")
