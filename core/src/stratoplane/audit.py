# SPDX-License-Identifier: Apache-2.0
"""Audit: the closed list of recorded actions, and the record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class AuditAction(StrEnum):
    """``source:subject:action``: who caused it, what it touches, what happened."""

    USER_LOGGED_IN = "identity:user:logged-in"
    USER_LOGIN_REFUSED = "identity:user:login-refused"
    USER_LOGGED_OUT = "identity:user:logged-out"
    USER_CREATED = "identity:user:created"
    USER_DELETED = "identity:user:deleted"
    TOKEN_CREATED = "identity:token:created"
    TOKEN_DELETED = "identity:token:deleted"
    ROLE_BINDING_CREATED = "identity:role-binding:created"
    ROLE_BINDING_DELETED = "identity:role-binding:deleted"
    ORGANIZATION_CREATED = "identity:organization:created"
    ORGANIZATION_UPDATED = "identity:organization:updated"
    ORGANIZATION_DELETED = "identity:organization:deleted"
    PROJECT_CREATED = "identity:project:created"
    PROJECT_UPDATED = "identity:project:updated"
    PROJECT_DELETED = "identity:project:deleted"
    QUOTA_SET = "operations:quota:set"
    CLUSTER_CREATED = "operations:cluster:created"
    CLUSTER_UPDATED = "operations:cluster:updated"
    CLUSTER_DELETED = "operations:cluster:deleted"
    JOIN_TOKEN_CREATED = "operations:join-token:created"
    AGENT_ENROLLED = "agent:agent:enrolled"
    AGENT_REFUSED = "agent:agent:refused"
    AGENT_KEY_ROTATED = "agent:agent:key-rotated"
    AGENT_LOCKED = "engine:agent:locked"
    AGENT_REVOKED = "operations:agent:revoked"
    FLAVOR_CREATED = "operations:flavor:created"
    FLAVOR_UPDATED = "operations:flavor:updated"
    FLAVOR_DELETED = "operations:flavor:deleted"
    IMAGE_CREATED = "operations:image:created"
    IMAGE_UPDATED = "operations:image:updated"
    IMAGE_DELETED = "operations:image:deleted"
    FOREIGN_OBJECT_ADOPT_ACCEPTED = "operations:foreign-object:adopt-accepted"
    ORPHAN_ADOPT_ACCEPTED = "operations:orphan:adopt-accepted"
    ORPHAN_DELETE_ACCEPTED = "operations:orphan:delete-accepted"
    RESOURCE_CREATE_ACCEPTED = "tenant:resource:create-accepted"
    RESOURCE_UPDATE_ACCEPTED = "tenant:resource:update-accepted"
    RESOURCE_DELETE_ACCEPTED = "tenant:resource:delete-accepted"
    RESOURCE_ACTION_ACCEPTED = "tenant:resource:action-accepted"
    JOB_SUCCEEDED = "engine:job:succeeded"
    JOB_FAILED = "engine:job:failed"
    JOB_CANCELLED = "engine:job:cancelled"
    JOB_CANCEL_REQUESTED = "tenant:job:cancel-requested"
    JOB_RETRIED = "tenant:job:retried"
    JOB_RESOLVED = "operations:job:resolved"
    INCIDENT_ACKNOWLEDGED = "operations:incident:acknowledged"
    INCIDENT_ASSIGNED = "operations:incident:assigned"
    INCIDENT_RESOLVED = "operations:incident:resolved"
    INCIDENT_REOPENED = "operations:incident:reopened"
    INCIDENT_NOTED = "operations:incident:noted"
    DELIVERY_REPEATED = "operations:delivery:repeated"
    DRIFT_POLICY_SET = "operations:drift-policy:set"
    LEAK_RESOLVED = "operations:leak:resolved"
    DRIFT_FOUND = "engine:resource:drift-found"
    DRIFT_ADOPTED = "engine:resource:drift-adopted"

    @property
    def source(self) -> str:
        """Return the part of the platform that wrote the record."""
        return self.value.split(":")[0]

    @property
    def subject(self) -> str:
        """Return the sort of thing that the action touches."""
        return self.value.split(":")[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRecord:
    """One entry of the audit trail, written in the transaction of the change it records.

    Attributes:
        occurred_at: when; None for the time of the database at which the record is written.
        actor: who did it, for people (``user:alice``, ``agent:rack-1``, ``engine``).
        subject_id: the object's id, and ``subject_name`` its name at that time.
        outcome: ``accepted``, ``succeeded``, ``failed`` or ``refused``.
        detail: what changed, as JSON values without secrets.
    """

    action: AuditAction
    actor: str
    occurred_at: datetime | None = None
    outcome: str = "succeeded"
    organization_id: UUID | None = None
    project_id: UUID | None = None
    subject_id: UUID | None = None
    subject_name: str = ""
    request_id: str = ""
    trace_id: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
