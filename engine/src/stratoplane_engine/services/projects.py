# SPDX-License-Identifier: Apache-2.0
"""Projects of an organization."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import InUseError, NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane.quota import UNLIMITED, QuotaKey
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, quota
from stratoplane_engine.db import organizations as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.identity import organization_wire
from stratoplane_engine.services.versions import check_version


def create_project(database: Database, context: RequestContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a project, unlimited within its organization. Raises NameTakenError, ResourceNotFoundError."""
    require(context, Permission.PROJECT_WRITE, organization_id=context.organization_id)
    project_id = new_id()
    defaults = {"display_name": "", "labels": {}}
    try:
        with database.tenant(context.organization_id) as connection:
            values = {**defaults, **body, "id": project_id, "organization_id": context.organization_id}
            rows.insert_project(connection, values)
            # Only now: the new row's foreign key keeps the organization from being deleted until this is committed.
            if rows.get(connection, context.organization_id) is None:
                raise ResourceNotFoundError("the organization was deleted a moment ago")
            limits = {key.value: UNLIMITED for key in QuotaKey}
            rows.set_limits(connection, context.organization_id, project_id, limits)
            event = record(context, AuditAction.PROJECT_CREATED, project_id, body["name"], project_id=project_id)
            audit.write(connection, event)
            return organization_wire(_existing(connection, context, project_id))
    except IntegrityError as error:
        raise _taken(body["name"]) from error


def _taken(name: str) -> NameTakenError:
    return NameTakenError(f"the organization has a project named {name!r} already; choose another name")


def _existing(
    connection: Connection, context: RequestContext, project_id: UUID, *, lock: bool = False
) -> dict[str, Any]:
    """Return the row of a project of the organization; the check here holds without row-level security too."""
    found = rows.project(connection, project_id, lock=lock)
    if found is None or found["organization_id"] != context.organization_id:
        raise ResourceNotFoundError(f"there is no project {project_id}; list the projects")
    return found


def list_projects(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of the organization's projects; those whose only roles are in projects see these alone."""
    organization = context.organization_id
    whole = context.actor.may(Permission.PROJECT_READ, organization_id=organization)
    mine = {grant.project_id for grant in context.actor.grants if grant.scope is Scope.PROJECT}
    require(context, Permission.PROJECT_READ, organization_id=organization, own=bool(mine))
    with database.tenant(organization) as connection:
        found = rows.projects(
            connection,
            organization_id=organization,
            among=None if whole else [each for each in mine if each],
            after=listings.after(page),
            limit=page.limit + 1,
        )
    return listings.listing(found, page, organization_wire)


def get_project(database: Database, context: RequestContext, project_id: UUID) -> dict[str, Any]:
    """Return one project. Raises ResourceNotFoundError."""
    require(context, Permission.PROJECT_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        return organization_wire(_existing(connection, context, project_id))


def update_project(
    database: Database, context: RequestContext, project_id: UUID, patch: Mapping[str, Any]
) -> dict[str, Any]:
    """Change name, display name or labels. Raises ResourceNotFoundError, VersionMismatchError, NameTakenError."""
    require(context, Permission.PROJECT_WRITE, organization_id=context.organization_id, project_id=project_id)
    try:
        with database.tenant(context.organization_id) as connection:
            row = _existing(connection, context, project_id, lock=True)
            check_version(context, row)
            changed = rows.update_project(connection, {**row, **patch})
            event = record(
                context,
                AuditAction.PROJECT_UPDATED,
                project_id,
                changed["name"],
                project_id=project_id,
                detail={"members": sorted(patch)},
            )
            audit.write(connection, event)
            return organization_wire(changed)
    except IntegrityError as error:
        raise _taken(str(patch.get("name"))) from error


def delete_project(database: Database, context: RequestContext, project_id: UUID) -> None:
    """End an empty project.

    Raises:
        InUseError: it holds resources; delete those first. ResourceNotFoundError, VersionMismatchError.
    """
    require(context, Permission.PROJECT_WRITE, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        # First: a resource that is being accepted holds a limit, so it is either seen below or never accepted.
        quota.withdraw(connection, context.organization_id, project_id)
        row = _existing(connection, context, project_id, lock=True)
        check_version(context, row)
        if left := rows.resources_left(connection, context.organization_id, project_id):
            raise InUseError(f"project {row['name']} holds {', '.join(left)}; delete those first", used_by=left)
        rows.delete_project(connection, context.organization_id, project_id)
        event = record(context, AuditAction.PROJECT_DELETED, project_id, row["name"], project_id=project_id)
        audit.write(connection, event)
