# SPDX-License-Identifier: Apache-2.0
"""Incidents: what the platform may not or cannot mend by itself, until a person has looked at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID


class Severity(StrEnum):
    """How soon somebody must look; the order of the members is the order of urgency, least first."""

    INFO = "INFO"
    """Good to know: an object that is not ours, a policy that adopted a change."""
    WARNING = "WARNING"
    """Look within a day: drift that is reported only, a leak, repeated failures."""
    CRITICAL = "CRITICAL"
    """Look now: a lost machine, an agent that is gone or was copied, a quarantined job."""


class IncidentStatus(StrEnum):
    """Where an incident is."""

    OPEN = "OPEN"
    """Nobody has acknowledged it; it escalates by time."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """Somebody looks at it; it no longer escalates."""
    RESOLVED = "RESOLVED"
    """Over: a person says so, or its cause went away. It opens again when the cause comes back soon."""


TRANSITIONS: Final[Mapping[IncidentStatus, frozenset[IncidentStatus]]] = MappingProxyType(
    {
        IncidentStatus.OPEN: frozenset({IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED}),
        IncidentStatus.ACKNOWLEDGED: frozenset({IncidentStatus.OPEN, IncidentStatus.RESOLVED}),
        IncidentStatus.RESOLVED: frozenset({IncidentStatus.OPEN}),
    }
)


class IncidentKind(StrEnum):
    """What has happened."""

    DRIFT = "drift"
    """A field of a resource differs from what is desired, and its policy is to alert."""
    RESOURCE_LOST = "resource-lost"
    """The cluster no longer has a resource that should be there."""
    ORPHAN = "orphan"
    """An object carries the platform's mark and belongs to no resource."""
    DUPLICATE = "duplicate"
    """Two objects carry the mark of one resource."""
    LEAK = "leak"
    """A failed job could not take back what it had made."""
    JOB_QUARANTINED = "job-quarantined"
    """None of a job's workers survived it."""
    REPEATED_FAILURES = "repeated-failures"
    """Jobs of one cluster fail again and again; its circuit is open."""
    AGENT_LOST = "agent-lost"
    """A cluster's agent has not been heard of."""
    AGENT_LOCKED = "agent-locked"
    """An agent's key was used twice: it may have been copied."""
    AUDIT_SEAL_LATE = "audit-seal-late"
    """The audit trail has not been sealed for too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One observation that calls for an incident; findings with the same ``key`` are one incident.

    Attributes:
        key: what makes it the same incident: ``<kind>:<id of what it is about>``, with a field where one matters.
        title: one line for people: what happened to what.
        detail: what is known, JSON values without secrets.
    """

    kind: IncidentKind
    severity: Severity
    key: str
    title: str
    detail: Mapping[str, object] = field(default_factory=dict)
    organization_id: UUID | None = None
    cluster_id: UUID | None = None
    resource_id: UUID | None = None
