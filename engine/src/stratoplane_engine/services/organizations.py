# SPDX-License-Identifier: Apache-2.0
"""Organizations, for operators, and the organization that a tenant is in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane.quota import DEFAULT_LIMITS
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.identity import organization_wire
from stratoplane_engine.services.versions import check_version


def create_organization(database: Database, context: RequestContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make an organization with the default limits. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    organization_id = new_id()
    try:
        with database.system() as connection:
            insert_organization(connection, organization_id, body)
            event = record(
                context,
                AuditAction.ORGANIZATION_CREATED,
                organization_id,
                body["name"],
                organization_id=organization_id,
            )
            audit.write(connection, event)
            return organization_wire(existing(connection, organization_id))
    except IntegrityError as error:
        raise _taken(body["name"]) from error


def insert_organization(connection: Connection, organization_id: UUID, body: Mapping[str, Any]) -> None:
    """Write an organization and its limits."""
    defaults = {"display_name": "", "labels": {}}
    rows.insert(connection, {**defaults, **body, "id": organization_id})
    limits = {str(key): amount for key, amount in DEFAULT_LIMITS.items()}
    rows.set_limits(connection, organization_id, organization_id, limits)


def _taken(name: str) -> NameTakenError:
    return NameTakenError(f"there is an organization named {name!r} already; choose another name")


def existing(connection: Connection, organization_id: UUID, *, lock: bool = False) -> dict[str, Any]:
    """Return the row of an organization. Raises ResourceNotFoundError."""
    found = rows.get(connection, organization_id, lock=lock)
    if found is None:
        raise ResourceNotFoundError(f"there is no organization {organization_id}; list the organizations")
    return found


def list_organizations(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of organizations, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(connection, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, organization_wire)


def get_organization(database: Database, context: RequestContext, organization_id: UUID) -> dict[str, Any]:
    """Return one organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        return organization_wire(existing(connection, organization_id))


def get_own_organization(database: Database, context: RequestContext) -> dict[str, Any]:
    """Return the organization that the actor is in."""
    require(context, Permission.SELF, own=True)
    with database.tenant(context.organization_id) as connection:
        return organization_wire(existing(connection, context.organization_id))


def update_organization(
    database: Database, context: RequestContext, organization_id: UUID, patch: Mapping[str, Any]
) -> dict[str, Any]:
    """Change name, display name or labels. Raises ResourceNotFoundError, VersionMismatchError, NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    try:
        with database.system() as connection:
            row = existing(connection, organization_id, lock=True)
            check_version(context, row)
            changed = rows.update(connection, {**row, **patch})
            event = record(
                context,
                AuditAction.ORGANIZATION_UPDATED,
                organization_id,
                changed["name"],
                organization_id=organization_id,
                detail={"members": sorted(patch)},
            )
            audit.write(connection, event)
            return organization_wire(changed)
    except IntegrityError as error:
        raise _taken(str(patch.get("name"))) from error


def delete_organization(database: Database, context: RequestContext, organization_id: UUID) -> None:
    """End an organization without projects, with its users and their tokens.

    Raises:
        InUseError: it has projects; their owners delete them first. ResourceNotFoundError, VersionMismatchError.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        row = existing(connection, organization_id, lock=True)
        check_version(context, row)
        if projects := rows.projects_left(connection, organization_id):
            raise InUseError(
                f"organization {row['name']} has the projects {', '.join(projects)}; delete those first",
                used_by=projects,
            )
        rows.delete(connection, organization_id)
        event = record(
            context, AuditAction.ORGANIZATION_DELETED, organization_id, row["name"], organization_id=organization_id
        )
        audit.write(connection, event)
