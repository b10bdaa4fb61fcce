# SPDX-License-Identifier: Apache-2.0
"""The sealed part of the audit trail: leaves in their order, the tree's right edge, signed checkpoints.

An event is sealed once its transaction can no longer be overtaken: no transaction that is older is still open. Ids and
times do not tell that, because transactions commit in another order than they begin in. In a database that was restored
from a dump, transaction numbers begin again; then everything is looked through once (``sealed_to`` lies in the future).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection

_TREE: Final = """
SELECT t.size, t.peaks, CAST(t.sealed_to AS text) AS sealed_to, CAST(pg_snapshot_xmin(s) AS text) AS oldest,
    CAST(CASE WHEN t.sealed_to <= pg_snapshot_xmax(s) THEN t.sealed_to ELSE '0' END AS text) AS since,
    clock_timestamp() AS now
FROM audit_tree t, pg_current_snapshot() AS s
"""
_READ: Final = text(_TREE)
_LOCK: Final = text(f"{_TREE} FOR NO KEY UPDATE OF t SKIP LOCKED")
_COLUMNS: Final = """
e.id, e.organization_id, e.project_id, e.action, e.outcome, e.actor, e.subject_id, e.subject_name, e.request_id,
    e.trace_id, e.detail, e.occurred_at
"""
_IS_UNSEALED: Final = """
e.transaction >= CAST(:since AS xid8) AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id)
"""
_FINAL: Final = text(f"""
SELECT {_COLUMNS}, CAST(e.transaction AS text) AS transaction
FROM audit_event e, pg_current_snapshot() AS s
WHERE {_IS_UNSEALED} AND (e.transaction < pg_snapshot_xmin(s) OR e.transaction >= pg_snapshot_xmax(s))
ORDER BY e.transaction, e.id LIMIT :limit
""")
_APPEND: Final = text("""
WITH leaves AS (
    INSERT INTO audit_leaf (position, event_id, hash)
    SELECT CAST(:first AS bigint) + n - 1, event_id, hash
    FROM unnest(CAST(:events AS uuid[]), CAST(:hashes AS bytea[])) WITH ORDINALITY AS u(event_id, hash, n)
)
INSERT INTO audit_checkpoint (size, root, sealed_at, note) VALUES (:size, :root, :sealed_at, :note)
""")
_MOVE: Final = text("UPDATE audit_tree SET size = :size, peaks = :peaks, sealed_to = CAST(:sealed_to AS xid8)")
_OLDEST: Final = text(f"""
SELECT e.id, e.occurred_at, extract(epoch FROM clock_timestamp() - e.occurred_at) AS age
FROM audit_event e WHERE {_IS_UNSEALED} ORDER BY e.transaction, e.id LIMIT 1
""")
_LAST: Final = text("SELECT c.size, c.sealed_at FROM audit_checkpoint c ORDER BY c.size DESC LIMIT 1")
_PAGE: Final = text("""
SELECT c.size, c.root, c.sealed_at, c.note FROM audit_checkpoint c
WHERE CAST(:before AS bigint) IS NULL OR c.size < :before ORDER BY c.size DESC LIMIT :limit
""")
_LEAVES: Final = text(f"""
SELECT l.position, l.event_id, l.hash, {_COLUMNS} FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id
WHERE l.position >= :first AND l.position < :end ORDER BY l.position
""")
_CHECKPOINTS: Final = text("""
SELECT c.size, c.root, c.sealed_at, c.note FROM audit_checkpoint c
WHERE c.size > :first AND c.size <= :end ORDER BY c.size
""")
_BEHIND: Final = text("""
SELECT e.id FROM audit_event e WHERE e.transaction < CAST(:sealed_to AS xid8)
    AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id) ORDER BY e.transaction, e.id LIMIT :limit
""")


def lock(connection: Connection) -> Mapping[str, Any] | None:
    """Take the tree for this transaction: ``size``, ``peaks``, where to go on; None when somebody else has it."""
    found = connection.execute(_LOCK).one_or_none()
    return found._asdict() if found else None


def read(connection: Connection) -> Mapping[str, Any]:
    """Return the tree as :func:`lock` does, without taking it."""
    return connection.execute(_READ).one()._asdict()


def final_events(connection: Connection, since: str, *, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` events that are not sealed and that none can come before any more, in their order."""
    return [row._asdict() for row in connection.execute(_FINAL, {"since": since, "limit": limit})]


def append(
    connection: Connection, *, first: int, leaves: Sequence[tuple[UUID, bytes]], checkpoint: Mapping[str, Any]
) -> None:
    """Write leaves (event and hash) from the position ``first`` on, and the checkpoint of the tree with them."""
    parameters = {"first": first, "events": [event for event, _ in leaves], "hashes": [each for _, each in leaves]}
    connection.execute(_APPEND, parameters | dict(checkpoint))


def move(connection: Connection, *, size: int, peaks: bytes, sealed_to: str) -> None:
    """Write the tree's right edge; ``sealed_to`` is the transaction to go on from."""
    connection.execute(_MOVE, {"size": size, "peaks": peaks, "sealed_to": sealed_to})


def oldest_unsealed(connection: Connection) -> Mapping[str, Any] | None:
    """Return the event that waits longest for its seal, with its ``age`` in seconds; None when all are sealed."""
    since = connection.execute(_READ).one().since
    found = connection.execute(_OLDEST, {"since": since}).one_or_none()
    return found._asdict() if found else None


def last_checkpoint(connection: Connection) -> Mapping[str, Any] | None:
    """Return ``size`` and ``sealed_at`` of the newest checkpoint, None when nothing was ever sealed."""
    found = connection.execute(_LAST).one_or_none()
    return found._asdict() if found else None


def page(connection: Connection, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` checkpoints of fewer events than ``before``, the newest first."""
    return [row._asdict() for row in connection.execute(_PAGE, {"before": before, "limit": limit})]


def leaves(connection: Connection, first: int, end: int) -> list[dict[str, Any]]:
    """Return the leaves at the positions from ``first`` to before ``end``, each with its event; ``id`` None: gone."""
    return [row._asdict() for row in connection.execute(_LEAVES, {"first": first, "end": end})]


def checkpoints(connection: Connection, first: int, end: int) -> list[dict[str, Any]]:
    """Return the checkpoints of more than ``first`` and up to ``end`` events, in their order."""
    return [row._asdict() for row in connection.execute(_CHECKPOINTS, {"first": first, "end": end})]


def behind_the_seal(connection: Connection, sealed_to: str, *, limit: int) -> Sequence[UUID]:
    """Return events without a leaf that are older than what was sealed last: somebody slipped them in."""
    return connection.execute(_BEHIND, {"sealed_to": sealed_to, "limit": limit}).scalars().all()
