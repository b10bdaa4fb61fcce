# SPDX-License-Identifier: Apache-2.0
"""What agents say: the messages of :mod:`stratoplane.messages` over HTTP."""

from typing import Final, TypeVar

from flask import Response, request

from stratoplane import messages, wire
from stratoplane_api import answers, json_body
from stratoplane_api.agent_gateway import agent, agent_gateway
from stratoplane_api.operations import Gate, Operation
from stratoplane_api.request_errors import MalformedBodyError
from stratoplane_api.routes import Routes
from stratoplane_api.waiting import hold
from stratoplane_engine.services import agents

LONGEST_POLL: Final = 25.0
"""Seconds that an agent's poll is held at most."""
LARGEST_REPORT: Final = 16 * 1024 * 1024
"""Bytes of results (console logs) or of an inventory of thousands of machines."""
_TAG: Final = "Agents"
_Message = TypeVar("_Message")

ROUTES: Final = Routes("agent", "/api/agent/v1", "What the agents of clusters say.")


def _operation(
    name: str, summary: str, *, gate: Gate = Gate.AGENT, success: int = 200, limit: int = LARGEST_REPORT
) -> Operation:
    return Operation(
        id=name,
        method="POST",
        path=f"/{name}",
        access=gate,
        summary=summary,
        tag=_TAG,
        success=success,
        body_limit=limit,
    )


def _message(wanted: type[_Message]) -> _Message:
    body = request.get_data(cache=False)
    if not body:
        raise MalformedBodyError("this operation needs a JSON object as its body")
    return wire.from_json(wanted, json_body.decode_foreign(body))


def _answer(value: object) -> Response:
    return answers.content(wire.to_json(value))


@ROUTES.add(_operation("enrol", "Exchange a join token for a credential", gate=Gate.PUBLIC, limit=64 * 1024))
def enrol() -> Response:
    return _answer(agents.enrol(agent_gateway().database, _message(messages.EnrolRequest)))


@ROUTES.add(_operation("hello", "Say which drivers there are"))
def hello() -> Response:
    return _answer(agents.hello(agent_gateway().database, agent(), _message(messages.Hello)))


@ROUTES.add(_operation("offers", "Take operations, waiting for the first"))
def offers() -> Response:
    wish = _message(messages.OfferRequest)
    parts, identity = agent_gateway(), agent()
    parts.listener.ensure()
    with parts.polls.hold(identity.id):
        found = hold(
            parts.wakeups,
            str(identity.cluster_id),
            max(0.0, min(wish.wait_seconds, LONGEST_POLL)),
            lambda: agents.take_offers(parts.database, identity, wish),
            lambda taken: bool(taken.operations),
        )
    return _answer(found)


@ROUTES.add(_operation("acknowledgements", "Say which operations are about to be executed"))
def acknowledgements() -> Response:
    return _answer(agents.acknowledge(agent_gateway().database, agent(), _message(messages.Acknowledgements)))


@ROUTES.add(_operation("results", "Report ended operations"))
def results() -> Response:
    return _answer(agents.report_results(agent_gateway().database, agent(), _message(messages.Results)))


@ROUTES.add(_operation("inventory", "Report what the cluster holds", success=204))
def inventory() -> Response:
    agents.report_inventory(agent_gateway().database, agent(), _message(messages.Inventory))
    return answers.empty()
