# SPDX-License-Identifier: Apache-2.0
"""Whether the control plane's database serves."""

from stratoplane.errors import UnavailableError
from stratoplane_engine.db import installation
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.schema import schema_problem


def check_ready(database: Database, wanted: str) -> None:
    """Go on only if the database takes writes and its schema is not older than the revision ``wanted``.

    Raises:
        UnavailableError: one of both is not so; requests belong to another process until it is.
    """
    check_database(database)
    problem = schema_problem(database, wanted)
    if problem:
        raise UnavailableError(problem)


def check_database(database: Database) -> None:
    """Go on only if the database answers, takes writes, and has room for them.

    Raises:
        UnavailableError: it does not; requests are refused until it does.
        DatabaseExhaustedError: it cannot write; an operator makes room.
    """
    with database.system() as connection:
        installation.check_writes(connection)
