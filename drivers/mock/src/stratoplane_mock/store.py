# SPDX-License-Identifier: Apache-2.0
"""The region's file: an SQLite database that survives a restart and a killed process.

Its journal is not synced with every change: a power failure may lose the last changes, never the file.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stratoplane.errors import MisconfiguredError

SCHEMA_VERSION: Final = 2
_BUSY_SECONDS: Final = 30.0

_SCHEMA: Final = """
CREATE TABLE trait (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE host (
    number INTEGER PRIMARY KEY, vcpus_used INTEGER NOT NULL DEFAULT 0, memory_used INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE pool (number INTEGER PRIMARY KEY CHECK (number = 1), storage_used INTEGER NOT NULL);
INSERT INTO pool VALUES (1, 0);
CREATE TABLE network (
    uid TEXT PRIMARY KEY, installation TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL,
    hidden_until REAL NOT NULL DEFAULT 0,
    cidr TEXT NOT NULL, gateway TEXT NOT NULL, mode TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
    lowest_free INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX network_project ON network (project);
CREATE TABLE machine (
    uid TEXT PRIMARY KEY, installation TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL,
    hidden_until REAL NOT NULL DEFAULT 0,
    vcpus INTEGER NOT NULL, memory_mib INTEGER NOT NULL, root_gib INTEGER NOT NULL, image TEXT NOT NULL,
    ssh_keys INTEGER NOT NULL, host INTEGER NOT NULL REFERENCES host (number),
    power TEXT NOT NULL, power_at REAL NOT NULL, complete INTEGER NOT NULL DEFAULT 0,
    ready_at REAL NOT NULL, delete_at REAL,
    started_at REAL, ran_seconds REAL NOT NULL DEFAULT 0, console TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE INDEX machine_deletion ON machine (delete_at) WHERE delete_at IS NOT NULL;
CREATE TABLE card (
    machine TEXT NOT NULL REFERENCES machine (uid), position INTEGER NOT NULL,
    network TEXT NOT NULL REFERENCES network (uid), mac TEXT NOT NULL, address INTEGER NOT NULL,
    PRIMARY KEY (machine, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX card_address ON card (network, address);
CREATE UNIQUE INDEX card_mac ON card (network, mac);
CREATE TABLE volume (
    uid TEXT PRIMARY KEY, installation TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL,
    hidden_until REAL NOT NULL DEFAULT 0,
    size_gib INTEGER NOT NULL, image TEXT NOT NULL,
    machine TEXT REFERENCES machine (uid), position INTEGER
) WITHOUT ROWID;
CREATE INDEX volume_machine ON volume (machine) WHERE machine IS NOT NULL;
CREATE TABLE bucket (
    uid TEXT PRIMARY KEY, installation TEXT NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL,
    hidden_until REAL NOT NULL DEFAULT 0, objects INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE fault_rule (
    position INTEGER PRIMARY KEY, origin TEXT NOT NULL, rule TEXT NOT NULL, set_at REAL NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0
);
"""

# The identity of an adopted object before its adoption, as JSON.
_SINCE_2: Final = """
ALTER TABLE network ADD COLUMN adopted TEXT;
ALTER TABLE volume ADD COLUMN adopted TEXT;
"""


Row = sqlite3.Row
"""One row of a table, by column name."""


class CutOffError(Exception):
    """The call is cut off here; what it has done so far stays."""


class Transaction:
    """Runs the region's statements.

    Attributes:
        now: time of the transaction in seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, *, cut_at: int = 0) -> None:
        self._connection: Final = connection
        self._steps_left = cut_at
        self.now: Final = time.time()

    def run(self, statement: str, *values: object) -> int:
        """Run a statement and return the number of affected rows."""
        return self._connection.execute(statement, values).rowcount

    def rows(self, statement: str, *values: object) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, *values: object) -> Iterator[Row]:
        """Return the rows one by one, for a reader that may stop early."""
        return self._connection.execute(statement, values)

    def row(self, statement: str, *values: object) -> Row | None:
        found: Row | None = self._connection.execute(statement, values).fetchone()
        return found

    def step(self) -> None:
        """Mark a step at which the call can be cut off, leaving half of the work."""
        if self._steps_left:
            self._steps_left -= 1
            if not self._steps_left:
                raise CutOffError


class Store:
    """The open file. Threads and processes may share it; writers wait for one another."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._write_lock: Final = threading.Lock()
        self._read_lock: Final = threading.Lock()
        self._lock_file: Final = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        with _locked(self._lock_file):
            self._writer: Final = _connect(path)
            self._reader: Final = _connect(path)
        # The driver contract has no close(): the file is closed when the store is no longer referenced.
        self._release: Final = weakref.finalize(self, _close, self._writer, self._reader, self._lock_file)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open or create the file.

        Raises:
            MisconfiguredError: it cannot be created, or is not a region.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            store = cls(path)
            store._check_format()
        except (OSError, sqlite3.Error) as error:
            detail = f"the region's file {path} cannot be used; make its folder writable, or move the file away"
            raise MisconfiguredError(detail, provider_text=str(error)) from error
        return store

    def _check_format(self) -> None:
        with self.writing() as transaction:
            version = transaction.rows("PRAGMA user_version")[0][0]
            if version <= SCHEMA_VERSION:
                _make_schema(transaction, version)
        if version > SCHEMA_VERSION:
            self.close()
            raise MisconfiguredError(f"{self.path} is a region of format {version}, not {SCHEMA_VERSION}; move it away")

    @contextlib.contextmanager
    def writing(self, *, cut_at: int = 0) -> Iterator[Transaction]:
        """Change the region atomically, except that a call that is cut off keeps its first part."""
        # The kernel wakes a waiter for the lock file at once; SQLite's own lock is polled.
        with self._write_lock, _locked(self._lock_file):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._writer, cut_at=cut_at)
            except CutOffError:
                self._commit()
                raise
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._commit()

    def _commit(self) -> None:
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Read one consistent state of the region without blocking writers."""
        with self._read_lock:
            self._reader.execute("BEGIN")
            try:
                yield Transaction(self._reader)
            finally:
                self._reader.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._write_lock, self._read_lock:
            self._release()


def _close(writer: sqlite3.Connection, reader: sqlite3.Connection, lock_file: int) -> None:
    writer.close()
    reader.close()
    os.close(lock_file)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _make_schema(transaction: Transaction, present: int) -> None:
    missing = "".join((_SCHEMA, _SINCE_2)[present:])
    for statement in missing.split(";"):
        if statement.strip():
            transaction.run(statement)
    transaction.run(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
