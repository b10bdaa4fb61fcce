# SPDX-License-Identifier: Apache-2.0
"""The function behind every wake-up, in a module of its own: RQ imports it by name, the role runs as ``__main__``."""

import logging
import os
import random
import socket
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.settings import EngineSettings

_log: Final = logging.getLogger(__name__)


class Drainer:
    """What an RQ job needs of its process: the database, the plugins, and who it is."""

    def __init__(self, settings: EngineSettings) -> None:
        self.plugins: Final = Plugins.load(settings.plugins)
        self.database: Final = Database(
            settings.database_url, pool_size=2, application="stratoplane-worker", kinds=self.plugins.kinds
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
            _log.exception("a drain broke; what it had claimed is claimed again when its lease has ended")
        return 0


_drainers: Final[list[Drainer]] = []


def serve(settings: EngineSettings) -> Drainer:
    """Make this process's drainer, which every wake-up that it takes will use."""
    _drainers[:] = [Drainer(settings)]
    return _drainers[0]


def drain_jobs(_job_ids: list[str]) -> None:
    """Be the RQ job: the ids say what woke us; whatever is runnable is claimed in one statement anyway."""
    _drainers[0].drain()
