# SPDX-License-Identifier: Apache-2.0
"""Statements that share a flush: their order, their refusals, and what a connection is good for afterwards."""

import psycopg
import pytest
from psycopg import sql

from stratoplane.errors import DatabaseExhaustedError
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.services.health import check_database

INSERT = Statement("INSERT INTO noted (id, word) VALUES (:id, :word)")
CHANGE = Statement("UPDATE noted SET word = :word WHERE id = :id RETURNING word")
WORDS = Statement("SELECT word FROM noted ORDER BY id")


@pytest.fixture
def noted(bare_database: Database) -> Database:
    """A database with a table to write to, and one connection."""
    with psycopg.connect(bare_database.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE noted (id int PRIMARY KEY, word text); GRANT ALL ON noted TO PUBLIC")
    return bare_database


FULL = Statement(
    """DO $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/5/1259": No space left on device' USING ERRCODE = 'disk_full';
    END $$"""
)


def test_a_full_disk_is_an_error_of_ours_that_names_no_file(noted: Database) -> None:
    told = pytest.raises(DatabaseExhaustedError, match="run out of disk space; nothing was changed")
    with told as refused, noted.system() as connection:
        connection.run(FULL)
    assert "base/" not in refused.value.detail


def test_the_check_of_health_fails_when_the_database_cannot_write(noted: Database) -> None:
    check_database(noted)
    with psycopg.connect(noted.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(sql.SQL("ALTER DATABASE {} SET temp_file_limit = 0").format(sql.Identifier(name)))
    limited = Database(noted.url, pool_size=1)
    with pytest.raises(DatabaseExhaustedError):
        check_database(limited)
    limited.close()


def words(database: Database) -> list[str]:
    with database.system_reads() as connection:
        return connection.values(str, WORDS)


def test_deferred_statements_run_in_order_before_the_next_one(noted: Database) -> None:
    with noted.system() as connection:
        connection.defer(INSERT, {"id": 1, "word": "first"})
        connection.defer(CHANGE, {"id": 1, "word": "second"})
        assert connection.values(str, WORDS) == ["second"]
    assert words(noted) == ["second"]


def test_deferred_statements_run_with_the_commit_when_nothing_follows(noted: Database) -> None:
    with noted.system() as connection:
        connection.defer(INSERT, {"id": 1, "word": "alone"})
    assert words(noted) == ["alone"]


def test_deferred_statements_are_taken_back_with_their_transaction(noted: Database) -> None:
    def work() -> None:
        with noted.system() as connection:
            connection.defer(INSERT, {"id": 1, "word": "never"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert words(noted) == []


def test_a_statement_that_commits_returns_its_rows(noted: Database) -> None:
    with noted.system() as connection:
        connection.defer(INSERT, {"id": 1, "word": "before"})
        assert connection.commit_with(CHANGE, {"id": 1, "word": "after"}) == [{"word": "after"}]
        with psycopg.connect(noted.url) as other:
            assert other.execute("SELECT word FROM noted").fetchall() == [("after",)]


def test_a_refused_deferred_statement_takes_the_others_back_and_the_connection_stays_good(noted: Database) -> None:
    """More often than psycopg sends a statement before it prepares it: behind a refusal the server skips that too."""

    def work() -> None:
        with noted.system() as connection:
            connection.run(INSERT, {"id": 1, "word": "one"})
            connection.defer(INSERT, {"id": 1, "word": "again"})
            connection.defer(CHANGE, {"id": 1, "word": "other"})

    for _ in range(8):
        with pytest.raises(psycopg.errors.UniqueViolation):
            work()
    for at in range(8):
        with noted.system() as connection:
            connection.defer(INSERT, {"id": at, "word": "one"})
            connection.defer(CHANGE, {"id": at, "word": "good"})
    assert words(noted) == ["good"] * 8
