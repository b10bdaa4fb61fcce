# SPDX-License-Identifier: Apache-2.0
"""The one place that refuses an actor."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from stratoplane.errors import PermissionDeniedError
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.identity import Scope

_KNOWN: Final = frozenset(Permission)


def require(
    context: RequestContext,
    permission: Permission,
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
) -> None:
    """Go on only if the actor has ``permission`` in the organization or project; no scope means the whole platform.

    Raises:
        PermissionDeniedError: it has not; an administrator can grant a role that has it.
    """
    if context.actor.may(permission, organization_id=organization_id, project_id=project_id):
        return
    where = (
        f"project {project_id}" if project_id else f"organization {organization_id}" if organization_id else "platform"
    )
    detail = f"{context.actor.name} lacks the permission {permission.value} in {where}; ask an administrator for a role"
    raise PermissionDeniedError(detail, permission=permission.value)


def require_all_of(
    actor: Actor, permissions: Iterable[str], scope: Scope, organization_id: UUID, project_id: UUID | None = None
) -> None:
    """Go on only if the actor holds everything that a role gives in ``scope``: nobody gives or takes more than that.

    Args:
        actor: who gives or takes the role.
        permissions: as the database has them; one that only a newer version knows is held by nobody here.
        scope: where the role counts.
        organization_id: of the user who gets or loses it.
        project_id: for a role that counts in a project.

    Raises:
        PermissionDeniedError: some are missing; somebody who holds them must do this.
    """
    home = None if scope is Scope.PLATFORM else organization_id
    missing = sorted(
        each
        for each in permissions
        if each not in _KNOWN or not actor.may(Permission(each), organization_id=home, project_id=project_id)
    )
    if missing:
        detail = f"nobody grants or revokes more than they hold; {actor.name} lacks {', '.join(missing)} there"
        raise PermissionDeniedError(detail, permission=missing[0])
