# SPDX-License-Identifier: Apache-2.0
"""What the views of the agents' application share, and the signature of every answer to an agent."""

import threading
from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, current_app, g, request

from stratoplane.signatures import sign_answer
from stratoplane_api.draining import Draining
from stratoplane_api.listener import Listener
from stratoplane_api.poll_fallback import PollFallback
from stratoplane_api.polls import Polls
from stratoplane_api.readiness import Readiness
from stratoplane_api.waiter_registry import WaiterRegistry
from stratoplane_engine.db.connection import Database
from stratoplane_engine.installation_key import InstallationKey, read_installation_key
from stratoplane_engine.services.agent_authentication import AgentIdentity

_EXTENSION: Final = "stratoplane_agents"
_OK: Final = range(200, 300)


class ServerKey:
    """The installation's key, read from the database when it is first needed."""

    def __init__(self, database: Database) -> None:
        """Prepare to read from ``database``."""
        self._database: Final = database
        self._lock: Final = threading.Lock()
        self._key: InstallationKey | None = None

    def get(self) -> InstallationKey:
        """Return the key. Raises UnavailableError."""
        with self._lock:
            if self._key is None:
                self._key = read_installation_key(self._database)
            return self._key


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentGateway:
    """The parts that the agents' application was made of.

    Attributes:
        waiters: wake the polls; ``listener`` and ``poll_fallback`` tell it whom.
        polls: counts those of each agent, so that no agent takes the places of the others.
        key: signs what agents are told.
        readiness: what load balancers are told.
        draining: ends the polls when the process is about to stop.
        inventory_seconds: how long agents wait between their looks at their clusters.
    """

    database: Database
    waiters: WaiterRegistry
    listener: Listener
    poll_fallback: PollFallback
    polls: Polls
    key: ServerKey
    inventory_seconds: float
    readiness: Readiness
    draining: Draining


def install(app: Flask, parts: AgentGateway) -> None:
    """Let the views of ``app`` use ``parts``, and sign what they answer."""
    app.extensions[_EXTENSION] = parts

    @app.after_request
    def sign(response: Response) -> Response:
        if response.status_code in _OK and "Signature" in request.headers:
            key = parts.key.get()
            signed = sign_answer(
                response.status_code,
                response.get_data(),
                request.headers,
                key_id=str(key.installation_id),
                sign=key.sign,
            )
            response.headers.update(signed)
        return response


def agent_gateway() -> AgentGateway:
    """Return the parts of the current application."""
    found: AgentGateway = current_app.extensions[_EXTENSION]
    return found


def agent() -> AgentIdentity:
    """Return the agent that asks; only for operations behind the agents' gate."""
    found: AgentIdentity = g.actor
    return found
