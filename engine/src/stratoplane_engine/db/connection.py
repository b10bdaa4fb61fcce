# SPDX-License-Identifier: Apache-2.0
"""The one way to a transaction.

Every transaction takes on one of two roles that own no table: ``stratoplane_tenant`` sees the rows of one
organization (row-level security), ``stratoplane_system`` sees all and serves the engine and the operators. Role and
organization are set inside the transaction, so that a connection pooler in transaction mode may stand between.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from stratoplane.errors import UnavailableError

SYSTEM_ROLE: Final = "stratoplane_system"
TENANT_ROLE: Final = "stratoplane_tenant"


def dump_json(value: Any) -> str:  # any JSON value
    return orjson.dumps(value).decode()


def sqlalchemy_url(database_url: str) -> str:
    """Return a libpq URL (``postgresql://...``) as the URL that SQLAlchemy opens with psycopg."""
    return make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Database:
    """Connections to the platform's PostgreSQL.

    Args:
        url: a libpq URL; sockets are given by ``?host=/folder``.
        pool_size: connections kept open.
        spare: how many more may be opened under load, and closed again; as many again when None.
        application: shown in ``pg_stat_activity``.
        patience: seconds that a transaction waits for a connection while all are in use.

    One object serves a process; make it after a fork, never before.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        application: str = "stratoplane",
        patience: float = 5.0,
        spare: int | None = None,
    ) -> None:
        self.url: Final = url
        self.engine: Final[Engine] = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size if spare is None else spare,
            pool_timeout=patience,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            connect_args={"application_name": application, "connect_timeout": 5, "prepare_threshold": 3},
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def system(self) -> Iterator[Connection]:
        """Open a transaction that sees every organization.

        Raises:
            UnavailableError: PostgreSQL does not answer; nothing was written, the caller repeats later.
        """
        with self._transaction(SYSTEM_ROLE, "") as connection:
            yield connection

    @contextmanager
    def tenant(self, organization_id: UUID) -> Iterator[Connection]:
        """Open a transaction that sees and writes the rows of one organization. Raises as :meth:`system`."""
        with self._transaction(TENANT_ROLE, str(organization_id)) as connection:
            yield connection

    @contextmanager
    def _transaction(self, role: str, organization: str) -> Iterator[Connection]:
        try:
            with self._entered(role, organization) as connection:
                try:
                    yield connection
                except BaseException:
                    if not connection.invalidated:
                        connection.exec_driver_sql("ROLLBACK")
                    raise
                if _is_open(connection):
                    connection.exec_driver_sql("COMMIT")
        except (OperationalError, PoolTimeoutError) as error:
            raise _unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _unavailable(error) from error
            raise

    def _entered(self, role: str, organization: str) -> Connection:
        """Return a connection inside a new transaction.

        A kept connection may be dead since PostgreSQL was restarted. That shows at the first statement, when nothing
        has happened yet, so a second one is tried before anybody hears of it.
        """
        try:
            return self._enter(role, organization)
        except OperationalError as error:
            if not error.connection_invalidated:
                raise
            return self._enter(role, organization)

    def _enter(self, role: str, organization: str) -> Connection:
        connection = self.engine.connect()
        try:
            # One round trip for all three; autocommit connections let this BEGIN be the only one.
            enter = f"BEGIN; SET LOCAL ROLE {role}; SET LOCAL stratoplane.organization = '{organization}'"
            connection.exec_driver_sql(enter)
        except BaseException:
            connection.close()
            raise
        return connection


def execute_last(connection: Connection, statement: str, parameters: Mapping[str, Any], *, commit: bool) -> None:
    """Run the last statement of a transaction and commit in the same round trip, when it succeeds.

    Locks of the statement end without waiting for this process: behind a busy interpreter that is the longer part.

    Args:
        statement: with psycopg's placeholders, ``%(name)s``.
        commit: False leaves the transaction open, for a caller that takes it back.

    Raises:
        psycopg.Error: the statement was refused; the transaction is lost.
        UnavailableError: PostgreSQL went away; whether the commit arrived is unknown.
    """
    driver = _driver_connection(connection)
    try:
        with driver.pipeline():
            driver.execute(statement, parameters)
            if commit:
                # Never prepared: behind a refusal the server skips even the preparing, and the client would not know.
                driver.execute("COMMIT", prepare=False)
    except psycopg.OperationalError as error:
        if driver.closed:
            connection.invalidate()
        raise _unavailable(error) from error


def _driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  # for mypy: the engine is made with psycopg
    return driver


def _is_open(connection: Connection) -> bool:
    return _driver_connection(connection).info.transaction_status is not TransactionStatus.IDLE


def _unavailable(error: Exception) -> UnavailableError:
    reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
    return UnavailableError(f"the database does not answer ({reason}); nothing was changed, try again shortly")
