# SPDX-License-Identifier: Apache-2.0
"""Seals the audit trail: appends new events to a tree of hashes and signs its root.

It runs beside the transactions that write events and never holds one up. A chain in which each event carries the hash
of the one before would: its head is a row that every change of the whole platform has to take.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from stratoplane_engine.audit_trail.checkpoint import Checkpoint, origin_of
from stratoplane_engine.audit_trail.merkle import CompactRange, leaf_hash
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.installation_key import installation_key

BATCH: Final = 2_000
"""Events that one transaction seals at most, under one signature."""
_IDS: Final = ("id", "organization_id", "project_id", "subject_id")
_WORDS: Final = ("action", "outcome", "actor", "subject_name", "request_id", "trace_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealing:
    """What one round did.

    Attributes:
        sealed: events that were sealed.
        size: how many are sealed now; None when another sealer was at it.
    """

    sealed: int
    size: int | None


def content_of(event: Mapping[str, Any]) -> bytes:
    """Return what is hashed of an event: JSON in UTF-8, members sorted by name, no white space, times in UTC.

    Args:
        event: a row of the audit trail, with JSON values in ``detail``.
    """
    members: dict[str, Any] = {name: str(event[name]) if event[name] else None for name in _IDS}
    members |= {name: event[name] for name in _WORDS}
    members |= {"detail": event["detail"], "occurred_at": event["occurred_at"].astimezone(UTC).isoformat()}
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seal(database: Database, *, batch: int = BATCH) -> Sealing:
    """Seal everything that no open transaction can come before any more. Several at once do no harm.

    Args:
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
    tree = CompactRange.unpacked(state["size"], bytes(state["peaks"]))
    events = audit_tree.final_events(connection, state["since"], limit=batch)
    if events:
        tree = _append(connection, tree, events, state)
    # What is older than the oldest open transaction of the earlier snapshot, the later one has seen.
    sealed_to = events[-1]["transaction"] if len(events) == batch else state["oldest"]
    if events or state["since"] != state["sealed_to"]:
        audit_tree.move(connection, size=tree.size, peaks=tree.packed, sealed_to=sealed_to)
    return Sealing(sealed=len(events), size=tree.size)


def _append(
    connection: Connection, tree: CompactRange, events: list[dict[str, Any]], state: Mapping[str, Any]
) -> CompactRange:
    leaves = [(event["id"], leaf_hash(content_of(event))) for event in events]
    grown = tree.with_leaves(each for _, each in leaves)
    key = installation_key(connection)
    checkpoint = Checkpoint(
        origin=origin_of(key.installation_id), size=grown.size, root=grown.root, sealed_at=state["now"].astimezone(UTC)
    )
    signed = {"size": grown.size, "root": grown.root, "sealed_at": state["now"]}
    note = checkpoint.signed(key.private_key)
    audit_tree.append(connection, first=tree.size, leaves=leaves, checkpoint={**signed, "note": note})
    return grown
