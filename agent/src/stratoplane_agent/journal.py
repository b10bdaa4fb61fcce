# SPDX-License-Identifier: Apache-2.0
"""The operations that the agent accepted, kept on disk until the control plane has their results.

An operation is durably written before it is acknowledged, so an agent that is killed at any time afterwards knows what
is pending. The highest epoch seen of each operation is kept longer, so that a late or repeated offer is refused.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from stratoplane.crashpoints import crashpoint
from stratoplane.messages import OperationReference
from stratoplane_agent.control_plane import Offer
from stratoplane_agent.log import Log

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE fence (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE work (id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, operation TEXT NOT NULL, result TEXT);
PRAGMA user_version = 1;
"""
_FENCE_SECONDS: Final = 7 * 24 * 3600
_FENCE_ROWS: Final = 1_000_000
_BUSY_SECONDS: Final = 10.0
_log: Final = Log("journal")


class JournalError(Exception):
    """The journal cannot be read or written; no new operations are accepted until it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Offers sorted: those now in the journal, those below a known epoch, those already known at their epoch."""

    recorded: Sequence[Offer]
    outdated: Sequence[Offer]
    repeated: Sequence[Offer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The result of an operation as JSON text, at the epoch at which it was executed."""

    id: UUID
    epoch: int
    result: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """What an earlier run of the agent left: operations without a result, and results not yet reported."""

    unfinished: Sequence[str]
    unreported: Sequence[Ended]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many operations are in progress, and how many results are not yet reported."""

    unfinished: int
    unreported: int


class Journal:
    """An SQLite file; threads share the object, one process holds the state folder's lock."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or create one. A damaged file is set aside, never repaired by guesses.

        Raises:
            JournalError: the file or its folder cannot be used; the agent does not start.
        """
        self._lock: Final = threading.Lock()
        try:
            self._connection = _open(path)
        except (OSError, sqlite3.OperationalError) as error:
            raise JournalError(f"{path} cannot be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            self._connection = _replace_damaged(path, error)

    def admit(self, offers: Sequence[Offer]) -> Admission:
        """Record the new offers durably. Raises JournalError; then none may be acknowledged."""
        with self._transaction("FULL") as connection:
            known = _epochs(connection, offers)
            recorded = [each for each in offers if each.operation.epoch > known.get(each.operation.id, -1)]
            now = int(time.time())
            connection.executemany(
                "INSERT INTO fence (id, epoch, seen_at) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seen_at = excluded.seen_at",
                [(each.operation.id.bytes, each.operation.epoch, now) for each in recorded],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO work (id, epoch, operation) VALUES (?, ?, ?)",
                [(each.operation.id.bytes, each.operation.epoch, each.document) for each in recorded],
            )
        crashpoint("agent-after-admission")
        return Admission(
            recorded=recorded,
            outdated=[each for each in offers if each.operation.epoch < known.get(each.operation.id, -1)],
            repeated=[each for each in offers if each.operation.epoch == known.get(each.operation.id, -1)],
        )

    def finish(self, ended: Iterable[Ended]) -> None:
        """Record results without syncing the disk: after a power failure the operation is observed and executed again.

        Raises JournalError; the results are reported all the same, only a crash before that would repeat operations.
        """
        with self._transaction("NORMAL") as connection:
            connection.executemany(
                "UPDATE work SET result = ? WHERE id = ? AND epoch = ?",
                [(each.result, each.id.bytes, each.epoch) for each in ended],
            )
        crashpoint("agent-after-journal")

    def forget(self, references: Iterable[OperationReference]) -> None:
        """Drop operations whose result was accepted, or that were withdrawn; their epochs stay known."""
        crashpoint("agent-after-report")
        with self._transaction("NORMAL") as connection:
            connection.executemany(
                "DELETE FROM work WHERE id = ? AND epoch = ?", [(each.id.bytes, each.epoch) for each in references]
            )

    def pending(self) -> Pending:
        """Return what an earlier run left, oldest first. Raises JournalError."""
        with self._reading() as connection:
            rows = connection.execute("SELECT id, epoch, operation, result FROM work ORDER BY id").fetchall()
        return Pending(
            unfinished=[operation for _, _, operation, result in rows if result is None],
            unreported=[
                Ended(id=UUID(bytes=identifier), epoch=epoch, result=result)
                for identifier, epoch, _, result in rows
                if result is not None
            ],
        )

    def counts(self) -> Counts:
        """Count the operations. Raises JournalError."""
        with self._reading() as connection:
            row = connection.execute("SELECT count(*) - count(result), count(result) FROM work").fetchone()
        return Counts(unfinished=row[0], unreported=row[1])

    def prune(self, now: float | None = None) -> None:
        """Forget epochs older than a week, and the oldest beyond a million (ids are ordered by time)."""
        oldest = int((time.time() if now is None else now) - _FENCE_SECONDS)
        beyond = "id <= (SELECT id FROM fence ORDER BY id DESC LIMIT 1 OFFSET ?)"
        with self._transaction("NORMAL") as connection:
            connection.execute(
                f"DELETE FROM fence WHERE (seen_at < ? OR {beyond}) AND id NOT IN (SELECT id FROM work)",  # noqa: S608
                (oldest, _FENCE_ROWS),
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Some errors, as of a full disk, have ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise JournalError(f"the journal cannot be used: {error}") from error


def counts_of(path: Path) -> Counts:
    """Count the operations in the journal of an agent that may be running; zeros without a journal.

    Raises:
        JournalError: the file cannot be read.
    """
    if not path.exists():
        return Counts(unfinished=0, unreported=0)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as connection:
            row = connection.execute("SELECT count(*) - count(result), count(result) FROM work").fetchone()
    except sqlite3.Error as error:
        raise JournalError(f"{path} cannot be read: {error}") from error
    return Counts(unfinished=row[0], unreported=row[1])


def _open(path: Path) -> sqlite3.Connection:
    # Specifications contain user data. SQLite gives the files beside this one the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # Readers (`status`) never wait for the agent, and a commit appends to one file.
        connection.execute("PRAGMA journal_mode = WAL")
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables of a new file; refuse another format (JournalError) or a damaged file (DatabaseError)."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif version != _SCHEMA_VERSION:
        raise JournalError(f"{path} was written by a newer agent (format {version}); install that version again")
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(found)


def _replace_damaged(path: Path, error: sqlite3.DatabaseError) -> sqlite3.Connection:
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        connection = _open(path)
    except (OSError, sqlite3.Error) as second:
        raise JournalError(f"{path} is damaged ({error}) and cannot be replaced: {second}") from second
    # Operations in progress time out at the control plane, which observes the objects before it repeats anything.
    _log.error("journal_damaged", path=path, put_aside=aside, reason=error)
    return connection


def _epochs(connection: sqlite3.Connection, offers: Sequence[Offer]) -> dict[UUID, int]:
    wanted = [each.operation.id.bytes for each in offers]
    marks = ",".join("?" * len(wanted))
    rows = connection.execute(f"SELECT id, epoch FROM fence WHERE id IN ({marks})", wanted)  # noqa: S608  # marks only
    return {UUID(bytes=identifier): epoch for identifier, epoch in rows}
