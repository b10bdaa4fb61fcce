# SPDX-License-Identifier: Apache-2.0
"""Bringing a database to the present schema."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from stratoplane.errors import UnavailableError
from stratoplane_engine.db.address import read_address
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.opening import open_connection
from stratoplane_engine.db.schema import wanted_revision
from stratoplane_engine.db.statement import Statement

_SERVER_VERSION: Final = Statement("SELECT split_part(current_setting('server_version'), ' ', 1)")
_NAME: Final = "stratoplane-migrate"
_LOCK: Final = 0x5354_5241  # "STRA": one migration at a time


def migrating_engine(database_url: str) -> Engine:
    """Return an engine whose statements may take as long as they take. Raises SettingsError for a URL of no use."""
    address = read_address(database_url)
    # The driver opens it from our own reading of the URL: SQLAlchemy's knows hosts and options in other forms.
    return create_engine("postgresql+psycopg://", creator=lambda: open_connection(address, _NAME, autocommit=False))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(database_url: str) -> str:
    """Bring the schema to the newest revision; several callers at once wait for one another.

    The account of ``database_url`` must own the database and may need CREATEROLE the first time, since the roles
    ``stratoplane_tenant`` and ``stratoplane_system`` are made then.

    Returns:
        The revision that the database is at.

    Raises:
        SettingsError: the URL cannot be used.
        UnavailableError: the database does not answer.
    """
    engine = migrating_engine(database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
            try:
                command.upgrade(_config(connection), "head")
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
                connection.commit()
    except OperationalError as error:
        raise UnavailableError(f"the database does not answer ({str(error.orig).strip().splitlines()[0]})") from error
    finally:
        engine.dispose()
    return wanted_revision()


def server_version(database: Database) -> str:
    """Return the version of PostgreSQL. Raises UnavailableError."""
    with database.system_reads() as connection:
        return connection.value(str, _SERVER_VERSION) or ""
