# SPDX-License-Identifier: Apache-2.0
"""Projects of an organization."""

from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane.quota import UNLIMITED
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, quota
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.account_counts import Counted
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import OwnerDraft, OwnerPatch, Project, Scope
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.account_limits import require_room
from stratoplane_engine.services.audit_records import given_members, record
from stratoplane_engine.services.versions import check_version

_ORDER: Final = listings.oldest_first(Project)


def create_project(database: Database, context: RequestContext, draft: OwnerDraft) -> Project:
    """Make a project, unlimited within its organization.

    Raises:
        QuotaExceededError: the organization has as many projects as it may. NameTakenError, ResourceNotFoundError.
    """
    home = context.organization_id
    require(context, Permission.PROJECT_WRITE, organization_id=home)
    try:
        with database.tenant(home) as connection:
            require_room(connection, Counted.PROJECTS, home, limit=context.limits.projects)
            made = rows.insert_project(connection, new_id(), home, draft)
            # Only now: the new row's foreign key keeps the organization from being deleted until this is committed.
            if rows.get(connection, home) is None:
                raise ResourceNotFoundError("the organization was deleted a moment ago")
            quota.set_limits(connection, home, made.id, dict.fromkeys(connection.kinds.quota_keys, UNLIMITED))
            audit.write(connection, _record(context, AuditAction.PROJECT_CREATED, made))
            return made
    except UniqueViolation as error:
        raise _taken(draft.name) from error


def _taken(name: str) -> NameTakenError:
    return NameTakenError(f"the organization has a project named {name!r} already; choose another name")


def not_found(project_id: UUID) -> ResourceNotFoundError:
    """Return the error for a project that does not exist, or not in this organization."""
    return ResourceNotFoundError(f"there is no project {project_id}; list the projects")


def _checked(context: RequestContext, project_id: UUID, found: Project | None) -> Project:
    """Return a project of the organization; the check here holds without row-level security too."""
    if found is None or found.organization_id != context.organization_id:
        raise not_found(project_id)
    return found


def _lock_or_raise(connection: Connection, context: RequestContext, project_id: UUID) -> Project:
    found = _checked(context, project_id, rows.lock_project(connection, project_id))
    check_version(context, found)
    return found


def list_projects(database: Database, context: RequestContext, page: Page) -> Listing[Project]:
    """Return a page of the organization's projects; those whose only roles are in projects see these alone."""
    home = context.organization_id
    mine = [grant.project_id for grant in context.actor.grants if grant.scope is Scope.PROJECT and grant.project_id]
    sees_all = context.actor.may(Permission.PROJECT_READ, organization_id=home)
    if not mine:
        require(context, Permission.PROJECT_READ, organization_id=home)
    among = None if sees_all else mine
    after = _ORDER.begin(page)
    with database.tenant_reads(home) as connection:
        found = rows.projects(connection, organization_id=home, among=among, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def list_all_projects(
    database: Database, context: RequestContext, page: Page, *, organization_id: UUID | None = None
) -> Listing[Project]:
    """Return a page of every organization's projects, or of one's, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.projects(
            connection, organization_id=organization_id, among=None, after=after, limit=page.limit + 1
        )
    return _ORDER.listing(found, page)


def get_project(database: Database, context: RequestContext, project_id: UUID) -> Project:
    """Return one project. Raises ResourceNotFoundError."""
    require(context, Permission.PROJECT_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant_reads(context.organization_id) as connection:
        return _checked(context, project_id, rows.project(connection, project_id))


def update_project(database: Database, context: RequestContext, project_id: UUID, patch: OwnerPatch) -> Project:
    """Change name, display name or labels. Raises ResourceNotFoundError, VersionMismatchError, NameTakenError."""
    require(context, Permission.PROJECT_WRITE, organization_id=context.organization_id, project_id=project_id)
    try:
        with database.tenant(context.organization_id) as connection:
            _lock_or_raise(connection, context, project_id)
            changed = rows.update_project(connection, project_id, patch)
            audit.write(connection, _record(context, AuditAction.PROJECT_UPDATED, changed, patch))
            return changed
    except UniqueViolation as error:
        raise _taken(str(patch.name)) from error


def delete_project(database: Database, context: RequestContext, project_id: UUID) -> None:
    """Delete an empty project.

    Raises:
        InUseError: it holds resources; delete those first. ResourceNotFoundError, VersionMismatchError.
    """
    home = context.organization_id
    require(context, Permission.PROJECT_WRITE, organization_id=home, project_id=project_id)
    with database.tenant(home) as connection:
        # First: a resource that is being accepted holds a limit, so it is either seen below or never accepted.
        quota.withdraw(connection, home, project_id)
        present = _lock_or_raise(connection, context, project_id)
        if left := rows.resources_left(connection, home, project_id):
            raise InUseError(f"project {present.name} holds {', '.join(left)}; delete those first", used_by=left)
        rows.delete_project(connection, home, project_id)
        audit.write(connection, _record(context, AuditAction.PROJECT_DELETED, present))


def _record(
    context: RequestContext, action: AuditAction, project: Project, patch: OwnerPatch | None = None
) -> AuditRecord:
    detail = {} if patch is None else {"members": sorted(given_members(patch))}
    return record(context, action, project.id, project.name, project_id=project.id, detail=detail)
