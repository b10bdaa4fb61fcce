# SPDX-License-Identifier: Apache-2.0
"""The agents of clusters, for operators."""

from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_api.schemas.queries import AgentQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import agent_fleet


def serve_operators(routes: Routes) -> None:
    """Add what operators see and do of agents to ``routes``."""

    @routes.add(
        Endpoint(
            id="list_agents",
            method="GET",
            path="/agents",
            access=Permission.PLATFORM_READ,
            summary="List agents, with when they were heard of last and whether they may work",
            tag="Agents",
            query=AgentQuery,
            answer=list_of(schemas.Agent),
            features=frozenset({Feature.PAGED}),
            example={"items": [examples.AGENT], "next": None},
        )
    )
    def list_agents() -> Response:
        cluster = g.query.get("cluster_id")
        only = None if cluster is None else UUID(cluster)
        return answers.page(agent_fleet.list_agents(database(), context(), page(), only))

    @routes.add(
        Endpoint(
            id="revoke_agent",
            method="POST",
            path="/agents/<id:id>/revoke",
            access=Permission.PLATFORM_WRITE,
            summary="End an agent's access at once; its open polls are cut",
            tag="Agents",
            answer=schemas.Agent,
            example=examples.AGENT | {"state": "REVOKED", "revoked_at": "2026-11-23T09:00:00.125000Z"},
        )
    )
    def revoke_agent(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        return answers.content(agent_fleet.revoke_agent(database(), context(), id))
