# SPDX-License-Identifier: Apache-2.0
"""Roles given to users. Nobody gives what they do not hold in the same scope."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import (
    InvalidSpecError,
    NameTakenError,
    ResourceNotFoundError,
    Violation,
)
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require, require_all_of
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db import organizations as organization_rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.users import existing as existing_user


def list_roles(database: Database, context: RequestContext) -> Listing[Mapping[str, object]]:
    """Return every role; there are few."""
    require(context, Permission.SELF, own=True)
    with database.system() as connection:
        return Listing(items=tuple(role_wire(row) for row in rows.roles(connection)))


def role_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role's row in wire form."""
    shown = {name: row[name] for name in ("name", "description", "scope")}
    return {"id": str(row["id"]), **shown, "permissions": sorted(row["permissions"])}


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "user_id": str(row["user_id"]),
        "username": row["username"],
        "role": row["role"],
        "scope": row["scope"],
        "organization_id": str(row["organization_id"]),
        "project_id": str(row["project_id"]) if row["project_id"] else None,
        "created_at": instant(row["created_at"]),
    }


def list_role_bindings(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of the organization's role bindings."""
    require(context, Permission.USER_READ, organization_id=context.organization_id)
    with database.tenant(context.organization_id) as connection:
        home = context.organization_id
        found = rows.bindings(connection, organization_id=home, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _wire)


def list_all_role_bindings(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of every organization's role bindings, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.bindings(connection, organization_id=None, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _wire)


def create_role_binding(
    database: Database, context: RequestContext, body: Mapping[str, Any], *, anywhere: bool = False
) -> dict[str, Any]:
    """Give a role to a user.

    Args:
        body: ``user_id``, ``role`` (its name) and, for a role that counts in a project, ``project_id``.
        anywhere: whether the user may be of any organization (operators).

    Raises:
        PermissionDeniedError: the actor may not grant, or does not hold what the role gives.
        ResourceNotFoundError: there is no such user, role or project. NameTakenError: the user has it already.
        InvalidSpecError: ``project_id`` is missing, or the role does not count in a project.
    """
    project_id = UUID(body["project_id"]) if body.get("project_id") else None
    if anywhere:
        require(context, Permission.ROLE_GRANT)
    else:
        require(context, Permission.ROLE_GRANT, organization_id=context.organization_id, project_id=project_id)
    try:
        with database.system() if anywhere else database.tenant(context.organization_id) as connection:
            home = None if anywhere else context.organization_id
            user = existing_user(connection, UUID(str(body["user_id"])), home)
            return _bind(connection, context, user, body["role"], project_id)
    except IntegrityError as error:
        raise NameTakenError(f"the user has the role {body['role']} there already") from error


def _bind(
    connection: Connection, context: RequestContext, user: Mapping[str, Any], role_name: str, project_id: UUID | None
) -> dict[str, Any]:
    role = rows.role(connection, role_name)
    if role is None:
        raise ResourceNotFoundError(f"there is no role {role_name!r}; list the roles")
    scope = Scope(role["scope"])
    _check_project(connection, scope, role_name, project_id, user["organization_id"])
    require_all_of(context.actor, role["permissions"], scope, user["organization_id"], project_id)
    binding_id = new_id()
    rows.insert_binding(
        connection,
        {
            "id": binding_id,
            "organization_id": user["organization_id"],
            "user_id": user["id"],
            "role_id": role["id"],
            "scope": scope.value,
            "project_id": project_id,
        },
    )
    event = record(
        context,
        AuditAction.ROLE_BINDING_CREATED,
        binding_id,
        f"{role_name} to {user['username']}",
        organization_id=user["organization_id"],
        project_id=project_id,
        detail={"role": role_name, "user_id": str(user["id"]), "scope": scope.value},
    )
    audit.write(connection, event)
    return _wire(rows.bindings(connection, organization_id=None, after=None, limit=1, binding_id=binding_id)[0])


def _check_project(
    connection: Connection, scope: Scope, role: str, project_id: UUID | None, organization_id: UUID
) -> None:
    if (scope is Scope.PROJECT) != (project_id is not None):
        wanted = "counts in a project; name its project_id" if project_id is None else "counts in no single project"
        detail = f"the role {role} {wanted}"
        raise InvalidSpecError(detail, [Violation(pointer="/project_id", detail=detail)])
    if project_id is None:
        return
    project = organization_rows.project(connection, project_id)
    if project is None or project["organization_id"] != organization_id:
        raise ResourceNotFoundError(f"the user's organization has no project {project_id}; list its projects")


def delete_role_binding(
    database: Database, context: RequestContext, binding_id: UUID, *, anywhere: bool = False
) -> None:
    """Take a role from a user, at once.

    Raises:
        PermissionDeniedError: the role gives more than the actor holds there. ResourceNotFoundError.
    """
    if anywhere:
        require(context, Permission.ROLE_GRANT)
    else:
        require(context, Permission.ROLE_GRANT, organization_id=context.organization_id)
    with database.system() if anywhere else database.tenant(context.organization_id) as connection:
        home = None if anywhere else context.organization_id
        found = rows.bindings(connection, organization_id=home, after=None, limit=1, binding_id=binding_id)
        if not found:
            raise ResourceNotFoundError(f"there is no role binding {binding_id}; list the role bindings")
        taken = found[0]
        scope, held = Scope(taken["scope"]), taken["permissions"]
        require_all_of(context.actor, held, scope, taken["organization_id"], taken["project_id"])
        rows.delete_binding(connection, binding_id)
        event = record(
            context,
            AuditAction.ROLE_BINDING_DELETED,
            binding_id,
            f"{taken['role']} from {taken['username']}",
            organization_id=taken["organization_id"],
            project_id=taken["project_id"],
            detail={"role": taken["role"], "user_id": str(taken["user_id"])},
        )
        audit.write(connection, event)
