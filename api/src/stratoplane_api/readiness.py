# SPDX-License-Identifier: Apache-2.0
"""What both applications tell a load balancer: that the process lives, and whether to send it requests."""

from pathlib import Path
from typing import Final

from stratoplane.errors import UnavailableError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.schema import wanted_revision
from stratoplane_engine.services import health


class Readiness:
    """Whether requests belong to this process."""

    def __init__(self, database: Database, drain_file: Path | None) -> None:
        """Prepare to ask ``database``; while ``drain_file`` exists the process takes leave."""
        self._database: Final = database
        self._drain_file: Final = drain_file
        self._wanted: Final = wanted_revision()

    def require(self) -> None:
        """Go on only if requests can be served and are wanted.

        Raises:
            UnavailableError: the database is away, only reads or has an older schema, or the process is draining.
        """
        if self._drain_file is not None and self._drain_file.exists():
            raise UnavailableError("this process is draining; other processes serve")
        health.check_ready(self._database, self._wanted)
