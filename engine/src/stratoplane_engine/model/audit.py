# SPDX-License-Identifier: Apache-2.0
"""The audit trail as it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """One event; ``detail`` is JSON values."""

    id: UUID
    organization_id: UUID | None
    project_id: UUID | None
    action: str
    outcome: str
    actor: str
    subject_id: UUID | None
    subject_name: str
    request_id: str
    trace_id: str
    detail: Mapping[str, object]
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which events a list shows; None does not narrow.

    Attributes:
        actor: who caused them, as ``user:alice``.
        since: when the first of them was; ``until`` is when they were all over.
    """

    organization_id: UUID | None = None
    project_id: UUID | None = None
    subject_id: UUID | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditCheckpoint:
    """A signed statement about the beginning of the trail: ``size`` events have the hash ``root``.

    Attributes:
        note: the signed note, whole.
    """

    size: int
    root: bytes
    sealed_at: datetime
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditTree:
    """The tree over the sealed events, and where sealing goes on.

    Attributes:
        size: how many events are sealed.
        peaks: hashes of the tree's perfect subtrees, one after the other.
        sealed_to: number of the transaction that is looked at next; ``since`` is the same unless the database was
            restored from a dump, where the numbers begin again.
        oldest: number of the oldest transaction that is open.
        now: the database's time.
    """

    size: int
    peaks: bytes
    sealed_to: str
    since: str
    oldest: str
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLeaf:
    """A leaf of the tree, with the event that it was made of; None when the event is missing."""

    position: int
    event_id: UUID
    hash: bytes
    event: AuditEvent | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsealedEvent:
    """The event that waits longest for its seal.

    Attributes:
        age: seconds since it was written.
        sealed_events: how many are sealed; ``sealed_at`` is when the last of them was, None before the first.
    """

    id: UUID
    occurred_at: datetime
    age: float
    sealed_events: int
    sealed_at: datetime | None
