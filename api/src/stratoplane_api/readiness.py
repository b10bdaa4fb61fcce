# SPDX-License-Identifier: Apache-2.0
"""What both applications tell a load balancer: that the process lives, and whether to send it requests."""

from pathlib import Path
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_api.draining import Draining
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.schema import wanted_revision
from stratoplane_engine.services import health

DRAINING: Final = "this process is draining; other processes serve"


class Readiness:
    """Whether requests belong to this process."""

    def __init__(self, database: Database, drain_file: Path | None, draining: Draining) -> None:
        """Prepare to ask ``database``; while ``drain_file`` exists, and from ``draining`` on, the process drains."""
        self._database: Final = database
        self._drain_file: Final = drain_file
        self._draining: Final = draining
        self._wanted: Final = wanted_revision()

    def require(self) -> None:
        """Go on only if requests can be served and are wanted.

        Raises:
            UnavailableError: the database is away, only reads or has an older schema, or the process is draining.
        """
        if self._draining.begun or (self._drain_file is not None and self._drain_file.exists()):
            raise UnavailableError(DRAINING)
        health.check_ready(self._database, self._wanted)
