# SPDX-License-Identifier: Apache-2.0
"""SQL with named parameters."""

import functools
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy types no dialect's constructor


class Statement:
    """One SQL statement whose parameters are written ``:name``; every value is a parameter, never part of the text.

    A statement that is put together at run time from constants costs nothing the second time.
    """

    __slots__ = ("sql",)

    def __init__(self, sql: str) -> None:
        """Keep ``sql`` in the form that the driver takes."""
        self.sql: Final = _compiled(sql)


@functools.lru_cache(maxsize=2048)
def _compiled(sql: str) -> bytes:
    return str(text(sql).compile(dialect=_DIALECT)).encode()
