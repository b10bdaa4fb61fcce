# SPDX-License-Identifier: Apache-2.0
"""The agents as operators see them."""

from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import agent_keys, audit
from stratoplane_engine.db import agents as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.cluster import Agent
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record

_ORDER: Final = listings.oldest_first(Agent)


def list_agents(
    database: Database, context: RequestContext, page: Page, cluster_id: UUID | None = None
) -> Listing[Agent]:
    """Return a page of agents, those of one cluster or all, for operators. Raises PermissionDeniedError."""
    require(context, Permission.PLATFORM_READ)
    after = _ORDER.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, cluster_id=cluster_id, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def revoke_agent(database: Database, context: RequestContext, agent_id: UUID) -> Agent:
    """Revoke an agent's access: its next request is refused, its open polls are cut. Doing it again changes nothing.

    Raises:
        ResourceNotFoundError: there is no such agent.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        is_new = agent_keys.revoke(connection, agent_id)
        agent = rows.get(connection, agent_id)
        if agent is None:
            raise ResourceNotFoundError(f"there is no agent {agent_id}; list the agents")
        if is_new:
            detail = {"cluster_id": str(agent.cluster_id)}
            audit.write(connection, record(context, AuditAction.AGENT_REVOKED, agent_id, agent.name, detail=detail))
        return agent
