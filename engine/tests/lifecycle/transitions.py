# SPDX-License-Identifier: Apache-2.0
"""Every change of a job's state and a resource's status that a database sees, against what is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

import psycopg

from stratoplane import jobs, resources
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement

StateT = TypeVar("StateT", bound=StrEnum)
Transition = tuple[str, str, str]
"""What changed (``job`` or ``resource``), from what, to what."""

_NOTE = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO transition VALUES ('{table}', OLD.{column}, NEW.{column}) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER {function} AFTER UPDATE ON {table} FOR EACH ROW WHEN (OLD.{column} <> NEW.{column})
    EXECUTE FUNCTION {function}()
"""


def note_transitions(database: Database) -> Database:
    """Let the database note every change from now on."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE transition (subject text, before text, after text, PRIMARY KEY (subject, before, after));"
            "GRANT ALL ON transition TO PUBLIC"
        )
        for table, column in (("job", "state"), ("resource", "status")):
            names = {"function": f"note_{table}", "table": table, "column": column}
            connection.execute(_NOTE.format(**names))
    return database


def forget_transitions(database: Database) -> None:
    """Begin with no transition seen."""
    with database.system() as connection:
        connection.run(Statement("DELETE FROM transition"))


def check_transitions(database: Database) -> set[Transition]:
    """Assert that no state was skipped; return what was seen."""
    with database.system() as connection:
        rows = connection.documents(Statement("SELECT subject, before, after FROM transition"))
    seen = {(str(row["subject"]), str(row["before"]), str(row["after"])) for row in rows}
    assert seen - _ALLOWED == set()
    return seen


def _pairs(subject: str, transitions: Mapping[StateT, Iterable[StateT]]) -> Iterator[Transition]:
    for before, followers in transitions.items():
        for after in followers:
            yield subject, before.value, after.value


_ALLOWED = {*_pairs("job", jobs.TRANSITIONS), *_pairs("resource", resources.TRANSITIONS)}
