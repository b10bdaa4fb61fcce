# SPDX-License-Identifier: Apache-2.0
"""Which revision of the schema the database is at, and whether this version can serve with it."""

from pathlib import Path
from typing import Final

from psycopg.errors import InvalidParameterValue, UndefinedTable

from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement

_CURRENT: Final = Statement("SELECT v.version_num FROM alembic_version v")
_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


def wanted_revision() -> str:
    """Return the newest revision of this version, by the names of its files: a role needs no tool of migrations."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))


def current_revision(database: Database) -> str:
    """Return the revision that the database is at, empty before the first migration.

    Raises:
        UnavailableError: the database does not answer.
    """
    try:
        with database.system_reads() as connection:
            return connection.value(str, _CURRENT) or ""
    except (UndefinedTable, InvalidParameterValue):  # neither the table nor the role that asks is there yet
        return ""


def schema_problem(database: Database, wanted: str) -> str:
    """Return why the database cannot be used, empty when it can: a newer schema serves an older version.

    Raises:
        UnavailableError: the database does not answer.
    """
    revision = current_revision(database)
    if revision >= wanted:
        return ""
    return (
        f"the database schema is at revision {revision or 'none'} and this version wants {wanted}: "
        "run stratoplane-server migrate"
    )
