# SPDX-License-Identifier: Apache-2.0
"""Checks the audit trail against its seals: what was changed, taken out, put in or cut off since shows.

What it cannot show: an end that was cut off together with its checkpoints, and a trail that was forged whole by
somebody who has the installation's key. A checkpoint that was kept elsewhere shows both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from stratoplane_engine.audit_trail.checkpoint import Checkpoint, NoCheckpointError, origin_of
from stratoplane_engine.audit_trail.merkle import CompactRange, leaf_hash
from stratoplane_engine.audit_trail.sealer import content_of
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.installation_key import installation_key

_PAGE: Final = 5_000
_MOST: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Discrepancy:
    """Something that is not as it was sealed.

    Attributes:
        position: of the first leaf that it concerns; None for an event that has none.
        event_id: the event, where one is known.
        problem: one line for people.
    """

    position: int | None
    event_id: UUID | None
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a check of the whole trail found.

    Attributes:
        events: sealed events that were looked at.
        checkpoints: signed checkpoints that were looked at.
        root: of the tree that the events make now, hexadecimal.
        findings: what is wrong, in the order of the trail; the first 100.
    """

    events: int
    checkpoints: int
    root: str
    findings: tuple[Discrepancy, ...]


@dataclass(kw_only=True, slots=True)
class _Walk:
    """How far the walk along the trail has come."""

    origin: str
    public_key: str
    tree: CompactRange = field(default_factory=CompactRange)
    checkpoints: int = 0
    findings: list[Discrepancy] = field(default_factory=list)

    def find(self, problem: str, *, position: int | None = None, event_id: UUID | None = None) -> None:
        self.findings.append(Discrepancy(position=position, event_id=event_id, problem=problem))


def verify(database: Database, *, kept: str | None = None) -> Verdict:
    """Compute every hash again and compare it with what was sealed.

    Args:
        kept: a checkpoint that was kept elsewhere, as its note; the trail must still begin with what it tells of.

    Raises:
        NoCheckpointError: ``kept`` is none of this installation.
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        key, state = installation_key(connection), audit_tree.read(connection)
    walk = _Walk(origin=origin_of(key.installation_id), public_key=key.public_key)
    expected = None if kept is None else _opened(walk, kept)
    for first in range(0, state["size"], _PAGE):
        with database.system() as connection:
            _walk_page(connection, walk, first, min(first + _PAGE, state["size"]), expected)
        if len(walk.findings) >= _MOST:
            break
    else:
        _look_at_the_end(database, walk, state, expected)
    return Verdict(
        events=walk.tree.size,
        checkpoints=walk.checkpoints,
        root=walk.tree.root.hex(),
        findings=tuple(walk.findings[:_MOST]),
    )


def _opened(walk: _Walk, note: str) -> Checkpoint:
    checkpoint = Checkpoint.opened(note, walk.public_key)
    if checkpoint.origin != walk.origin:
        raise NoCheckpointError(f"it is of {checkpoint.origin}, this is {walk.origin}")
    return checkpoint


def _walk_page(connection: Connection, walk: _Walk, first: int, end: int, kept: Checkpoint | None) -> None:
    hashes = list(_hashes(walk, audit_tree.leaves(connection, first, end), first, end))
    for row in audit_tree.checkpoints(connection, first, end):
        _grow(walk, hashes, first, row["size"], kept)
        _look_at_checkpoint(walk, row)
    _grow(walk, hashes, first, end, kept)


def _hashes(walk: _Walk, leaves: list[dict[str, Any]], first: int, end: int) -> Iterator[bytes]:
    """Return the hash of what stands at each position now; of what is gone, the one that was sealed."""
    by_position = {leaf["position"]: leaf for leaf in leaves}
    for position in range(first, end):
        leaf = by_position.get(position)
        if leaf is None:
            walk.find("the leaf is gone", position=position)
            yield leaf_hash(b"")
        elif leaf["id"] is None:
            walk.find("the event is gone", position=position, event_id=leaf["event_id"])
            yield bytes(leaf["hash"])
        else:
            found = leaf_hash(content_of(leaf))
            if found != bytes(leaf["hash"]):
                walk.find("the event is not what was sealed", position=position, event_id=leaf["event_id"])
            yield found


def _grow(walk: _Walk, hashes: list[bytes], first: int, size: int, kept: Checkpoint | None) -> None:
    if kept is not None and walk.tree.size < kept.size <= size:
        walk.tree = walk.tree.with_leaves(hashes[walk.tree.size - first : kept.size - first])
        if walk.tree.root != kept.root:
            walk.find(f"the first {kept.size} events are not those of the checkpoint that was kept")
    walk.tree = walk.tree.with_leaves(hashes[walk.tree.size - first : size - first])


def _look_at_checkpoint(walk: _Walk, row: dict[str, Any]) -> None:
    walk.checkpoints += 1
    last = row["size"] - 1
    try:
        signed = _opened(walk, row["note"])
    except NoCheckpointError as error:
        walk.find(f"the checkpoint of {row['size']} events is not as it was signed: {error}", position=last)
        return
    if (signed.size, signed.root, signed.sealed_at) != (row["size"], bytes(row["root"]), row["sealed_at"]):
        walk.find(f"the checkpoint of {row['size']} events says other than its signed note", position=last)
    if signed.root != walk.tree.root:
        walk.find(f"the first {row['size']} events are not those that were signed", position=last)


def _look_at_the_end(database: Database, walk: _Walk, state: Mapping[str, Any], kept: Checkpoint | None) -> None:
    with database.system() as connection:
        last = audit_tree.checkpoints(connection, state["size"] - 1, state["size"])
        strangers = audit_tree.behind_the_seal(connection, state["sealed_to"], limit=_MOST)
    if state["size"] and not last:
        walk.find(f"the checkpoint of the last {state['size']} events is gone", position=state["size"] - 1)
    if bytes(state["peaks"]) != walk.tree.packed:
        walk.find("the tree is not the one that its leaves make")
    if kept is not None and kept.size > state["size"]:
        walk.find(f"the trail has {state['size']} sealed events, the checkpoint that was kept {kept.size}")
    for event_id in strangers:
        walk.find("the event was put in behind the seal", event_id=event_id)
