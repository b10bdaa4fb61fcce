# SPDX-License-Identifier: Apache-2.0
"""A server that only reads or goes away: who asks is told to come again, and nobody keeps a connection to it."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from engine.tests.standby import standby
from stratoplane.errors import UnavailableError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.services import health

INSERT = Statement("INSERT INTO noted (word) VALUES (:word)")
COUNT = Statement("SELECT count(*) FROM noted")
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'of-a-test'"


@pytest.fixture
def noted(fresh_database_url: str) -> Iterator[Database]:
    """A database with a table to write to."""
    with psycopg.connect(fresh_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE noted (word text); GRANT ALL ON noted TO PUBLIC")
    with closing(Database(fresh_database_url, pool_size=2, spare=0, application="of-a-test")) as opened:
        yield opened


def only_reads(database: Database, value: str) -> None:
    """Have new sessions of a database only read, or write again."""
    name = sql.Identifier(urlsplit(database.url).path.lstrip("/"))
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        statement = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
        connection.execute(statement.format(name, sql.Literal(value)))


def write(database: Database) -> None:
    with database.system() as connection:
        connection.run(INSERT, {"word": "one"})


def count(database: Database) -> int:
    with database.system_reads() as connection:
        return connection.value(int, COUNT) or 0


def keep_two(database: Database) -> None:
    """Fill the pool."""
    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(database.system_reads()).value(int, COUNT)


def test_a_server_that_only_reads_is_unavailable(noted: Database) -> None:
    only_reads(noted, "on")

    with pytest.raises(UnavailableError, match="only reads"):
        write(noted)


def test_a_server_that_only_reads_is_not_healthy(noted: Database) -> None:
    only_reads(noted, "on")
    with pytest.raises(UnavailableError, match="only reads"):
        health.check_database(noted)

    only_reads(noted, "off")
    health.check_database(noted)


def test_no_connection_to_a_server_that_only_read_is_kept(noted: Database) -> None:
    only_reads(noted, "on")
    keep_two(noted)
    only_reads(noted, "off")

    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(noted.system()).run(INSERT, {"word": "one"})

    assert count(noted) == 2


def test_one_refusal_within_a_transaction_drops_what_everybody_kept(noted: Database) -> None:
    only_reads(noted, "on")
    keep_two(noted)
    only_reads(noted, "off")

    def work() -> None:
        with noted.system() as connection:
            connection.value(int, COUNT)
            connection.run(INSERT, {"word": "never"})

    with pytest.raises(UnavailableError):
        work()
    for _ in range(2):
        work()
    assert count(noted) == 2


def test_a_connection_that_is_ended_within_a_transaction_is_an_outage_and_not_kept(noted: Database) -> None:
    def work() -> None:
        with noted.system() as connection:
            connection.run(INSERT, {"word": "never"})
            with psycopg.connect(noted.url, autocommit=True) as other:
                other.execute(END_ALL)
            connection.run(INSERT, {"word": "never"})

    with pytest.raises(UnavailableError):
        work()
    write(noted)
    assert count(noted) == 1


def test_no_kept_connection_fails_a_request_after_all_have_died(noted: Database) -> None:
    # As after a crash of the server, which sends nothing more: both ends are closed, unseen by the driver.
    with ExitStack() as both:
        kept = [both.enter_context(noted.system_reads()) for _ in range(2)]
        ends = [os.dup(each._driver().fileno()) for each in kept if each.value(int, COUNT) == 0]
    assert len(ends) == 2
    for end in ends:
        with socket.socket(fileno=end) as opened:
            opened.shutdown(socket.SHUT_RDWR)

    with noted.system() as connection:
        assert connection.value(int, COUNT) == 0


def test_a_standby_is_unavailable_until_it_is_promoted() -> None:
    take = Statement("SELECT id FROM outbox FOR UPDATE")
    with standby() as server, closing(Database(server.url, pool_size=1)) as database:

        def lock() -> None:
            with database.system() as connection:
                connection.run(take)

        with pytest.raises(UnavailableError, match="only reads"):
            lock()
        server.promote()
        lock()
