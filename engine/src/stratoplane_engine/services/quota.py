# SPDX-License-Identifier: Apache-2.0
"""Limits and what is used of them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.quota import seed_quota_lines
from stratoplane_engine.services.audit_records import record


def get_quotas(database: Database, context: RequestContext, project_id: UUID) -> dict[str, Any]:
    """Return every limit of the organization and of one of its projects. Raises ResourceNotFoundError."""
    require(context, Permission.QUOTA_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        if _project(connection, project_id)["organization_id"] != context.organization_id:  # without RLS too
            raise _no_project(project_id)
        return _quotas(connection, context.organization_id, project_id)


def get_organization_quotas(database: Database, context: RequestContext, organization_id: UUID) -> dict[str, Any]:
    """Return every limit of an organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        _organization(connection, organization_id)
        return _quotas(connection, organization_id, None)


def get_project_quotas(database: Database, context: RequestContext, project_id: UUID) -> dict[str, Any]:
    """Return every limit of a project and its organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        project = _project(connection, project_id)
        return _quotas(connection, project["organization_id"], project_id)


def set_organization_limits(
    database: Database, context: RequestContext, organization_id: UUID, limits: Mapping[str, int]
) -> dict[str, Any]:
    """Set limits of an organization by key; the other keys stay, and what is used. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        organization = _organization(connection, organization_id)
        rows.set_limits(connection, organization_id, organization_id, limits)
        event = record(
            context,
            AuditAction.QUOTA_SET,
            organization_id,
            organization["name"],
            organization_id=organization_id,
            detail=dict(limits),
        )
        audit.write(connection, event)
        return _quotas(connection, organization_id, None)


def set_project_limits(
    database: Database, context: RequestContext, project_id: UUID, limits: Mapping[str, int]
) -> dict[str, Any]:
    """Set limits of a project by key; the other keys stay, and what is used. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        project = _project(connection, project_id)
        home = project["organization_id"]
        rows.set_limits(connection, home, project_id, limits)
        event = record(
            context,
            AuditAction.QUOTA_SET,
            project_id,
            project["name"],
            organization_id=home,
            project_id=project_id,
            detail=dict(limits),
        )
        audit.write(connection, event)
        return _quotas(connection, home, project_id)


def seed_limits(database: Database) -> int:
    """Give organizations and projects the limits of kinds that were enabled since; return how many lines were added.

    Raises:
        UnavailableError: the database does not answer; until this was done, resources of a new kind are refused.
    """
    with database.system() as connection:
        return seed_quota_lines(connection)


def _project(connection: Connection, project_id: UUID) -> dict[str, Any]:
    found = rows.project(connection, project_id)
    if found is None:
        raise _no_project(project_id)
    return found


def _no_project(project_id: UUID) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"there is no project {project_id}; list the projects")


def _organization(connection: Connection, organization_id: UUID) -> dict[str, Any]:
    found = rows.get(connection, organization_id)
    if found is None:
        raise ResourceNotFoundError(f"there is no organization {organization_id}; list the organizations")
    return found


def _quotas(connection: Connection, organization_id: UUID, project_id: UUID | None) -> dict[str, Any]:
    return {
        "organization": rows.quota(connection, organization_id, organization_id),
        "project": rows.quota(connection, organization_id, project_id) if project_id else [],
    }
