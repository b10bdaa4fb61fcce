# SPDX-License-Identifier: Apache-2.0
"""The agents as operators see them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import agent_keys, audit
from stratoplane_engine.db import agents as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record

_TIMES: Final = ("created_at", "seen_at", "revoked_at", "locked_at")


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: instant(row[name]) for name in _TIMES}
    return {**row, "id": str(row["id"]), "cluster_id": str(row["cluster_id"]), **times}


def list_agents(
    database: Database, context: RequestContext, page: Page, cluster_id: UUID | None = None
) -> Listing[Mapping[str, object]]:
    """Return a page of agents, those of one cluster or all, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(connection, cluster_id=cluster_id, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _wire)


def revoke_agent(database: Database, context: RequestContext, agent_id: UUID) -> dict[str, Any]:
    """End an agent's access: its next request is refused, its open polls are cut. Doing it again changes nothing.

    Raises:
        ResourceNotFoundError: there is no such agent.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        revoked = agent_keys.revoke(connection, agent_id)
        row = rows.get(connection, agent_id)
        if revoked is None or row is None:
            raise ResourceNotFoundError(f"there is no agent {agent_id}; list the agents")
        if revoked:
            detail = {"cluster_id": str(row["cluster_id"])}
            audit.write(connection, record(context, AuditAction.AGENT_REVOKED, agent_id, row["name"], detail=detail))
        return _wire(row)
