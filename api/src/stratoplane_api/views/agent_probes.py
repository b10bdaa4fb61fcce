# SPDX-License-Identifier: Apache-2.0
"""What the agents' API tells a load balancer."""

from typing import Final

from flask import Response

from stratoplane_api import answers
from stratoplane_api.agent_gateway import agent_gateway
from stratoplane_api.declarations import live, ready
from stratoplane_api.namespaces import AGENT

_TAG: Final = "Agents"


@AGENT.add(live("get_agent_live", _TAG))
def get_agent_live() -> Response:
    return answers.content({"status": "ok"})


@AGENT.add(ready("get_agent_ready", _TAG))
def get_agent_ready() -> Response:
    agent_gateway().readiness.require()
    return answers.content({"status": "ok"})
