# SPDX-License-Identifier: Apache-2.0
"""The one place that refuses an actor."""

from uuid import UUID

from stratoplane.errors import PermissionDeniedError
from stratoplane_engine.context import RequestContext
from stratoplane_engine.permissions import Permission


def require(
    context: RequestContext,
    permission: Permission,
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
    own: bool = False,
) -> None:
    """Go on only if the actor has ``permission`` in the organization or project; no scope means the whole platform.

    ``own`` says that the request touches nothing but the actor itself, which needs no role.

    Raises:
        PermissionDeniedError: it has not; an administrator can grant a role that has it.
    """
    if own or context.actor.may(permission, organization_id=organization_id, project_id=project_id):
        return
    where = (
        f"project {project_id}" if project_id else f"organization {organization_id}" if organization_id else "platform"
    )
    detail = f"{context.actor.name} lacks the permission {permission.value} in {where}; ask an administrator for a role"
    raise PermissionDeniedError(detail, permission=permission.value)
