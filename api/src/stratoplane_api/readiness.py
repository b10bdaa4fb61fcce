# SPDX-License-Identifier: Apache-2.0
"""What both applications tell a load balancer: that the process lives, and whether to send it requests."""

from pathlib import Path
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_api.departure import Departure
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.schema import wanted_revision
from stratoplane_engine.services import health

DRAINING: Final = "this process is draining; other processes serve"


class Readiness:
    """Whether requests belong to this process."""

    def __init__(self, database: Database, drain_file: Path | None, departure: Departure) -> None:
        """Prepare to ask ``database``; while ``drain_file`` exists, and from ``departure`` on, the process drains."""
        self._database: Final = database
        self._drain_file: Final = drain_file
        self._departure: Final = departure
        self._wanted: Final = wanted_revision()

    def require(self) -> None:
        """Go on only if requests can be served and are wanted.

        Raises:
            UnavailableError: the database is away, only reads or has an older schema, or the process is draining.
        """
        if self._departure.begun or (self._drain_file is not None and self._drain_file.exists()):
            raise UnavailableError(DRAINING)
        health.check_ready(self._database, self._wanted)
