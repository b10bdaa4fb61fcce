# SPDX-License-Identifier: Apache-2.0
"""Whether the control plane's database answers and has room."""

from stratoplane_engine.db import installation
from stratoplane_engine.db.connection import Database


def check_database(database: Database) -> None:
    """Go on only if the database answers and can write.

    Raises:
        UnavailableError: it does not; requests are refused until it does.
        DatabaseExhaustedError: it cannot write; an operator makes room.
    """
    with database.system() as connection:
        installation.check_room(connection)
