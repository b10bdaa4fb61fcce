# SPDX-License-Identifier: Apache-2.0
"""Listening to PostgreSQL's notifications: hints that something is to be done, never the thing itself."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg
from psycopg import sql

_log: Final = logging.getLogger(__name__)
_RECONNECT_SECONDS: Final = 1.0


def notifications(database_url: str, channels: Sequence[str], *, idle_seconds: float) -> Iterator[frozenset[str]]:
    """Yield the payloads of notifications, those that came together at once, for ever.

    Nothing (an empty set) is yielded after each (re)connection and after ``idle_seconds`` without any, so that the
    caller looks by itself then: what was notified while nobody listened is lost. Connection losses are logged and
    mended.
    """
    while True:
        try:
            with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
                for channel in channels:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield frozenset()
                while True:
                    yield frozenset(note.payload for note in connection.notifies(timeout=idle_seconds, stop_after=1))
        except psycopg.OperationalError as error:
            _log.warning("the database does not answer (%s); listening again shortly", str(error).strip())
            time.sleep(_RECONNECT_SECONDS)
            yield frozenset()
