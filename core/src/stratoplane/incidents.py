# SPDX-License-Identifier: Apache-2.0
"""Incidents: problems that the platform may not or cannot repair by itself, until somebody has resolved them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID


class Severity(StrEnum):
    """How urgent an incident is; the members are ordered by urgency, lowest first."""

    INFO = "INFO"
    """For information: a foreign object, a policy that adopted a change."""
    WARNING = "WARNING"
    """Act within a day: drift that is only reported, a leak, repeated failures."""
    CRITICAL = "CRITICAL"
    """Act now: a lost machine, an agent that is lost or was copied, a quarantined job."""


class IncidentStatus(StrEnum):
    """Where an incident is."""

    OPEN = "OPEN"
    """Nobody has acknowledged it; it escalates with time."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """Somebody works on it; it no longer escalates."""
    RESOLVED = "RESOLVED"
    """Resolved by a person, or because its cause is gone. It reopens when the cause soon returns."""


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
    """A resource that should exist is missing on its cluster."""
    ORPHAN = "orphan"
    """An object carries our mark and does not belong to any resource."""
    DUPLICATE = "duplicate"
    """Two objects carry the mark of one resource."""
    SHARED_PROVIDER = "shared-provider"
    """Two clusters list the same objects: their agents serve one provider."""
    LEAK = "leak"
    """A failed job could not remove what it had created."""
    JOB_QUARANTINED = "job-quarantined"
    """Every worker that ran the job was killed."""
    REPEATED_FAILURES = "repeated-failures"
    """Jobs of one cluster fail repeatedly; its circuit breaker is open."""
    AGENT_LOST = "agent-lost"
    """A cluster's agent has not been in contact."""
    AGENT_LOCKED = "agent-locked"
    """An agent's key was used twice: it may have been copied."""
    AGENT_TWICE = "agent-twice"
    """Two processes run as one agent: its state folder was copied. Only the one that started last gets work."""
    LISTING_LATE = "listing-late"
    """A driver has not told for too long what it holds, what its capacity is, or that it is well."""
    KIND_BROKEN = "kind-broken"
    """A kind of resources cannot say what an observed object means; its objects are not compared."""
    AUDIT_SEAL_LATE = "audit-seal-late"
    """The audit trail has not been sealed for too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One observation that calls for an incident; findings with the same ``key`` are one incident.

    Attributes:
        key: identifies the incident: ``<kind>:<id of the object>``, with a field where one matters.
        title: one line for people: what happened to which object.
        detail: facts as JSON values, without secrets.
    """

    kind: IncidentKind
    severity: Severity
    key: str
    title: str
    detail: Mapping[str, object] = field(default_factory=dict)
    organization_id: UUID | None = None
    cluster_id: UUID | None = None
    resource_id: UUID | None = None
