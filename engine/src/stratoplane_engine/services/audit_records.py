# SPDX-License-Identifier: Apache-2.0
"""Audit records of what an actor did in a request, or the operator's own command."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.model.trace import trace_id


def record(
    context: RequestContext,
    action: AuditAction,
    subject_id: UUID,
    subject_name: str,
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditRecord:
    """Return the record of a change that ``context.actor`` made now; the organization is the one that is acted in."""
    return AuditRecord(
        action=action,
        actor=context.actor.name,
        occurred_at=datetime.now(UTC),
        organization_id=organization_id or context.organization_id,
        project_id=project_id,
        subject_id=subject_id,
        subject_name=subject_name,
        request_id=context.request_id,
        trace_id=trace_id(context.trace_parent),
        detail=detail or {},
    )


def platform_record(
    context: RequestContext,
    action: AuditAction,
    subject_id: UUID | None,
    subject_name: str,
    *,
    organization_id: UUID | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditRecord:
    """Return the record of what ``context.actor`` does now with something of the platform.

    Args:
        context: who, and in which request.
        action: what is done.
        subject_id: what it is done to, None for what has no id; ``subject_name`` is its name.
        organization_id: the organization that it concerns, None for the platform alone.
        detail: what changes, JSON values without secrets.
    """
    return AuditRecord(
        action=action,
        actor=context.actor.name,
        organization_id=organization_id,
        subject_id=subject_id,
        subject_name=subject_name,
        request_id=context.request_id,
        trace_id=trace_id(context.trace_parent),
        detail=detail or {},
    )


def operator_record(
    action: AuditAction,
    subject_id: UUID,
    subject_name: str,
    *,
    organization_id: UUID | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditRecord:
    """Return the record of a change that the operator's command made now, with its access to the database alone."""
    return AuditRecord(
        action=action,
        actor="operator",
        occurred_at=datetime.now(UTC),
        organization_id=organization_id,
        subject_id=subject_id,
        subject_name=subject_name,
        detail=detail or {},
    )
