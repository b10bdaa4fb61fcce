# SPDX-License-Identifier: Apache-2.0
"""Seals the audit trail: appends new events to a tree of hashes and signs its root.

It runs beside the transactions that write events and never holds one up. A chain in which each event carries the hash
of the one before would: its head is a row that every change of the whole platform has to take.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from stratoplane_engine.audit_trail.checkpoint import Checkpoint, origin_of
from stratoplane_engine.audit_trail.merkle import CompactRange, leaf_hash
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.audit_tree import FinalEvent
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.installation_key import installation_key
from stratoplane_engine.model.audit import AuditCheckpoint, AuditEvent, AuditTree

BATCH: Final = 2_000
"""Events that one transaction seals at most, under one signature."""
_IDS: Final = ("id", "organization_id", "project_id", "subject_id")
_TEXTS: Final = ("action", "outcome", "actor", "subject_name", "request_id", "trace_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealing:
    """What one round did.

    Attributes:
        sealed: events that were sealed.
        size: how many are sealed now; None when another sealer was sealing.
    """

    sealed: int
    size: int | None


def content_of(event: AuditEvent) -> bytes:
    """Return what is hashed of an event: JSON in UTF-8, members sorted by name, no white space, times in UTC."""
    members: dict[str, object] = {
        name: None if (value := getattr(event, name)) is None else str(value) for name in _IDS
    }
    members |= {name: getattr(event, name) for name in _TEXTS}
    members |= {"detail": event.detail, "occurred_at": event.occurred_at.astimezone(UTC).isoformat()}
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seal(database: Database, *, batch: int = BATCH) -> Sealing:
    """Seal everything that no open transaction can come before any more. Several at once do no harm.

    Args:
        database: where the trail is.
        batch: how many events get one signature at most.

    Raises:
        UnavailableError: the database does not answer; what was sealed before stays sealed.
    """
    sealed = 0
    while True:
        with database.system() as connection:
            done = _seal_batch(connection, batch)
        sealed += done.sealed
        if done.sealed < batch:
            return Sealing(sealed=sealed, size=done.size)


def _seal_batch(connection: Connection, batch: int) -> Sealing:
    state = audit_tree.lock(connection)
    if state is None:
        return Sealing(sealed=0, size=None)
    tree = CompactRange.unpacked(state.size, state.peaks)
    found = audit_tree.final_events(connection, state.since, limit=batch)
    if found:
        tree = _append(connection, tree, found, state)
    # What is older than the oldest open transaction of the earlier snapshot, the later one has seen.
    sealed_to = found[-1].transaction if len(found) == batch else state.oldest
    if found or state.since != state.sealed_to:
        audit_tree.move(connection, size=tree.size, peaks=tree.packed, sealed_to=sealed_to)
    return Sealing(sealed=len(found), size=tree.size)


def _append(connection: Connection, tree: CompactRange, found: Sequence[FinalEvent], state: AuditTree) -> CompactRange:
    leaves = [(each.event.id, leaf_hash(content_of(each.event))) for each in found]
    grown = tree.with_leaves(each for _, each in leaves)
    key = installation_key(connection)
    checkpoint = Checkpoint(
        origin=origin_of(key.installation_id), size=grown.size, root=grown.root, sealed_at=state.now.astimezone(UTC)
    )
    signed = AuditCheckpoint(
        size=grown.size, root=grown.root, sealed_at=state.now, note=checkpoint.signed(key.private_key)
    )
    audit_tree.append(connection, first=tree.size, leaves=leaves, checkpoint=signed)
    return grown
