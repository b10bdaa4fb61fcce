# SPDX-License-Identifier: Apache-2.0
"""The schema revision of a database."""

from sqlalchemy.exc import DataError, ProgrammingError

from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database


def revision_of(database: Database) -> str:
    """Return the revision of the schema, empty before the first migration, which also creates the roles that read it.

    Raises:
        UnavailableError: the database does not answer.
    """
    try:
        with database.system() as connection:
            return migrate.current_revision(connection)
    except (DataError, ProgrammingError):
        return ""
