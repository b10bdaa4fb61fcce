# SPDX-License-Identifier: Apache-2.0
"""Users of an organization, made by its administrators or by operators."""

from typing import Final
from uuid import UUID

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import NameTakenError, ResourceNotFoundError, StateConflictError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require, require_all_of
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.account_counts import Counted
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.identity import User, UserDraft
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.account_limits import require_room
from stratoplane_engine.services.administrators import keep_one
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.credentials import PasswordHasher
from stratoplane_engine.services.organizations import get_or_raise as get_organization_or_raise
from stratoplane_engine.services.organizations import not_found as organization_not_found

_ORDER: Final = listings.oldest_first(User)


def create_user(database: Database, passwords: PasswordHasher, context: RequestContext, draft: UserDraft) -> User:
    """Make a user of the actor's organization, without any role.

    Raises:
        NameTakenError: the name is in use on the platform.
        PermissionDeniedError: the actor may not make users.
        QuotaExceededError: the organization has as many users as it may.
    """
    home = context.organization_id
    require(context, Permission.USER_WRITE, organization_id=home)
    password_hash = passwords.hash(draft.password)
    with database.tenant(home) as connection:
        return _insert(connection, context, home, draft, password_hash)


def create_any_user(
    database: Database, passwords: PasswordHasher, context: RequestContext, organization_id: UUID, draft: UserDraft
) -> User:
    """Make a user of any organization, for operators.

    Raises:
        ResourceNotFoundError: there is no such organization. Otherwise as :func:`create_user`.
    """
    require(context, Permission.USER_WRITE)
    password_hash = passwords.hash(draft.password)
    with database.system() as connection:
        return _insert(connection, context, organization_id, draft, password_hash)


def _insert(connection: Connection, context: RequestContext, home: UUID, draft: UserDraft, password_hash: str) -> User:
    require_room(connection, Counted.USERS, home, limit=context.limits.users)
    try:
        made = rows.insert_user(
            connection,
            user_id=new_id(),
            organization_id=home,
            username=draft.username,
            display_name=draft.display_name,
            password_hash=password_hash,
        )
    except ForeignKeyViolation as error:
        raise organization_not_found(home) from error
    except UniqueViolation as error:
        detail = f"the user name {draft.username!r} is taken; choose another, a mail address serves well"
        raise NameTakenError(detail) from error
    # Only now: the new row's foreign key keeps the organization from being deleted until this is committed.
    get_organization_or_raise(connection, home)
    audit.write(connection, record(context, AuditAction.USER_CREATED, made.id, made.username, organization_id=home))
    return made


def list_users(database: Database, context: RequestContext, page: Page) -> Listing[User]:
    """Return a page of the organization's users. Raises PermissionDeniedError."""
    home = context.organization_id
    require(context, Permission.USER_READ, organization_id=home)
    after = _ORDER.begin(page)
    with database.tenant_reads(home) as connection:
        found = rows.users(connection, organization_id=home, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def list_all_users(database: Database, context: RequestContext, page: Page) -> Listing[User]:
    """Return a page of every organization's users, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.users(connection, organization_id=None, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def get_user(database: Database, context: RequestContext, user_id: UUID) -> User:
    """Return a user of the organization. Raises ResourceNotFoundError."""
    require(context, Permission.USER_READ, organization_id=context.organization_id)
    with database.tenant_reads(context.organization_id) as connection:
        return get_or_raise(connection, user_id, context.organization_id)


def get_any_user(database: Database, context: RequestContext, user_id: UUID) -> User:
    """Return a user of any organization, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return get_or_raise(connection, user_id, None)


def get_or_raise(connection: Connection, user_id: UUID, organization_id: UUID | None) -> User:
    """Return a user, of any organization when it is None. Raises ResourceNotFoundError."""
    found = rows.user(connection, organization_id=organization_id, user_id=user_id)
    if found is None:
        raise _not_found(user_id)
    return found


def _not_found(user_id: UUID) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"there is no user {user_id}; list the users")


def delete_user(database: Database, context: RequestContext, user_id: UUID) -> None:
    """Delete a user of the organization; its tokens and roles end at once.

    Raises:
        ResourceNotFoundError: there is no such user. StateConflictError: it is the actor, or the last
            one who can grant roles.
        PermissionDeniedError: the user holds more than the actor; somebody who holds that must do this.
    """
    require(context, Permission.USER_WRITE, organization_id=context.organization_id)
    with database.tenant(context.organization_id) as connection:
        _delete(connection, context, get_or_raise(connection, user_id, context.organization_id))


def delete_any_user(database: Database, context: RequestContext, user_id: UUID) -> None:
    """Delete a user of any organization, for operators. Raises as :func:`delete_user`."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        _delete(connection, context, get_or_raise(connection, user_id, None))


def _delete(connection: Connection, context: RequestContext, user: User) -> None:
    if user.id == context.actor.id:
        raise StateConflictError("you cannot delete yourself; another administrator can")
    for held in user.roles:
        require_all_of(context.actor, held.permissions, held.scope, held.organization_id, held.project_id)
        keep_one(connection, context, held, user.username, user.id)
    if not rows.delete_user(connection, user.id):
        raise _not_found(user.id)
    event = record(context, AuditAction.USER_DELETED, user.id, user.username, organization_id=user.organization_id)
    audit.write(connection, event)
