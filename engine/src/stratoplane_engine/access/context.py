# SPDX-License-Identifier: Apache-2.0
"""Who asks, on whose behalf, and in which request: the first argument of every service."""

from dataclasses import dataclass
from typing import Final
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
class AccountLimits:
    """How many there may be of what belongs to accounts and is not a resource with a quota.

    Attributes:
        projects: of an organization, as are ``users`` and ``role_bindings``.
        tokens: of a user, those that it made and that still open something.
    """

    projects: int = 1_000
    users: int = 1_000
    role_bindings: int = 10_000
    tokens: int = 100


DEFAULT_ACCOUNT_LIMITS: Final = AccountLimits()


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """One request as the services see it.

    Attributes:
        organization_id: the organization that is acted in; the actor's own on tenant routes.
        trace_parent: W3C trace context, carried to the job, the operation and the agent.
        if_version: the version that the caller read (``If-Match``); None when it did not say.
        limits: how many the caller's accounts may have of what it may make.
        dry_run: do everything, keep nothing, and answer what would have been.
    """

    actor: Actor
    organization_id: UUID
    request_id: str = ""
    trace_parent: str = ""
    idempotency: IdempotencyKey | None = None
    if_version: int | None = None
    dry_run: bool = False
    limits: AccountLimits = DEFAULT_ACCOUNT_LIMITS
