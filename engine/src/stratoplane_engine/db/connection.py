# SPDX-License-Identifier: Apache-2.0
"""The one way to PostgreSQL.

Everything runs under one of two roles that own no table: ``stratoplane_tenant`` sees the rows of one organization
(row-level security), ``stratoplane_system`` sees all and serves the engine and the operators. Role and organization are
set inside the transaction, so that a connection pooler in transaction mode may stand between.

Round trips are what a request waits for. A transaction sends ``BEGIN``, the role and its first statement in one flush;
statements that only read need no transaction around them and cost one flush each, role included.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from stratoplane_engine.db.address import read_address
from stratoplane_engine.db.kept import KeptConnections
from stratoplane_engine.db.opening import SilentError, deadline_of, open_connection
from stratoplane_engine.db.outages import is_of_no_use, unavailable
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.model import conversion

SYSTEM_ROLE: Final = "stratoplane_system"
TENANT_ROLE: Final = "stratoplane_tenant"

ValueT = TypeVar("ValueT")
Parameters = Mapping[str, object]
Document = dict[str, object]
"""A row by its columns' names, or a JSON object: what has not become a value of the model yet."""

Watch = Callable[[bytes], None]
"""Is told of every statement before it is sent."""

_Driver = psycopg.Connection[tuple[object, ...]]
_Cursor = psycopg.Cursor[Document]
_NOTHING: Final[Parameters] = MappingProxyType({})
_COMMIT: Final = b"COMMIT"
_ENTER: Final = (
    "SELECT set_config('role', %(role)s, true), set_config('stratoplane.organization', %(organization)s, true),"
    " set_config('statement_timeout', %(milliseconds)s, true)"
)


def dump_json(value: object) -> str:
    """Return dataclasses, mappings, ids, times and enumerations as JSON, members named as in the model."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def read(wanted: type[ValueT], document: object) -> ValueT:
    """Make a value of the model from a row or a JSON value; members that it does not know are ignored."""
    return conversion.convert(document, wanted)


def read_all(wanted: type[ValueT], documents: Sequence[object]) -> list[ValueT]:
    """Make values of the model from rows or JSON values."""
    return conversion.convert_all(documents, wanted)


class Connection:
    """One transaction, or statements that each are one. :class:`Database` makes it; nothing is sent before it is used.

    Every method that takes a :class:`Statement` raises:
        UnavailableError: PostgreSQL does not answer; nothing was written, the caller repeats later.
        psycopg.Error: the statement was refused.
    """

    def __init__(
        self,
        pool: QueuePool,
        *,
        role: str,
        organization: str,
        in_transaction: bool,
        kinds: Kinds,
        kept: KeptConnections,
        statement_seconds: float,
        watch: Watch | None = None,
    ) -> None:
        self.kinds: Final = kinds
        self._pool: Final = pool
        self._kept: Final = kept
        self._watch: Final = watch
        milliseconds = str(round(statement_seconds * 1000))
        self._entering: Final = {"role": role, "organization": organization, "milliseconds": milliseconds}
        self._in_transaction: Final = in_transaction
        self._pooled: PoolProxiedConnection | None = None
        self._deferred: Final[list[tuple[bytes, Parameters]]] = []

    def run(self, statement: Statement, parameters: Parameters = _NOTHING) -> int:
        """Run a statement and return how many rows it wrote."""
        return self._run(statement, parameters).rowcount

    def all(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> list[ValueT]:
        """Return every row as a value of ``wanted``, by the columns' names."""
        return read_all(wanted, self._run(statement, parameters).fetchall())

    def first(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> ValueT | None:
        """Return the first row as a value of ``wanted``, None when there is no row."""
        row = self._run(statement, parameters).fetchone()
        return None if row is None else read(wanted, row)

    def one(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> ValueT:
        """Return the row of a statement that always has one."""
        found = self.first(wanted, statement, parameters)
        if found is None:
            raise LookupError("a statement that always has a row had none")
        return found

    def listed(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> list[ValueT]:
        """Return the rows of a statement whose one value is the text of a JSON array, read without a step between.

        Raises beside the others:
            msgspec.ValidationError: a value is none of ``wanted``; another version of the platform wrote it.
        """
        text = self.value(str, statement, parameters)
        # mypy does not see that a class can be hashed.
        return [] if text is None else conversion.decoder_of(wanted).decode(text)  # type: ignore[arg-type]

    def documents(self, statement: Statement, parameters: Parameters = _NOTHING) -> list[Document]:
        """Return every row by its columns' names, for a caller that makes values of them in its own way."""
        return self._run(statement, parameters).fetchall()

    def values(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> list[ValueT]:
        """Return the first column of every row."""
        found = self._run(statement, parameters).fetchall()
        return read_all(wanted, [next(iter(row.values())) for row in found])

    def value(self, wanted: type[ValueT], statement: Statement, parameters: Parameters = _NOTHING) -> ValueT | None:
        """Return the first column of the first row, None when there is no row or it is NULL."""
        row = self._run(statement, parameters).fetchone()
        found = None if row is None else next(iter(row.values()))
        return None if found is None else read(wanted, found)

    def defer(self, statement: Statement, parameters: Parameters = _NOTHING) -> None:
        """Run a write or a lock of a transaction in one flush with the next statement or the commit, and before it.

        For what nobody reads the result of; the next statement sees what a lock has waited for. What refuses it is
        raised by that next statement, or at the commit.
        """
        self._deferred.append((statement.sql, parameters))

    def commit_with(self, statement: Statement, parameters: Parameters = _NOTHING) -> list[Document]:
        """Run the last statement of a transaction, commit in the same flush when it succeeds, and return its rows.

        Locks of the statement end without waiting for this process: behind a busy interpreter that is the longer part.
        """
        cursor = self._run(statement, parameters, commits=True)
        return [] if cursor.description is None else cursor.fetchall()

    def _run(self, statement: Statement, parameters: Parameters, *, commits: bool = False) -> _Cursor:
        begun = self._in_transaction and self._is_open()
        try:
            return self._flush(statement.sql, parameters, commits=commits)
        except psycopg.Error as error:
            # A kept connection may be dead since PostgreSQL was restarted, or lead to a server that only reads since
            # another took over. It shows at the first statement, when nothing has happened yet, so another is tried
            # before anybody hears of it; unless the commit went with it, which may have been heard.
            is_over = begun or commits or isinstance(error, SilentError)
            if is_over or not (self._is_dead() or is_of_no_use(error)):
                raise
            # The others that are kept are no better; the second one must not be another of them.
            self._kept.distrust()
            self._drop()
            return self._flush(statement.sql, parameters)

    def _flush(self, query: bytes, parameters: Parameters, *, commits: bool = False) -> _Cursor:
        """Send in one flush: what a transaction begins with, what was deferred, the statement, and the commit."""
        enters = not (self._in_transaction and self._is_open())
        if not (enters or commits or self._deferred):
            return self._send(query, parameters)
        with self._driver().pipeline():
            if enters and self._in_transaction:
                self._driver().execute("BEGIN", prepare=False)
            if enters:
                self._driver().execute(_ENTER, self._entering, prepare=True)
            for each in self._deferred:
                self._send(*each)
            cursor = self._send(query, parameters)
            if commits:
                self._send(_COMMIT, _NOTHING)
        self._deferred.clear()
        return cursor

    def _send(self, query: bytes, parameters: Parameters) -> _Cursor:
        if query is _COMMIT:
            # Never prepared: behind a refusal the server skips even the preparing, and the client would not know.
            return self._driver().cursor(row_factory=dict_row).execute(query, prepare=False)
        if self._watch is not None:
            self._watch(query)
        return self._driver().cursor(row_factory=dict_row).execute(query, parameters)

    def _driver(self) -> _Driver:
        if self._pooled is None:
            self._pooled = self._pool.connect()
        driver = self._pooled.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  # for mypy: the pool is made with psycopg
        return driver

    def _is_open(self) -> bool:
        return self._pooled is not None and self._driver().info.transaction_status is not TransactionStatus.IDLE

    def _is_dead(self) -> bool:
        return self._pooled is not None and self._driver().closed

    def _drop(self) -> None:
        if self._pooled is not None:
            self._pooled.invalidate()
            self._pooled.close()
            self._pooled = None

    def _commit(self) -> None:
        if self._deferred:
            self._flush(_COMMIT, _NOTHING)
        elif self._is_open():
            self._driver().commit()

    def _distrust(self, error: BaseException) -> None:
        """Have the kept connections of everybody made again when the server of this one has become of no use."""
        if is_of_no_use(error):
            self._kept.distrust()

    def _roll_back(self, error: BaseException) -> None:
        self._distrust(error)
        if self._is_dead() or is_of_no_use(error):
            self._drop()
        elif self._is_open():
            self._driver().rollback()

    def _give_back(self) -> None:
        if self._pooled is not None:
            self._pooled.close()


class Database:
    """Connections to the platform's PostgreSQL.

    Args:
        url: a libpq URL, see :mod:`stratoplane_engine.db.address`; sockets are given by ``?host=/folder``.
        pool_size: connections kept open.
        spare: how many more may be opened under load, and closed again; as many again when None.
        application: shown in ``pg_stat_activity``.
        patience: seconds that a transaction waits for a connection while all are in use.
        watch: is told of every statement before it is sent.
        kinds: those that the process knows; the specs of resources are read by them.

    One object serves a process; make it after a fork, never before.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        application: str = "stratoplane",
        patience: float = 5.0,
        spare: int | None = None,
        watch: Watch | None = None,
        kinds: Kinds = BUILTIN_KINDS,
    ) -> None:
        self._watch: Final = watch
        self.kinds: Final = kinds
        self.url: Final = url
        self.closed = False
        self._address: Final = read_address(url)
        self._application: Final = application
        self._pool = QueuePool(
            self._connect,  # type: ignore[arg-type]  # SQLAlchemy's protocol wants positional-only names of DB-API 2
            pool_size=pool_size,
            max_overflow=pool_size if spare is None else spare,
            timeout=patience,
        )
        self._kept: Final = KeptConnections(self._pool)

    def _connect(self) -> _Driver:
        deadline = deadline_of(self._address)
        connection = open_connection(self._address, self._application, deadline=deadline, prepare_threshold=3)
        set_json_loads(orjson.loads, connection)
        return connection

    def close(self) -> None:
        """Close every connection; who listens beside them ends, too."""
        self.closed = True
        self._pool.dispose()

    def forget_connections(self) -> None:
        """Let go of the connections of the process that this one was forked from, without closing them for it."""
        self._pool = self._pool.recreate()

    @contextmanager
    def system(self) -> Iterator[Connection]:
        """Open a transaction that sees every organization.

        Raises:
            UnavailableError: PostgreSQL does not answer; nothing was written, the caller repeats later.
        """
        with self._connected(role=SYSTEM_ROLE, organization="", in_transaction=True) as connection:
            yield connection

    @contextmanager
    def tenant(self, organization_id: UUID) -> Iterator[Connection]:
        """Open a transaction that sees and writes the rows of one organization. Raises as :meth:`system`."""
        with self._connected(role=TENANT_ROLE, organization=str(organization_id), in_transaction=True) as connection:
            yield connection

    @contextmanager
    def system_reads(self) -> Iterator[Connection]:
        """Read rows of every organization, each statement by itself and in one round trip. Raises as :meth:`system`."""
        with self._connected(role=SYSTEM_ROLE, organization="", in_transaction=False) as connection:
            yield connection

    @contextmanager
    def tenant_reads(self, organization_id: UUID) -> Iterator[Connection]:
        """Read rows of one organization, each statement by itself and in one round trip. Raises as :meth:`system`."""
        with self._connected(role=TENANT_ROLE, organization=str(organization_id), in_transaction=False) as connection:
            yield connection

    @contextmanager
    def _connected(self, *, role: str, organization: str, in_transaction: bool) -> Iterator[Connection]:
        connection = Connection(
            self._pool,
            role=role,
            organization=organization,
            in_transaction=in_transaction,
            kinds=self.kinds,
            kept=self._kept,
            statement_seconds=self._address.statement_seconds,
            watch=self._watch,
        )
        try:
            try:
                yield connection
                connection._commit()  # noqa: SLF001  # the two classes of this module are one mechanism
            except BaseException as error:
                connection._roll_back(error)  # noqa: SLF001
                raise
            finally:
                connection._give_back()  # noqa: SLF001
        except (psycopg.OperationalError, PoolTimeoutError) as error:
            raise unavailable(error) from error
        except psycopg.Error as error:
            if is_of_no_use(error):
                raise unavailable(error) from error
            raise
