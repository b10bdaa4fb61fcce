# SPDX-License-Identifier: Apache-2.0
"""Reaching the platform's databases from a command, whether the platform is up or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stratoplane.errors import StratoplaneError
from stratoplane_embedded.errors import EmbeddedError
from stratoplane_embedded.postgresql import PostgresqlServer
from stratoplane_server.settings import Configuration
from stratoplane_server.state import StateFolder, SupervisorReport

_TO_DO: Final = (
    "set STRATOPLANE_DATABASE_URL and STRATOPLANE_REDIS_URL, or start the platform with stratoplane-server up"
)


class NoDatabaseError(StratoplaneError):
    """No database is available; the operator configures one or starts the platform."""

    code = "no_database"


def living_report(folder: StateFolder) -> SupervisorReport | None:
    """Return the report of the supervisor of ``folder``, None if it is not running."""
    report = folder.read_report()
    return report if report is not None and report.process.alive else None


def running_urls(configuration: Configuration) -> tuple[str, str]:
    """Return the URLs of PostgreSQL and Valkey: those of the settings, else those of the platform that is up.

    Raises:
        NoDatabaseError: the settings do not name them and the platform is not running.
    """
    settings = configuration.server
    report = living_report(StateFolder(path=settings.state))
    database = settings.database_url or (report.database_url if report else "")
    redis = settings.redis_url or (report.redis_url if report else "")
    if not database or not redis:
        raise NoDatabaseError(f"the platform is not running in {settings.state}; {_TO_DO}")
    return database, redis


@contextmanager
def reachable_database(configuration: Configuration) -> Iterator[str]:
    """Provide the URL of PostgreSQL; that of the state folder is started for the duration if it is down.

    Raises:
        NoDatabaseError: it cannot be started; the text says why.
    """
    settings = configuration.server
    folder = StateFolder(path=settings.state)
    report = living_report(folder)
    known = settings.database_url or (report.database_url if report else "")
    if known:
        yield known
        return
    folder.make()
    server = PostgresqlServer(folder.postgresql)
    try:
        server.start()
    except EmbeddedError as error:
        raise NoDatabaseError(str(error)) from error
    try:
        yield server.url
    finally:
        server.stop()
