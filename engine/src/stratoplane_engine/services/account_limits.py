# SPDX-License-Identifier: Apache-2.0
"""How many projects, users, role bindings and tokens there may be."""

from uuid import UUID

from stratoplane.errors import QuotaExceededError
from stratoplane_engine.db import account_counts
from stratoplane_engine.db.account_counts import Counted
from stratoplane_engine.db.connection import Connection


def require_room(connection: Connection, counted: Counted, owner: UUID, *, limit: int) -> None:
    """Make sure that an owner, in the transaction that adds it, may have one more.

    Args:
        connection: of the transaction.
        counted: what is added; not sessions, of which the oldest end.
        owner: the user of a token, the organization of everything else.
        limit: how many it may have.

    Raises:
        QuotaExceededError: it has as many as it may; the caller deletes one, or asks an operator.
    """
    used = account_counts.count(connection, counted, owner, most=limit)
    if used < limit:
        return
    whose, scope = ("you have", "user") if counted is Counted.TOKENS else ("the organization has", "organization")
    name = counted.value.replace("_", " ")
    raise QuotaExceededError(
        f"{whose} {limit} {name}, which is the limit; delete some, or ask an operator for a higher limit",
        key=counted.value,
        scope=scope,
        limit=limit,
        used=used,
        wanted=1,
    )
