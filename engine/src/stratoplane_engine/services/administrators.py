# SPDX-License-Identifier: Apache-2.0
"""The last one who can grant roles stays: the platform and each organization keep an administrator."""

from uuid import UUID

from stratoplane.errors import StateConflictError
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.model.identity import HeldRole, RoleBinding, Scope


def keep_one(
    connection: Connection, context: RequestContext, leaving: HeldRole | RoleBinding, username: str, user_id: UUID
) -> None:
    """Go on only if somebody else can still grant roles where a role ends; others that end meanwhile are waited for.

    Operators, who can grant every role anywhere, may leave an organization without an administrator of its own.

    Raises:
        StateConflictError: the user is the last one who can; the caller gives another one the role first.
    """
    if leaving.scope is Scope.PROJECT or Permission.ROLE_GRANT not in leaving.permissions:
        return
    if leaving.scope is Scope.ORGANIZATION and context.actor.may(Permission.ROLE_GRANT):
        return
    organization_id = None if leaving.scope is Scope.PLATFORM else leaving.organization_id
    rows.lock_administrators(connection, organization_id)
    if not rows.administrators(connection, organization_id, Permission.ROLE_GRANT) - {user_id}:
        where = "platform" if organization_id is None else "organization"
        raise StateConflictError(
            f"{username} is the last administrator of the {where}; give another user the role first"
        )
