# SPDX-License-Identifier: Apache-2.0
"""Whether the control plane's database serves."""

from stratoplane_engine.db import installation
from stratoplane_engine.db.connection import Database


def check_database(database: Database) -> None:
    """Go on only if the database answers and takes writes.

    Raises:
        UnavailableError: it does not; requests are refused until it does.
    """
    with database.system_reads() as connection:
        installation.ping(connection)
