# SPDX-License-Identifier: Apache-2.0
"""Who asks, on whose behalf, and in which request: the first argument of every service."""

from dataclasses import dataclass
from uuid import UUID

from stratoplane_engine.access.permissions import Grant, Permission, allows
from stratoplane_engine.model.change import IdempotencyKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """An authenticated user with every grant that its role bindings give.

    Attributes:
        id: the user's id.
        name: ``user:alice``, as the audit trail shows it.
        organization_id: the user's home; tenant routes act inside it.
        credential_id: the token that was shown.
    """

    id: UUID
    name: str
    organization_id: UUID
    credential_id: UUID
    grants: tuple[Grant, ...] = ()

    def may(
        self, permission: Permission, *, organization_id: UUID | None = None, project_id: UUID | None = None
    ) -> bool:
        """Tell whether any grant covers ``permission`` in this scope; no scope means the whole platform."""
        return any(allows(grant, permission, organization_id, project_id) for grant in self.grants)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """One request as the services see it.

    Attributes:
        organization_id: the organization that is acted in; the actor's own on tenant routes.
        trace_parent: W3C trace context, carried to the job, the operation and the agent.
        if_version: the version that the caller read (``If-Match``); None when it did not say.
        dry_run: do everything, keep nothing, and answer what would have been.
    """

    actor: Actor
    organization_id: UUID
    request_id: str = ""
    trace_parent: str = ""
    idempotency: IdempotencyKey | None = None
    if_version: int | None = None
    dry_run: bool = False
