# SPDX-License-Identifier: Apache-2.0
"""Checks the audit trail against its seals: what was changed, removed, inserted or cut off since shows.

What it cannot show: an end that was cut off together with its checkpoints, and a trail that was forged whole by
somebody who has the installation's key. A checkpoint that was kept elsewhere shows both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from stratoplane_engine.audit_trail.checkpoint import Checkpoint, InvalidCheckpointError, origin_of
from stratoplane_engine.audit_trail.merkle import CompactRange, leaf_hash
from stratoplane_engine.audit_trail.sealer import content_of
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.installation_key import installation_key
from stratoplane_engine.model.audit import AuditCheckpoint, AuditLeaf, AuditTree

_PAGE: Final = 5_000
_MOST: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Discrepancy:
    """Something that differs from what was sealed.

    Attributes:
        position: of the first leaf that it concerns; None for an event that has none.
        event_id: the event, where one is known.
        problem: one line for people.
    """

    position: int | None
    event_id: UUID | None
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationReport:
    """What a check of the whole trail found.

    Attributes:
        events: sealed events that were checked.
        checkpoints: signed checkpoints that were checked.
        root: of the tree that the events make now, hexadecimal.
        findings: what is wrong, in the order of the trail; the first 100.
    """

    events: int
    checkpoints: int
    root: str
    findings: tuple[Discrepancy, ...]


@dataclass(kw_only=True, slots=True)
class _Walk:
    """How far the walk along the trail has come.

    Attributes:
        kept: a checkpoint that was kept elsewhere.
    """

    origin: str
    public_key: str
    kept: Checkpoint | None = None
    tree: CompactRange = field(default_factory=CompactRange)
    checkpoints: int = 0
    findings: list[Discrepancy] = field(default_factory=list)

    def find(self, problem: str, *, position: int | None = None, event_id: UUID | None = None) -> None:
        self.findings.append(Discrepancy(position=position, event_id=event_id, problem=problem))


def verify(database: Database, *, kept: str | None = None) -> VerificationReport:
    """Compute every hash again and compare it with what was sealed.

    Args:
        database: where the trail is.
        kept: a checkpoint that was kept elsewhere, as its note; the trail must still begin with what it tells of.

    Raises:
        InvalidCheckpointError: ``kept`` is not a checkpoint of this installation.
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        key, tree = installation_key(connection), audit_tree.tree(connection)
    walk = _Walk(origin=origin_of(key.installation_id), public_key=key.public_key)
    if kept is not None:
        walk.kept = _opened(walk, kept)
    for first in range(0, tree.size, _PAGE):
        with database.system_reads() as connection:
            _check_page(connection, walk, first, min(first + _PAGE, tree.size))
        if len(walk.findings) >= _MOST:
            break
    else:
        _check_end(database, walk, tree)
    return VerificationReport(
        events=walk.tree.size,
        checkpoints=walk.checkpoints,
        root=walk.tree.root.hex(),
        findings=tuple(walk.findings[:_MOST]),
    )


def _opened(walk: _Walk, note: str) -> Checkpoint:
    checkpoint = Checkpoint.opened(note, walk.public_key)
    if checkpoint.origin != walk.origin:
        raise InvalidCheckpointError(f"it is of {checkpoint.origin}, this is {walk.origin}")
    return checkpoint


def _check_page(connection: Connection, walk: _Walk, first: int, end: int) -> None:
    hashes = list(_hashes(walk, audit_tree.leaves(connection, first, end), first, end))
    for checkpoint in audit_tree.checkpoints(connection, first, end):
        _grow(walk, hashes, first, checkpoint.size)
        _check_checkpoint(walk, checkpoint)
    _grow(walk, hashes, first, end)


def _hashes(walk: _Walk, leaves: Sequence[AuditLeaf], first: int, end: int) -> Iterator[bytes]:
    """Return the hash of what stands at each position now; of what is missing, the one that was sealed."""
    by_position = {leaf.position: leaf for leaf in leaves}
    for position in range(first, end):
        leaf = by_position.get(position)
        if leaf is None:
            walk.find("the leaf is missing", position=position)
            yield leaf_hash(b"")
        elif leaf.event is None:
            walk.find("the event is missing", position=position, event_id=leaf.event_id)
            yield leaf.hash
        else:
            found = leaf_hash(content_of(leaf.event))
            if found != leaf.hash:
                walk.find("the event differs from what was sealed", position=position, event_id=leaf.event_id)
            yield found


def _grow(walk: _Walk, hashes: Sequence[bytes], first: int, size: int) -> None:
    kept = walk.kept
    if kept is not None and walk.tree.size < kept.size <= size:
        walk.tree = walk.tree.with_leaves(hashes[walk.tree.size - first : kept.size - first])
        if walk.tree.root != kept.root:
            walk.find(f"the first {kept.size} events differ from those of the checkpoint that was kept")
    walk.tree = walk.tree.with_leaves(hashes[walk.tree.size - first : size - first])


def _check_checkpoint(walk: _Walk, checkpoint: AuditCheckpoint) -> None:
    walk.checkpoints += 1
    size, last = checkpoint.size, checkpoint.size - 1
    try:
        signed = _opened(walk, checkpoint.note)
    except InvalidCheckpointError as error:
        walk.find(f"the note of the checkpoint of {size} events is not valid: {error}", position=last)
        return
    if (signed.size, signed.root, signed.sealed_at) != (size, checkpoint.root, checkpoint.sealed_at):
        walk.find(f"the checkpoint of {size} events differs from its signed note", position=last)
    if signed.root != walk.tree.root:
        walk.find(f"the first {size} events differ from those that were signed", position=last)


def _check_end(database: Database, walk: _Walk, tree: AuditTree) -> None:
    with database.system_reads() as connection:
        last = audit_tree.checkpoints(connection, tree.size - 1, tree.size)
        inserted = audit_tree.behind_the_seal(connection, tree.sealed_to, limit=_MOST)
    if tree.size and not last:
        walk.find(f"the checkpoint of all {tree.size} events is missing", position=tree.size - 1)
    if tree.peaks != walk.tree.packed:
        walk.find("the stored tree differs from the one that its leaves make")
    if walk.kept is not None and walk.kept.size > tree.size:
        walk.find(f"the trail has {tree.size} sealed events, the checkpoint that was kept has {walk.kept.size}")
    for event_id in inserted:
        walk.find("the event was inserted behind the seal", event_id=event_id)
