# SPDX-License-Identifier: Apache-2.0
"""A server that takes statements and answers none: whoever asks is told in time, and the connection is given up."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from stratoplane.errors import UnavailableError
from stratoplane_engine.db import opening
from stratoplane_engine.db.address import read_address
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.listen import Heard, notifications
from stratoplane_engine.db.opening import SilentError, open_connection
from stratoplane_engine.db.statement import Statement

SLEEP = Statement("SELECT pg_sleep(600)")
ONE = Statement("SELECT 1")
PID = Statement("SELECT pg_backend_pid()")
# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 60


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process of the server, as a hanging disk would."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_statement_ends_at_the_server_when_its_time_is_over(fresh_database_url: str) -> None:
    separator = "&" if "?" in fresh_database_url else "?"
    with closing(Database(f"{fresh_database_url}{separator}statement_timeout=100", pool_size=1)) as database:

        def work(connection: Connection) -> None:
            connection.run(SLEEP)

        with pytest.raises(UnavailableError, match="statement timeout"), database.system() as connection:
            work(connection)
        with pytest.raises(UnavailableError, match="statement timeout"), database.system_reads() as connection:
            work(connection)
        with database.system() as connection:
            assert connection.value(int, ONE) == 1


def test_a_server_that_is_stopped_is_given_up_by_the_client(fresh_database_url: str) -> None:
    with closing(open_connection(read_address(fresh_database_url), "of-a-test", deadline=0.3)) as connection:
        with stopped(connection.info.backend_pid), pytest.raises(SilentError, match=r"0\.3 s"):
            connection.execute("SELECT 1")
        assert connection.closed


def test_a_flush_of_several_statements_is_given_up_too(fresh_database_url: str) -> None:
    with closing(open_connection(read_address(fresh_database_url), "of-a-test", deadline=0.3)) as connection:

        def work() -> None:
            with connection.pipeline():
                connection.execute("BEGIN")
                connection.execute("SELECT 1")

        with stopped(connection.info.backend_pid), pytest.raises(SilentError):
            work()
        assert connection.closed


def test_callers_hear_of_an_outage_and_the_next_one_is_served(fresh_database_url: str) -> None:
    separator = "&" if "?" in fresh_database_url else "?"
    url = f"{fresh_database_url}{separator}statement_timeout=1"
    address = read_address(url)
    assert opening.deadline_of(address) == pytest.approx(10, abs=0.1)
    began = time.monotonic()
    with closing(Database(url, pool_size=1)) as database:
        with database.system_reads() as connection:
            pid = connection.value(int, PID) or 0
        with stopped(pid), pytest.raises(UnavailableError, match="no answer"), database.system() as connection:
            connection.run(ONE)
        with database.system() as connection:
            assert connection.value(int, ONE) == 1
    assert time.monotonic() - began < PATIENCE


def test_who_listens_leaves_a_server_that_has_fallen_silent(fresh_database_url: str) -> None:
    find = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    with closing(notifications(fresh_database_url, ["of_a_test"], idle_seconds=0.1, answer_seconds=0.3)) as heard:
        assert next(heard) == Heard()
        with psycopg.connect(fresh_database_url) as other:
            [(pid,)] = other.execute(find).fetchall()
        with stopped(pid):
            assert next(each for each in heard if not each.connected) == Heard(connected=False)
            assert next(heard) == Heard()
