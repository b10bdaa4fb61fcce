# SPDX-License-Identifier: Apache-2.0
"""Pages by key: rows after the last one that was seen, so that a page's cost does not grow with the table."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement

ValueT = TypeVar("ValueT")


def newest_first(
    connection: Connection,
    wanted: type[ValueT],
    select: str,
    conditions: Mapping[str, object],
    *,
    before: UUID | None,
    limit: int,
) -> list[ValueT]:
    """Return up to ``limit`` values of ``select`` whose ``t.id`` is before ``before``, newest first.

    Args:
        wanted: class of the values.
        select: a constant ``SELECT ... FROM ... AS t`` without conditions; ids are ordered by time.
        conditions: constant conditions with one parameter ``:value`` each, and its value; None leaves it out.
        before: the last id of the page before, None at the beginning.
        limit: how many at most.
    """
    asked = {**conditions, "t.id < :value": before}
    clauses, parameters = ["true"], dict[str, object](limit=limit)
    for number, (condition, value) in enumerate(asked.items()):
        if value is not None:
            clauses.append(condition.replace(":value", f":value_{number}"))
            parameters[f"value_{number}"] = value
    statement = Statement(f"{select} WHERE {' AND '.join(clauses)} ORDER BY t.id DESC LIMIT :limit")
    return connection.all(wanted, statement, parameters)


def rows_after(
    connection: Connection,
    select: str,
    conditions: Mapping[str, Any],
    *,
    after: str | None,
    limit: int,
    newest_first: bool = False,
) -> list[dict[str, Any]]:
    """Return up to ``limit`` rows of ``select`` whose ``t.id`` comes after ``after``.

    Args:
        select: a constant ``SELECT ... FROM ... AS t`` without conditions.
        conditions: constant conditions with one parameter ``:value`` each, and its value; None leaves it out.
        newest_first: ids are ordered by time; read them backwards.
    """
    clauses, parameters = ["true"], dict[str, Any](limit=limit)
    for number, (condition, value) in enumerate(conditions.items()):
        if value is not None:
            clauses.append(condition.replace(":value", f":value_{number}"))
            parameters[f"value_{number}"] = value
    if after is not None:
        clauses.append("t.id < :after" if newest_first else "t.id > :after")
        parameters["after"] = UUID(after)
    order = "DESC" if newest_first else "ASC"
    statement = f"{select} WHERE {' AND '.join(clauses)} ORDER BY t.id {order} LIMIT :limit"
    return [row._asdict() for row in connection.execute(text(statement), parameters)]
