# SPDX-License-Identifier: Apache-2.0
"""A trail of a test's own: a new platform with a few events in it, nothing sealed."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane_engine.db import audit
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.services import bootstrap


class Trail:
    """A database of a test's own, and what it is asked and told there."""

    def __init__(self, url: str) -> None:
        self.sent: list[str] = []
        self.before_statement: Callable[[], None] = lambda: None
        self.database = Database(url, application="stratoplane-tests", watch=self._watch)
        bootstrap.bootstrap(self.database)
        self.url = url

    def _watch(self, statement: bytes) -> None:
        self.before_statement()
        self.sent.append(statement.decode())

    def write(self, *names: str, connection: Connection | None = None) -> None:
        """Append one event for each name, in a transaction of their own or in that of ``connection``."""
        if connection is None:
            with self.database.system() as opened:
                self.write(*names, connection=opened)
            return
        records = [AuditRecord(action=AuditAction.LEAK_RESOLVED, actor="tester", subject_name=name) for name in names]
        audit.write(connection, *records)

    def order(self) -> list[str]:
        found = self.ask(
            "SELECT e.subject_name FROM audit_leaf l JOIN audit_event e ON e.id = l.event_id"
            " WHERE e.actor = 'tester' ORDER BY l.position"
        )
        return [str(name) for (name,) in found]

    def ask(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        """Return what the owner of the tables reads or, without their triggers, changes."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SET session_replication_role = replica")
            done = connection.execute(statement.encode(), parameters or None)
            return done.fetchall() if done.description else []

    def unsealed(self) -> int:
        ((count,),) = self.ask(
            "SELECT count(*) FROM audit_event e WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id)"
        )
        assert isinstance(count, int)
        return count


@pytest.fixture
def trail(bare_database: Database) -> Iterator[Trail]:
    """The trail of a platform that has just been made, with nothing sealed."""
    made = Trail(bare_database.url)
    yield made
    made.database.close()


@pytest.fixture
def sent(trail: Trail) -> Callable[[], list[str]]:
    """``sent()``: texts of the statements that the test has sent."""
    return lambda: trail.sent
