# SPDX-License-Identifier: Apache-2.0
"""``migrate`` and ``create-admin``."""

from collections.abc import Iterator
from contextlib import contextmanager

from stratoplane_engine.db import migrate, schema
from stratoplane_engine.db.connection import Database
from stratoplane_engine.services import bootstrap
from stratoplane_engine.services.credentials import PasswordHasher
from stratoplane_server.databases import NoDatabaseError


def migrated(url: str) -> str:
    """Migrate the database to this version's schema and initial content; return the schema's revision.

    Raises:
        UnavailableError: the database does not answer.
    """
    revision = migrate.upgrade(url)
    with _opened(url) as database:
        bootstrap.bootstrap(database)
    return revision


def create_administrator(url: str, username: str, password: str) -> None:
    """Create a user with all permissions.

    Raises:
        NoDatabaseError: the schema is of another version; migrate first.
        NameTakenError: a user of that name exists.
        UnavailableError: the database does not answer.
    """
    with _opened(url) as database:
        if schema.current_revision(database) != schema.wanted_revision():
            raise NoDatabaseError("the database schema is of another version; run stratoplane-server migrate first")
        bootstrap.create_administrator(database, PasswordHasher(), username, password)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url, pool_size=1, application="stratoplane-server")
    try:
        yield database
    finally:
        database.close()
