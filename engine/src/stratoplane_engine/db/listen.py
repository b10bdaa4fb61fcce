# SPDX-License-Identifier: Apache-2.0
"""Listening to PostgreSQL's notifications: hints that something is to be done, never the thing itself."""

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

_log: Final = logging.getLogger(__name__)
_RECONNECT_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a listener learns.

    Attributes:
        payloads: of the notifications that came together; none after a (re)connection, a loss, or an idle time.
        connected: whether notifications reach this process from now on.
    """

    payloads: frozenset[str] = frozenset()
    connected: bool = True


def notifications(
    database_url: str, channels: Sequence[str], *, idle_seconds: float, ended: Callable[[], bool] = lambda: False
) -> Generator[Heard, None, None]:
    """Yield what is notified until ``ended`` says so; a lost connection is logged and made again.

    Without payloads something is yielded after each (re)connection, after each loss, and after ``idle_seconds``
    without a notification, so that the caller looks by itself then: what was notified while nobody listened is lost.
    """
    while not ended():
        try:
            with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
                for channel in channels:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                yield Heard()
                while not ended():
                    notes = connection.notifies(timeout=idle_seconds, stop_after=1)
                    yield Heard(payloads=frozenset(note.payload for note in notes))
        except psycopg.OperationalError as error:
            if ended():
                return
            _log.warning("the database does not answer (%s); listening again shortly", str(error).strip())
            yield Heard(connected=False)
            time.sleep(_RECONNECT_SECONDS)
