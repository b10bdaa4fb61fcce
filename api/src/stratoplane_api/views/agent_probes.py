# SPDX-License-Identifier: Apache-2.0
"""What the agents' API tells a load balancer."""

from typing import Final

from flask import Response

from stratoplane_api import answers
from stratoplane_api.agent_gateway import agent_gateway
from stratoplane_api.endpoints import Endpoint, Gate
from stratoplane_api.namespaces import AGENT
from stratoplane_api.schemas.about import Probe

_TAG: Final = "Agents"


@AGENT.add(
    Endpoint(
        id="get_agent_live",
        method="GET",
        path="/live",
        access=Gate.PUBLIC,
        summary="Tell that the process lives",
        tag=_TAG,
        answer=Probe,
    )
)
def get_agent_live() -> Response:
    return answers.content({"status": "ok"})


@AGENT.add(
    Endpoint(
        id="get_agent_ready",
        method="GET",
        path="/ready",
        access=Gate.PUBLIC,
        summary="Tell whether to send requests to this process",
        tag=_TAG,
        answer=Probe,
    )
)
def get_agent_ready() -> Response:
    agent_gateway().readiness.require()
    return answers.content({"status": "ok"})
