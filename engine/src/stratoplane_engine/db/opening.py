# SPDX-License-Identifier: Apache-2.0
"""Opening a connection that does not wait for ever.

A peer that is gone is noticed by TCP: keepalives while we wait, ``tcp_user_timeout`` while we send. A server that is
there and slow ends the statement itself, by ``statement_timeout``, and lets go of what it locked. Neither helps against
a server or a pooler that is stopped or whose disk hangs: its kernel acknowledges everything. So a client's deadline
stands behind both, and it is later than the server's, which leaves the connection in order.
"""

import time
from typing import Any, Final

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

from stratoplane_engine.db.address import Address

Row = tuple[object, ...]
_GRACE_SECONDS: Final = 10.0
"""By how much the client's deadline is later than the server's."""


class PatientConnection(psycopg.Connection[Row]):
    """A connection that is given up when the server has not answered for ``deadline`` seconds; None waits for ever."""

    deadline: float | None = None

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does, at most until the deadline unless the caller has one of its own."""
        if timeout is not None or self.deadline is None:
            return super().wait(gen, interval, timeout)
        end = time.monotonic() + self.deadline
        try:
            return super().wait(gen, interval, self.deadline)
        except psycopg.OperationalError as error:
            if time.monotonic() < end:
                raise
            # What it may still answer belongs to a statement that nobody waits for.
            self.close()
            raise SilentError(f"no answer within {self.deadline:g} s") from error


class SilentError(psycopg.OperationalError):
    """The server did not answer in time; whether the statement was carried out is not known."""


def open_connection(
    address: Address,
    application: str,
    *,
    autocommit: bool = True,
    deadline: float | None = None,
    prepare_threshold: int | None = None,
) -> PatientConnection:
    """Connect to the database.

    Args:
        address: where, and with which timeouts of TCP.
        application: shown in ``pg_stat_activity``.
        autocommit: whether each statement is a transaction unless one is begun.
        deadline: seconds that an answer may take, None for ever.
        prepare_threshold: executions after which a statement is prepared, None for never.

    Raises:
        psycopg.OperationalError: nobody answers there.
    """
    target = make_conninfo("", **{"application_name": application, **address.parameters})
    connection = PatientConnection.connect(target, autocommit=autocommit, prepare_threshold=prepare_threshold)
    connection.deadline = deadline
    return connection


def deadline_of(address: Address) -> float | None:
    """Return for how many seconds a client waits for the answer to one statement, None for ever."""
    return address.statement_seconds + _GRACE_SECONDS if address.statement_seconds else None
