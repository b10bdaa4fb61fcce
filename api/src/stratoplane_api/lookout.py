# SPDX-License-Identifier: Apache-2.0
"""One look for a whole process: thousands of held polls need not ask the database one by one."""

import logging
import threading
import time
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_api.wakeups import Wakeups
from stratoplane_engine.db.connection import Database
from stratoplane_engine.services import agents

_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Lookout:
    """Wakes the polls of clusters that have work, whose notification was lost or whose offer lapsed."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        """Prepare to look into ``database`` for those who wait at ``wakeups``; nothing is connected here."""
        self._database: Final = database
        self._wakeups: Final = wakeups
        self._lock: Final = threading.Lock()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Begin to look, if that has not happened yet in this process: so after any fork."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_on, name="lookout", daemon=True)
                self._thread.start()

    def _look_on(self) -> None:
        while True:
            time.sleep(_SECONDS)
            if not self._wakeups.names():
                continue
            try:
                for cluster in agents.clusters_with_work(self._database):
                    self._wakeups.wake(cluster)
            except UnavailableError as error:
                _log.warning("%s", error.detail)
