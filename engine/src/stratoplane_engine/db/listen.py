# SPDX-License-Identifier: Apache-2.0
"""Listening to PostgreSQL's notifications: hints that something is to be done, never the thing itself."""

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from stratoplane_engine.db.address import read_address
from stratoplane_engine.db.opening import open_connection

_log: Final = logging.getLogger(__name__)
_APPLICATION: Final = "stratoplane-listen"
_ANSWER_SECONDS: Final = 10.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0


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
    database_url: str,
    channels: Sequence[str],
    *,
    idle_seconds: float,
    answer_seconds: float = _ANSWER_SECONDS,
    ended: Callable[[], bool] = lambda: False,
) -> Generator[Heard, None, None]:
    """Yield what is notified until ``ended`` says so; a lost connection is logged and made again.

    Without payloads something is yielded after each (re)connection, after each loss, and after ``idle_seconds``
    without a notification, so that the caller looks by itself then: what was notified while nobody listened is lost.
    A server that does not answer within ``answer_seconds`` is lost, too.

    Raises:
        SettingsError: the URL cannot be used.
    """
    pauses, address = _Pauses(), read_address(database_url)
    while not ended():
        try:
            with open_connection(address, _APPLICATION, deadline=answer_seconds) as connection:
                for channel in channels:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                pauses.connected()
                yield Heard()
                while not ended():
                    notes = connection.notifies(timeout=idle_seconds, stop_after=1)
                    payloads = frozenset(note.payload for note in notes)
                    if not payloads:
                        # Silence is what a listener expects, so a server that is gone would never be missed.
                        connection.execute("SELECT 1")
                    yield Heard(payloads=payloads)
        except psycopg.Error as error:
            # Any error: a server in recovery, or one that has become another, refuses in ways of its own.
            if ended():
                return
            pause = pauses.lost(error)
            yield Heard(connected=False)
            time.sleep(pause)


class _Pauses:
    """How long to wait for the next connection; a loss is logged once, and so is its end."""

    def __init__(self) -> None:
        self._next = _FIRST_PAUSE
        self._said = ""

    def connected(self) -> None:
        if self._said:
            _log.info("the database answers again; listening")
        self._next, self._said = _FIRST_PAUSE, ""

    def lost(self, error: psycopg.Error) -> float:
        """Return the seconds to wait after ``error``."""
        state = f"{type(error).__name__} {error.sqlstate}"
        if state != self._said:
            _log.warning("the database does not let us listen (%s); trying again until it does", str(error).strip())
        self._said = state
        pause, self._next = self._next, min(self._next * 2, _LONGEST_PAUSE)
        return pause
