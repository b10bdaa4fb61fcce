# SPDX-License-Identifier: Apache-2.0
"""The sealed part of the audit trail: leaves in their order, the tree's right edge, signed checkpoints.

An event is sealed once its transaction can no longer be overtaken: no transaction that is older is still open. Ids and
times do not tell that, because transactions commit in another order than they begin in. In a database that was restored
from a dump, transaction numbers begin again; then everything is looked through once (``sealed_to`` lies in the future).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, Document, read
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.audit import AuditCheckpoint, AuditEvent, AuditLeaf, AuditTree, UnsealedEvent

_TREE: Final = """
SELECT t.size, t.peaks, CAST(t.sealed_to AS text) AS sealed_to, CAST(pg_snapshot_xmin(s) AS text) AS oldest,
    CAST(CASE WHEN t.sealed_to <= pg_snapshot_xmax(s) THEN t.sealed_to ELSE '0' END AS text) AS since,
    clock_timestamp() AS now
FROM audit_tree t, pg_current_snapshot() AS s
"""
_READ: Final = Statement(_TREE)
_LOCK: Final = Statement(f"{_TREE} FOR NO KEY UPDATE OF t SKIP LOCKED")
_COLUMNS: Final = """
e.id, e.organization_id, e.project_id, e.action, e.outcome, e.actor, e.subject_id, e.subject_name, e.request_id,
    e.trace_id, e.detail, e.occurred_at
"""
_HAS_NO_LEAF: Final = "NOT EXISTS (SELECT FROM audit_leaf l WHERE l.event_id = e.id)"
_FINAL: Final = Statement(f"""
SELECT {_COLUMNS}, CAST(e.transaction AS text) AS transaction
FROM audit_event e, pg_current_snapshot() AS s
WHERE e.transaction >= CAST(:since AS xid8) AND {_HAS_NO_LEAF}
    AND (e.transaction < pg_snapshot_xmin(s) OR e.transaction >= pg_snapshot_xmax(s))
ORDER BY e.transaction, e.id LIMIT :limit
""")
_APPEND: Final = Statement("""
WITH leaves AS (
    INSERT INTO audit_leaf (position, event_id, hash)
    SELECT CAST(:first AS bigint) + n - 1, event_id, hash
    FROM unnest(CAST(:events AS uuid[]), CAST(:hashes AS bytea[])) WITH ORDINALITY AS u(event_id, hash, n)
)
INSERT INTO audit_checkpoint (size, root, sealed_at, note) VALUES (:size, :root, :sealed_at, :note)
""")
_MOVE: Final = Statement("UPDATE audit_tree SET size = :size, peaks = :peaks, sealed_to = CAST(:sealed_to AS xid8)")
_OLDEST: Final = Statement(f"""
WITH tree AS MATERIALIZED ({_TREE})
SELECT e.id, e.occurred_at, CAST(extract(epoch FROM clock_timestamp() - e.occurred_at) AS double precision) AS age,
    coalesce(last.size, 0) AS sealed_events, last.sealed_at
FROM (
    SELECT e.id, e.occurred_at FROM audit_event e
    WHERE e.transaction >= (SELECT CAST(since AS xid8) FROM tree) AND {_HAS_NO_LEAF}
    ORDER BY e.transaction, e.id LIMIT 1
) AS e
LEFT JOIN (SELECT c.size, c.sealed_at FROM audit_checkpoint c ORDER BY c.size DESC LIMIT 1) AS last ON true
""")
_NEWEST: Final = Statement("""
SELECT c.size, c.root, c.sealed_at, c.note FROM audit_checkpoint c
WHERE CAST(:before AS bigint) IS NULL OR c.size < :before ORDER BY c.size DESC LIMIT :limit
""")
_LEAVES: Final = Statement(f"""
SELECT l.position, l.event_id, l.hash, {_COLUMNS} FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id
WHERE l.position >= :first AND l.position < :end ORDER BY l.position
""")
_CHECKPOINTS: Final = Statement("""
SELECT c.size, c.root, c.sealed_at, c.note FROM audit_checkpoint c
WHERE c.size > :first AND c.size <= :end ORDER BY c.size
""")
_BEHIND: Final = Statement(f"""
SELECT e.id FROM audit_event e WHERE e.transaction < CAST(:sealed_to AS xid8) AND {_HAS_NO_LEAF}
ORDER BY e.transaction, e.id LIMIT :limit
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalEvent:
    """An event that none can come before any more, and the number of its transaction."""

    event: AuditEvent
    transaction: str


def lock(connection: Connection) -> AuditTree | None:
    """Take the tree for this transaction; None when somebody else has it."""
    return connection.first(AuditTree, _LOCK)


def tree(connection: Connection) -> AuditTree:
    """Return the tree without taking it."""
    return connection.one(AuditTree, _READ)


def final_events(connection: Connection, since: str, *, limit: int) -> list[FinalEvent]:
    """Return up to ``limit`` events that are not sealed and that none can come before any more, in their order."""
    found = connection.documents(_FINAL, {"since": since, "limit": limit})
    return [FinalEvent(event=read(AuditEvent, row), transaction=read(str, row["transaction"])) for row in found]


def append(
    connection: Connection, *, first: int, leaves: Sequence[tuple[UUID, bytes]], checkpoint: AuditCheckpoint
) -> None:
    """Write leaves (event and hash) from the position ``first`` on, and the checkpoint of the tree with them."""
    parameters = {
        "first": first,
        "events": [event for event, _ in leaves],
        "hashes": [each for _, each in leaves],
        "size": checkpoint.size,
        "root": checkpoint.root,
        "sealed_at": checkpoint.sealed_at,
        "note": checkpoint.note,
    }
    connection.run(_APPEND, parameters)


def move(connection: Connection, *, size: int, peaks: bytes, sealed_to: str) -> None:
    """Write the tree's right edge; ``sealed_to`` is the transaction to go on from."""
    connection.run(_MOVE, {"size": size, "peaks": peaks, "sealed_to": sealed_to})


def oldest_unsealed(connection: Connection) -> UnsealedEvent | None:
    """Return the event that waits longest for its seal; None when all are sealed."""
    return connection.first(UnsealedEvent, _OLDEST)


def newest_checkpoints(connection: Connection, *, before: int | None, limit: int) -> list[AuditCheckpoint]:
    """Return up to ``limit`` checkpoints of fewer events than ``before``, the newest first."""
    return connection.all(AuditCheckpoint, _NEWEST, {"before": before, "limit": limit})


def leaves(connection: Connection, first: int, end: int) -> list[AuditLeaf]:
    """Return the leaves at the positions from ``first`` to before ``end``, each with its event."""
    return [_leaf(row) for row in connection.documents(_LEAVES, {"first": first, "end": end})]


def _leaf(row: Document) -> AuditLeaf:
    return AuditLeaf(
        position=read(int, row["position"]),
        event_id=read(UUID, row["event_id"]),
        hash=read(bytes, row["hash"]),
        event=None if row["id"] is None else read(AuditEvent, row),
    )


def checkpoints(connection: Connection, first: int, end: int) -> list[AuditCheckpoint]:
    """Return the checkpoints of more than ``first`` and up to ``end`` events, in their order."""
    return connection.all(AuditCheckpoint, _CHECKPOINTS, {"first": first, "end": end})


def behind_the_seal(connection: Connection, sealed_to: str, *, limit: int) -> list[UUID]:
    """Return events without a leaf that are older than what was sealed last: somebody inserted them later."""
    return connection.values(UUID, _BEHIND, {"sealed_to": sealed_to, "limit": limit})
