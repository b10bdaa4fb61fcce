# SPDX-License-Identifier: Apache-2.0
"""Incidents: what a person must look at, its history, and who was notified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from stratoplane.hookspecs import Notification
from stratoplane.incidents import IncidentKind, IncidentStatus, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Everything that was found of one cause.

    Attributes:
        key: what makes it the same incident.
        occurrences: how often a finding was added; once a minute at most.
        escalation: how often it was notified again because nobody had acknowledged it.
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


class IncidentAction(StrEnum):
    """What can happen with an incident."""

    OPENED = "opened"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    NOTED = "noted"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentEvent:
    """Something that happened with an incident; ``action`` is one of :class:`IncidentAction`."""

    action: str
    actor: str
    note: str
    detail: Mapping[str, object]
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentChange:
    """What a person does to an incident: its status and assignee afterwards, and the event that tells of it."""

    status: IncidentStatus
    assignee: str
    action: IncidentAction
    actor: str
    note: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


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
class PendingEvent:
    """An event of an incident that no notification was made of yet, with the incident as it is now."""

    id: UUID
    action: str
    occurred_at: datetime
    incident: Incident


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryDraft:
    """A notification to make; ``id`` is the delivery's and the notification's."""

    id: UUID
    incident_id: UUID
    event_id: UUID
    plugin: str
    notification: Notification


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryAttempt:
    """A delivery that one caller makes now; ``attempts`` counts this one."""

    id: UUID
    plugin: str
    notification: Notification
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentHistory:
    """An incident with what has happened with it and who was notified."""

    incident: Incident
    events: tuple[IncidentEvent, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentFilter:
    """Which incidents a list shows; None does not narrow."""

    statuses: tuple[IncidentStatus, ...] = (IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED)
    severity: Severity | None = None
    kind: IncidentKind | None = None
    cluster_id: UUID | None = None
    assignee: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SilentCluster:
    """A cluster with resources whose agent was not heard of for too long."""

    id: UUID
    name: str
    seen_at: datetime
