# SPDX-License-Identifier: Apache-2.0
"""What the views of the agents' application share."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, current_app, g

from stratoplane_api.listener import Listener
from stratoplane_api.waiting import PollCount
from stratoplane_api.wakeups import Wakeups
from stratoplane_engine.db.connection import Database
from stratoplane_engine.services.agents import AgentIdentity

_EXTENSION: Final = "stratoplane_agents"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentGateway:
    """The parts that the agents' application was made of.

    Attributes:
        wakeups: hold the polls; ``listener`` wakes them.
        polls: counts those of each agent, so that no agent takes the places of the others.
    """

    database: Database
    wakeups: Wakeups
    listener: Listener
    polls: PollCount


def install(app: Flask, parts: AgentGateway) -> None:
    """Let the views of ``app`` use ``parts``."""
    app.extensions[_EXTENSION] = parts


def agent_gateway() -> AgentGateway:
    """Return the parts of the current application."""
    found: AgentGateway = current_app.extensions[_EXTENSION]
    return found


def agent() -> AgentIdentity:
    """Return the agent that asks; only for operations behind the agents' gate."""
    found: AgentIdentity = g.actor
    return found
