# SPDX-License-Identifier: Apache-2.0
"""One transaction for a request, another look when somebody was quicker, and the same answer for the same key."""

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from stratoplane.errors import IdempotencyMismatchError, NoClusterError, StratoplaneError, UnavailableError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.changes import read_change, stored_answer
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.change import ChangeResult, StoredAnswer
from stratoplane_engine.services.changes.rows import KeyTakenError, NoRoomError

AnswerT = TypeVar("AnswerT")
AnswerReader = Callable[[Kinds, Mapping[str, object]], AnswerT]
"""Makes the answer of what was kept for a key, as :func:`stratoplane_engine.db.changes.read_change`."""

_LOOKS: Final = 5


class _DryRun(Exception, Generic[AnswerT]):  # noqa: N818  # no error: it takes the transaction back and carries the answer out
    def __init__(self, answer: AnswerT) -> None:
        super().__init__("dry run")
        self.answer: Final = answer


def transact(
    database: Database, context: RequestContext, work: Callable[[Connection], AnswerT], read: AnswerReader[AnswerT]
) -> AnswerT:
    """Run ``work`` in one transaction, again when somebody else was quicker and another look may help.

    A refusal may be the effect of the first request with the same idempotency key, so that its answer comes first. A
    dry run is taken back.

    Raises:
        NoClusterError: the chosen cluster filled up each time.
        StratoplaneError: what ``work`` raises.
    """
    for _ in range(_LOOKS):
        try:
            with database.tenant(context.organization_id) as connection:
                answer = work(connection)
                if context.dry_run:
                    raise _DryRun(answer)  # noqa: TRY301  # leaving the block with it takes the transaction back
                return answer
        except _DryRun as dry:
            planned: AnswerT = dry.answer
            return planned
        except (KeyTakenError, NoRoomError):
            continue
        except UnavailableError:
            raise
        except StratoplaneError:
            if (kept := stored(database, context, read)) is not None:
                return kept
            raise
    raise NoClusterError("the cluster has no room left for this; try a smaller size or another cluster")


def stored(database: Database, context: RequestContext, read: AnswerReader[AnswerT]) -> AnswerT | None:
    """Return the answer that the caller's idempotency key got before, None for a new key or none.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    if context.idempotency is None:
        return None
    with database.tenant_reads(context.organization_id) as connection:
        found = stored_answer(connection, context.organization_id, context.actor.id, context.idempotency.key)
    return replayed(context, found, database.kinds, read)


def replayed(
    context: RequestContext, found: StoredAnswer | None, kinds: Kinds, read: AnswerReader[AnswerT]
) -> AnswerT | None:
    """Return the answer that was kept for the caller's idempotency key, None when the key is new.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    if found is None or context.idempotency is None or context.dry_run:
        return None
    if found.fingerprint != context.idempotency.fingerprint:
        detail = f"idempotency key {context.idempotency.key!r} was used with another request; make a new key"
        raise IdempotencyMismatchError(detail)
    return read(kinds, found.answer)


def replayed_change(context: RequestContext, found: StoredAnswer | None, kinds: Kinds) -> ChangeResult | None:
    """Return the answer to a change that was kept for the caller's idempotency key. Raises as :func:`replayed`."""
    return replayed(context, found, kinds, read_change)
