# SPDX-License-Identifier: Apache-2.0
"""The agents of clusters, for operators."""

from typing import Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.declarations import Noun, listing
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation import agents as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_api.schemas.queries import AgentQuery
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import agent_fleet

_AGENT: Final = Noun(tag="Agents", answer=schemas.Agent, example=examples.AGENT)


@OPS.add(
    listing(
        "list_agents",
        "/agents",
        noun=_AGENT,
        access=Permission.PLATFORM_READ,
        summary="List agents and their state",
        query=AgentQuery,
    )
)
def list_agents() -> Response:
    cluster = g.query.get("cluster_id")
    only = None if cluster is None else UUID(cluster)
    return answers.page_of(agent_fleet.list_agents(database(), context(), page(), only), presentation.agent)


@OPS.add(
    Endpoint(
        id="revoke_agent",
        method="POST",
        path="/agents/<id:id>/revoke",
        access=Permission.PLATFORM_WRITE,
        summary="Revoke an agent's access immediately",
        tag=_AGENT.tag,
        answer=_AGENT.answer,
        example=examples.AGENT | {"state": "REVOKED", "revoked_at": "2026-11-23T09:00:00.125000Z"},
    )
)
def revoke_agent(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.content(presentation.agent(agent_fleet.revoke_agent(database(), context(), id)))
