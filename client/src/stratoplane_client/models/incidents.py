# SPDX-License-Identifier: Apache-2.0
"""Incidents, their history and notifications."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stratoplane_client.decode import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentEvent(Record):
    """One entry in the history of an incident."""

    action: str = ""
    actor: str = ""
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery(Record):
    """One notification to one plugin."""

    id: str
    plugin: str = ""
    event: str = ""
    state: str = ""
    attempts: int = 0
    error: str = ""
    created_at: datetime | None = None
    next_attempt_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident(Record):
    """A problem that a person has to solve.

    Attributes:
        occurrences: how often it was reported again.
        assignee: to whom it is assigned, such as ``user:alice``.
        escalation: how often it was escalated because nobody had acknowledged it.
        events, deliveries: with :meth:`Incidents.get` and what changes an incident, not in lists.
    """

    id: str
    kind: str = ""
    severity: str = ""
    status: str = ""
    title: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    occurrences: int = 0
    assignee: str = ""
    escalation: int = 0
    escalates_at: datetime | None = None
    organization_id: str | None = None
    cluster_id: str | None = None
    cluster: str | None = None
    resource_id: str | None = None
    opened_at: datetime | None = None
    seen_at: datetime | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    events: tuple[IncidentEvent, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
