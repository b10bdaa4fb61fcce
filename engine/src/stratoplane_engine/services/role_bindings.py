# SPDX-License-Identifier: Apache-2.0
"""Roles given to users. Nobody gives what they do not hold in the same scope."""

from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import InvalidSpecError, NameTakenError, ResourceNotFoundError, Violation
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require, require_all_of
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, organizations
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.account_counts import Counted
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import Role, RoleBinding, RoleBindingDraft, Scope, User
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings, users
from stratoplane_engine.services.account_limits import require_room
from stratoplane_engine.services.administrators import keep_one
from stratoplane_engine.services.audit_records import record

_ORDER: Final = listings.oldest_first(RoleBinding)


def list_roles(database: Database) -> Listing[Role]:
    """Return every role, for every user; there are few."""
    with database.system_reads() as connection:
        return Listing(items=tuple(rows.roles(connection)))


def list_role_bindings(database: Database, context: RequestContext, page: Page) -> Listing[RoleBinding]:
    """Return a page of the organization's role bindings. Raises PermissionDeniedError."""
    home = context.organization_id
    require(context, Permission.USER_READ, organization_id=home)
    after = _ORDER.begin(page)
    with database.tenant_reads(home) as connection:
        found = rows.bindings(connection, organization_id=home, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def list_all_role_bindings(database: Database, context: RequestContext, page: Page) -> Listing[RoleBinding]:
    """Return a page of every organization's role bindings, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.bindings(connection, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def create_role_binding(database: Database, context: RequestContext, draft: RoleBindingDraft) -> RoleBinding:
    """Give a role to a user of the organization.

    Raises:
        PermissionDeniedError: the actor may not grant, or does not hold what the role gives.
        ResourceNotFoundError: there is no such user, role or project. NameTakenError: the user has it already.
        InvalidSpecError: ``project_id`` is missing, or the role does not count in a project.
        QuotaExceededError: the organization has as many role bindings as it may.
    """
    home = context.organization_id
    require(context, Permission.ROLE_GRANT, organization_id=home, project_id=draft.project_id)
    with database.tenant(home) as connection:
        return _bind(connection, context, users.get_or_raise(connection, draft.user_id, home), draft)


def create_any_role_binding(database: Database, context: RequestContext, draft: RoleBindingDraft) -> RoleBinding:
    """Give a role to a user of any organization, for operators. Raises as :func:`create_role_binding`."""
    require(context, Permission.ROLE_GRANT)
    with database.system() as connection:
        return _bind(connection, context, users.get_or_raise(connection, draft.user_id, None), draft)


def _bind(connection: Connection, context: RequestContext, user: User, draft: RoleBindingDraft) -> RoleBinding:
    role = rows.role(connection, draft.role)
    if role is None:
        raise ResourceNotFoundError(f"there is no role {draft.role!r}; list the roles")
    _check_project(connection, role, draft.project_id, user.organization_id)
    require_all_of(context.actor, role.permissions, role.scope, user.organization_id, draft.project_id)
    require_room(connection, Counted.ROLE_BINDINGS, user.organization_id, limit=context.limits.role_bindings)
    try:
        made = rows.insert_binding(
            connection,
            binding_id=new_id(),
            organization_id=user.organization_id,
            user_id=user.id,
            role_id=role.id,
            scope=role.scope,
            project_id=draft.project_id,
        )
    except UniqueViolation as error:
        raise NameTakenError(f"the user has the role {role.name} there already") from error
    event = record(
        context,
        AuditAction.ROLE_BINDING_CREATED,
        made.id,
        f"{role.name} to {user.username}",
        organization_id=user.organization_id,
        project_id=draft.project_id,
        detail={"role": role.name, "user_id": str(user.id), "scope": role.scope.value},
    )
    audit.write(connection, event)
    return made


def _check_project(connection: Connection, role: Role, project_id: UUID | None, organization_id: UUID) -> None:
    if (role.scope is Scope.PROJECT) != (project_id is not None):
        wanted = "counts in a project; name its project_id" if project_id is None else "does not count in a project"
        detail = f"the role {role.name} {wanted}"
        raise InvalidSpecError(detail, [Violation(pointer="/project_id", detail=detail)])
    if project_id is None:
        return
    project = organizations.project(connection, project_id)
    if project is None or project.organization_id != organization_id:
        raise ResourceNotFoundError(f"the user's organization has no project {project_id}; list its projects")


def delete_role_binding(database: Database, context: RequestContext, binding_id: UUID) -> None:
    """Take a role from a user of the organization, at once.

    Raises:
        PermissionDeniedError: the role gives more than the actor holds there. ResourceNotFoundError.
        StateConflictError: the user is the last one who can grant roles there.
    """
    home = context.organization_id
    require(context, Permission.ROLE_GRANT, organization_id=home)
    with database.tenant(home) as connection:
        _unbind(connection, context, binding_id, home)


def delete_any_role_binding(database: Database, context: RequestContext, binding_id: UUID) -> None:
    """Take a role from a user of any organization, for operators. Raises as :func:`delete_role_binding`."""
    require(context, Permission.ROLE_GRANT)
    with database.system() as connection:
        _unbind(connection, context, binding_id, None)


def _unbind(connection: Connection, context: RequestContext, binding_id: UUID, home: UUID | None) -> None:
    taken = rows.binding(connection, organization_id=home, binding_id=binding_id)
    if taken is None:
        raise ResourceNotFoundError(f"there is no role binding {binding_id}; list the role bindings")
    require_all_of(context.actor, taken.permissions, taken.scope, taken.organization_id, taken.project_id)
    keep_one(connection, context, taken, taken.username, taken.user_id)
    rows.delete_binding(connection, binding_id)
    event = record(
        context,
        AuditAction.ROLE_BINDING_DELETED,
        binding_id,
        f"{taken.role} from {taken.username}",
        organization_id=taken.organization_id,
        project_id=taken.project_id,
        detail={"role": taken.role, "user_id": str(taken.user_id)},
    )
    audit.write(connection, event)
