# SPDX-License-Identifier: Apache-2.0
"""What every table is made with: the metadata, and columns that recur."""

from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, MetaData, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import UserDefinedType

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


class TransactionNumber(UserDefinedType[str]):
    """PostgreSQL's ``xid8``: the 64-bit number of a transaction, which is never used again."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name."""
        return "XID8"


# How a dialect is told of a type, so that reading a schema knows it.
ischema_names["xid8"] = TransactionNumber


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that ``column`` holds a value of the enumeration."""
    allowed = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def timestamp_column(name: str, *, default: bool = False, nullable: bool = False) -> Column[object]:
    """Return a column for a time; ``default`` is the clock at the insert."""
    return Column(
        name,
        TIMESTAMP(timezone=True),
        nullable=nullable,
        server_default=func.clock_timestamp() if default else None,
    )


def identifier() -> Column[object]:
    """Return the primary key column of a table whose ids the platform makes."""
    return Column("id", Uuid, primary_key=True)


def json_object(name: str, default: str = "{}") -> Column[object]:
    """Return a column for JSON values."""
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'"))


def text_column(name: str, default: str | None = "") -> Column[object]:
    """Return a column for text that is never NULL; None as ``default`` makes it required."""
    return Column(name, Text, nullable=False, server_default=None if default is None else text(f"'{default}'"))


def count(name: str, default: int = 0) -> Column[object]:
    """Return a column for a whole number."""
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


def stamped(*columns: SchemaItem) -> tuple[SchemaItem, ...]:
    """Return ``columns`` with a version and the times of creation and last change."""
    return (
        *columns,
        count("version", 1),
        timestamp_column("created_at", default=True),
        timestamp_column("updated_at", default=True),
    )
