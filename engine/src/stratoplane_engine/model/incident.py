# SPDX-License-Identifier: Apache-2.0
"""Incidents: what a person must look at, its history, and who was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from stratoplane.incidents import IncidentKind, IncidentStatus, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Everything that was found of one cause.

    Attributes:
        key: what makes it the same incident.
        occurrences: how often a finding was added; once a minute at most.
        escalation: how often it was told again because nobody had acknowledged it.
    """

    id: UUID
    kind: IncidentKind
    severity: Severity
    status: IncidentStatus
    key: str
    title: str
    detail: Mapping[str, object]
    occurrences: int
    assignee: str
    escalation: int
    opened_at: datetime
    seen_at: datetime
    escalates_at: datetime | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    organization_id: UUID | None = None
    cluster_id: UUID | None = None
    cluster: str | None = None
    resource_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentEvent:
    """Something that happened with an incident."""

    action: str
    actor: str
    note: str
    detail: Mapping[str, object]
    occurred_at: datetime


class DeliveryState(StrEnum):
    """Where a notification is."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One notification to one plugin; ``event`` is what it tells of."""

    id: UUID
    plugin: str
    event: str
    state: DeliveryState
    attempts: int
    error: str
    created_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentHistory:
    """An incident with what has happened with it and who was told."""

    incident: Incident
    events: tuple[IncidentEvent, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentFilter:
    """Which incidents a list shows; None does not narrow."""

    statuses: tuple[IncidentStatus, ...]
    severity: Severity | None = None
    kind: IncidentKind | None = None
    cluster_id: UUID | None = None
    assignee: str | None = None
