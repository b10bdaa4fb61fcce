# SPDX-License-Identifier: Apache-2.0
"""What a worker process has, and how it answers every wake-up."""

import logging
import os
import random
import socket
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.roles.starting import open_database
from stratoplane_engine.settings import EngineSettings

_log: Final = logging.getLogger(__name__)


class Drainer:
    """The database, the plugins, and who this worker is."""

    def __init__(self, settings: EngineSettings) -> None:
        self.plugins: Final = Plugins.load(settings.plugins)
        self.plugins.tell()
        self.database: Final = open_database(
            lambda: Database(
                settings.database_url, pool_size=2, application="stratoplane-worker", kinds=self.plugins.kinds
            )
        )
        self.owner: Final = f"{socket.gethostname()}:{os.getpid()}"
        self._random: Final = random.Random()  # noqa: S311  # jitter of retries, not a secret

    def drain(self) -> int:
        """Move on what can be moved on; what goes wrong is logged, and the sweeper wakes us again."""
        try:
            return drain(self.database, self.plugins, owner=self.owner, generator=self._random)
        except UnavailableError as error:
            _log.warning("%s", error.detail)
        except Exception:  # noqa: BLE001  # the role outlives any one round
            _log.exception("a drain broke; what it had claimed is claimed again when its lease has expired")
        return 0
