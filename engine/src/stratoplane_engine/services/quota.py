# SPDX-License-Identifier: Apache-2.0
"""Limits and usage of quotas."""

from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.quota import Amount
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import organizations as owner_rows
from stratoplane_engine.db import quota as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.quota import Quotas
from stratoplane_engine.services import organizations, projects
from stratoplane_engine.services.audit_records import record


def get_quotas(database: Database, context: RequestContext, project_id: UUID) -> Quotas:
    """Return every limit of the organization and of one of its projects. Raises ResourceNotFoundError."""
    home = context.organization_id
    require(context, Permission.QUOTA_READ, organization_id=home, project_id=project_id)
    with database.tenant_reads(home) as connection:
        found = rows.of_project(connection, project_id, organization_id=home)  # holds without row-level security too
    if found is None:
        raise projects.not_found(project_id)
    return found


def get_organization_quotas(database: Database, context: RequestContext, organization_id: UUID) -> Quotas:
    """Return every limit of an organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _of_organization(connection, organization_id)


def get_project_quotas(database: Database, context: RequestContext, project_id: UUID) -> Quotas:
    """Return every limit of a project and its organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _of_project(connection, project_id)


def set_organization_limits(
    database: Database, context: RequestContext, organization_id: UUID, limits: Amount
) -> Quotas:
    """Set limits of an organization by key; the other keys stay, and what is used. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        organization = organizations.get_or_raise(connection, organization_id)
        rows.set_limits(connection, organization_id, organization_id, limits)
        event = record(
            context,
            AuditAction.QUOTA_SET,
            organization_id,
            organization.name,
            organization_id=organization_id,
            detail=limits,
        )
        audit.write(connection, event)
        return _of_organization(connection, organization_id)


def set_project_limits(database: Database, context: RequestContext, project_id: UUID, limits: Amount) -> Quotas:
    """Set limits of a project by key; the other keys stay, and what is used. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        project = owner_rows.project(connection, project_id)
        if project is None:
            raise projects.not_found(project_id)
        rows.set_limits(connection, project.organization_id, project_id, limits)
        event = record(
            context,
            AuditAction.QUOTA_SET,
            project_id,
            project.name,
            organization_id=project.organization_id,
            project_id=project_id,
            detail=limits,
        )
        audit.write(connection, event)
        return _of_project(connection, project_id)


def seed_limits(database: Database) -> int:
    """Give every organization and project the limits of kinds that were enabled later.

    Returns:
        How many limits were added.
    """
    with database.system() as connection:
        return rows.seed_quota_lines(connection)


def _of_organization(connection: Connection, organization_id: UUID) -> Quotas:
    found = rows.of_organization(connection, organization_id)
    if found is None:
        raise organizations.not_found(organization_id)
    return found


def _of_project(connection: Connection, project_id: UUID) -> Quotas:
    found = rows.of_project(connection, project_id)
    if found is None:
        raise projects.not_found(project_id)
    return found
