# SPDX-License-Identifier: Apache-2.0
"""Audit records, by who did it. Their time is that of the database at which they are written."""

from collections.abc import Mapping
from dataclasses import fields
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.model.catalogue import FlavorPatch, ImagePatch
from stratoplane_engine.model.cluster import ClusterPatch, Refusal
from stratoplane_engine.model.identity import OwnerPatch, User
from stratoplane_engine.model.trace import trace_id

Patch = OwnerPatch | ClusterPatch | FlavorPatch | ImagePatch


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
    """Return the record of a change that ``context.actor`` makes; the organization is the one that is acted in."""
    return AuditRecord(
        action=action,
        actor=context.actor.name,
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
    """Return the record of a change that the operator's command makes, with its access to the database alone."""
    return AuditRecord(
        action=action,
        actor="operator",
        organization_id=organization_id,
        subject_id=subject_id,
        subject_name=subject_name,
        detail=detail or {},
    )


def login_record(user: User, *, request_id: str, remote: str) -> AuditRecord:
    """Return the record of a login from the address ``remote``."""
    return AuditRecord(
        action=AuditAction.USER_LOGGED_IN,
        actor=f"user:{user.username}",
        organization_id=user.organization_id,
        subject_id=user.id,
        subject_name=user.username,
        request_id=request_id,
        detail={"remote": remote},
    )


def refused_login_record(user: User | None, *, request_id: str, remote: str) -> AuditRecord:
    """Return the record of a refused login; of an unknown name nothing is kept, it may be a password by mistake."""
    return AuditRecord(
        action=AuditAction.USER_LOGIN_REFUSED,
        actor="anonymous",
        outcome="refused",
        organization_id=user.organization_id if user else None,
        subject_id=user.id if user else None,
        subject_name=user.username if user else "",
        request_id=request_id,
        detail={"remote": remote},
    )


def agent_record(action: AuditAction, agent_id: UUID, name: str, detail: Mapping[str, object]) -> AuditRecord:
    """Return the record of what an agent does for itself."""
    return AuditRecord(action=action, actor=f"agent:{name}", subject_id=agent_id, subject_name=name, detail=detail)


def refused_agent_record(
    agent_id: UUID | None, reason: Refusal, *, name: str = "", detail: Mapping[str, object] | None = None
) -> AuditRecord:
    """Return the record of a refused request.

    Args:
        agent_id: of the agent, None for one that nobody knows.
        reason: why.
        name: of the agent, where it is proved.
        detail: more about it, JSON values.
    """
    return AuditRecord(
        action=AuditAction.AGENT_REFUSED,
        actor=f"agent:{name or agent_id or 'unknown'}",
        outcome="refused",
        subject_id=agent_id,
        subject_name=name,
        detail={"reason": reason.value, **(detail or {})},
    )


def locked_agent_record(agent_id: UUID, why: str) -> AuditRecord:
    """Return the record of the platform locking an agent."""
    return AuditRecord(action=AuditAction.AGENT_LOCKED, actor="engine", subject_id=agent_id, detail={"reason": why})


def given_members(patch: Patch) -> dict[str, object]:
    """Return the members of a patch that are given, by name."""
    values = {each.name: getattr(patch, each.name) for each in fields(patch)}
    return {name: value for name, value in values.items() if value is not None}
