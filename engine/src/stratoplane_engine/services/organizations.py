# SPDX-License-Identifier: Apache-2.0
"""Organizations, for operators, and the organization that a tenant is in."""

from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, quota
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import Organization, OwnerDraft, OwnerPatch
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import given_members, record
from stratoplane_engine.services.versions import check_version

_ORDER: Final = listings.oldest_first(Organization)


def create_organization(database: Database, context: RequestContext, draft: OwnerDraft) -> Organization:
    """Make an organization with the default limits. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    try:
        with database.system() as connection:
            made = insert_organization(connection, draft)
            audit.write(connection, _record(context, AuditAction.ORGANIZATION_CREATED, made))
            return made
    except UniqueViolation as error:
        raise _taken(draft.name) from error


def insert_organization(connection: Connection, draft: OwnerDraft) -> Organization:
    """Write an organization and its limits. Raises UniqueViolation: the name is in use."""
    made = rows.insert(connection, new_id(), draft)
    quota.set_limits(connection, made.id, made.id, connection.kinds.default_limits)
    return made


def _taken(name: str) -> NameTakenError:
    return NameTakenError(f"there is an organization named {name!r} already; choose another name")


def not_found(organization_id: UUID) -> ResourceNotFoundError:
    """Return the error for an organization that does not exist."""
    return ResourceNotFoundError(f"there is no organization {organization_id}; list the organizations")


def get_or_raise(connection: Connection, organization_id: UUID) -> Organization:
    """Return an organization. Raises ResourceNotFoundError."""
    found = rows.get(connection, organization_id)
    if found is None:
        raise not_found(organization_id)
    return found


def _lock_or_raise(connection: Connection, context: RequestContext, organization_id: UUID) -> Organization:
    found = rows.lock(connection, organization_id)
    if found is None:
        raise not_found(organization_id)
    check_version(context, found)
    return found


def list_organizations(database: Database, context: RequestContext, page: Page) -> Listing[Organization]:
    """Return a page of organizations, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def get_organization(database: Database, context: RequestContext, organization_id: UUID) -> Organization:
    """Return one organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return get_or_raise(connection, organization_id)


def get_own_organization(database: Database, context: RequestContext) -> Organization:
    """Return the organization that the actor is in, which every user may see. Raises ResourceNotFoundError."""
    with database.tenant_reads(context.organization_id) as connection:
        return get_or_raise(connection, context.organization_id)


def update_organization(
    database: Database, context: RequestContext, organization_id: UUID, patch: OwnerPatch
) -> Organization:
    """Change name, display name or labels. Raises ResourceNotFoundError, VersionMismatchError, NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    try:
        with database.system() as connection:
            _lock_or_raise(connection, context, organization_id)
            changed = rows.update(connection, organization_id, patch)
            audit.write(connection, _record(context, AuditAction.ORGANIZATION_UPDATED, changed, patch))
            return changed
    except UniqueViolation as error:
        raise _taken(str(patch.name)) from error


def delete_organization(database: Database, context: RequestContext, organization_id: UUID) -> None:
    """Delete an organization without projects, with its users and their tokens.

    Raises:
        InUseError: it has projects; their owners delete them first. ResourceNotFoundError, VersionMismatchError.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        present = _lock_or_raise(connection, context, organization_id)
        if projects := rows.projects_left(connection, organization_id):
            detail = f"organization {present.name} has the projects {', '.join(projects)}; delete those first"
            raise InUseError(detail, used_by=projects)
        rows.delete(connection, organization_id)
        audit.write(connection, _record(context, AuditAction.ORGANIZATION_DELETED, present))


def _record(
    context: RequestContext, action: AuditAction, organization: Organization, patch: OwnerPatch | None = None
) -> AuditRecord:
    detail = {} if patch is None else {"members": sorted(given_members(patch))}
    return record(context, action, organization.id, organization.name, organization_id=organization.id, detail=detail)
