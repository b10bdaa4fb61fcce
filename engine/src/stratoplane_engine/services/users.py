# SPDX-License-Identifier: Apache-2.0
"""Users of an organization, made by its administrators or by operators."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import NameTakenError, ResourceNotFoundError, StateConflictError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require, require_all_of
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import credentials, listings
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.identity import user_wire
from stratoplane_engine.services.organizations import existing as existing_organization


def create_user(
    database: Database, context: RequestContext, body: Mapping[str, Any], organization_id: UUID | None = None
) -> dict[str, Any]:
    """Make a user without any role.

    Args:
        body: ``username``, ``display_name`` and ``password``.
        organization_id: the user's home, for operators; the actor's organization when it is None.

    Raises:
        NameTakenError: the name is in use on the platform. ResourceNotFoundError: there is no such organization.
    """
    home = organization_id or context.organization_id
    require(context, Permission.USER_WRITE, organization_id=home)
    password_hash = credentials.hash_password(body["password"])
    try:
        with database.system() if organization_id else database.tenant(home) as connection:
            existing_organization(connection, home)
            made = insert_user(connection, home, body["username"], body.get("display_name", ""), password_hash)
            existing_organization(connection, home)  # again: the row's foreign key holds it from here on
            event = record(context, AuditAction.USER_CREATED, made["id"], made["username"], organization_id=home)
            audit.write(connection, event)
            return user_wire(made)
    except IntegrityError as error:
        detail = f"the user name {body['username']!r} is taken; choose another, a mail address serves well"
        raise NameTakenError(detail) from error


def insert_user(
    connection: Connection, organization_id: UUID, username: str, display_name: str, password_hash: str
) -> dict[str, Any]:
    """Write a user and return its row."""
    values = {
        "id": new_id(),
        "organization_id": organization_id,
        "username": username,
        "display_name": display_name,
        "password_hash": password_hash,
    }
    return rows.insert_user(connection, values)


def list_users(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of the organization's users."""
    require(context, Permission.USER_READ, organization_id=context.organization_id)
    with database.tenant(context.organization_id) as connection:
        home = context.organization_id
        found = rows.users(connection, organization_id=home, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, user_wire)


def list_all_users(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of every organization's users, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.users(connection, organization_id=None, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, user_wire)


def get_user(database: Database, context: RequestContext, user_id: UUID) -> dict[str, Any]:
    """Return a user of the organization. Raises ResourceNotFoundError."""
    require(context, Permission.USER_READ, organization_id=context.organization_id)
    with database.tenant(context.organization_id) as connection:
        return user_wire(existing(connection, user_id, context.organization_id))


def get_any_user(database: Database, context: RequestContext, user_id: UUID) -> dict[str, Any]:
    """Return a user of any organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        return user_wire(existing(connection, user_id, None))


def existing(connection: Connection, user_id: UUID, organization_id: UUID | None) -> dict[str, Any]:
    """Return the row of a user. Raises ResourceNotFoundError."""
    found = rows.user(connection, organization_id=organization_id, user_id=user_id)
    if found is None:
        raise ResourceNotFoundError(f"there is no user {user_id}; list the users")
    return found


def delete_user(database: Database, context: RequestContext, user_id: UUID) -> None:
    """End a user of the organization; tokens and roles end at once.

    Raises:
        ResourceNotFoundError: there is no such user. StateConflictError: it is the actor.
        PermissionDeniedError: the user holds more than the actor; somebody who holds that must do this.
    """
    require(context, Permission.USER_WRITE, organization_id=context.organization_id)
    with database.tenant(context.organization_id) as connection:
        _delete(connection, context, existing(connection, user_id, context.organization_id))


def delete_any_user(database: Database, context: RequestContext, user_id: UUID) -> None:
    """End a user of any organization, for operators. Raises as :func:`delete_user`."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        _delete(connection, context, existing(connection, user_id, None))


def _delete(connection: Connection, context: RequestContext, row: Mapping[str, Any]) -> None:
    if row["id"] == context.actor.id:
        raise StateConflictError("you cannot delete yourself; another administrator can")
    for grant in row["grants"]:
        project = UUID(grant["project_id"]) if grant["project_id"] else None
        scope, home = Scope(grant["scope"]), UUID(grant["organization_id"])
        require_all_of(context.actor, grant["permissions"], scope, home, project)
    rows.delete_user(connection, row["id"])
    event = record(
        context, AuditAction.USER_DELETED, row["id"], row["username"], organization_id=row["organization_id"]
    )
    audit.write(connection, event)
