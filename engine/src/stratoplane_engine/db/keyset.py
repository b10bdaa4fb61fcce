# SPDX-License-Identifier: Apache-2.0
"""Pages by key: rows after the last one that was seen, so that a page's cost does not grow with the table."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement

ValueT = TypeVar("ValueT")


def oldest_first(
    connection: Connection,
    wanted: type[ValueT],
    select: str,
    conditions: Mapping[str, object],
    *,
    after: UUID | None,
    limit: int,
) -> list[ValueT]:
    """Return up to ``limit`` values of ``select`` whose ``t.id`` comes after ``after``, oldest first.

    Args:
        connection: reads them.
        wanted: class of the values.
        select: a constant ``SELECT ... FROM ... AS t`` without conditions; ids are ordered by time.
        conditions: constant conditions, each with one parameter ``:value``, and its value; None leaves it out.
        after: the last id of the page before, None at the beginning.
        limit: how many at most.
    """
    where, parameters = _where({**conditions, "t.id > :value": after})
    statement = Statement(f"{select} WHERE {where} ORDER BY t.id ASC LIMIT :limit")
    return connection.all(wanted, statement, {**parameters, "limit": limit})


def newest_first(
    connection: Connection,
    wanted: type[ValueT],
    select: str,
    conditions: Mapping[str, object],
    *,
    before: UUID | None,
    limit: int,
) -> list[ValueT]:
    """Return up to ``limit`` values of ``select`` whose ``t.id`` comes before ``before``, newest first.

    Args:
        connection: reads them.
        wanted: class of the values.
        select: a constant ``SELECT ... FROM ... AS t`` without conditions; ids are ordered by time.
        conditions: constant conditions, each with one parameter ``:value``, and its value; None leaves it out.
        before: the last id of the page before, None at the beginning.
        limit: how many at most.
    """
    where, parameters = _where({**conditions, "t.id < :value": before})
    statement = Statement(f"{select} WHERE {where} ORDER BY t.id DESC LIMIT :limit")
    return connection.all(wanted, statement, {**parameters, "limit": limit})


def _where(conditions: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return the clause and its parameters. Its text depends on which conditions count, never on their values."""
    clauses, parameters = ["true"], dict[str, object]()
    for number, (condition, value) in enumerate(conditions.items()):
        if value is not None:
            clauses.append(condition.replace(":value", f":value_{number}"))
            parameters[f"value_{number}"] = value
    return " AND ".join(clauses), parameters
