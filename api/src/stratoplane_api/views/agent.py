# SPDX-License-Identifier: Apache-2.0
"""What agents say: the messages of :mod:`stratoplane.messages` over HTTP."""

import random
import time
from typing import Final, TypeVar

from flask import Response, request

from stratoplane import messages, wire
from stratoplane.errors import UnavailableError
from stratoplane.signatures import BadSignatureError, check_body
from stratoplane_api import answers, json_body
from stratoplane_api.agent_gateway import AgentGateway, agent, agent_gateway
from stratoplane_api.authentication import signed_request
from stratoplane_api.endpoints import Endpoint, Gate
from stratoplane_api.namespaces import AGENT
from stratoplane_api.polls import Poll
from stratoplane_api.readiness import DRAINING
from stratoplane_api.reading import require_plain_text
from stratoplane_api.request_errors import MalformedBodyError
from stratoplane_engine.model.cluster import Refusal, wake_name
from stratoplane_engine.services import agent_authentication, agents, enrolment
from stratoplane_engine.services.agent_authentication import AgentIdentity

LONGEST_POLL: Final = agents.POLL_SECONDS
"""Seconds that an agent's poll is held at most."""
_SHORTEST_SHARE: Final = 0.8
"""The least share of its wait that a poll is held: agents that came together, after a restart, soon come one by one."""
LARGEST_REPORT: Final = 16 * 1024 * 1024
"""Bytes of results (console logs) or of an inventory of thousands of machines."""
_SMALL: Final = 64 * 1024
_MIDDLE: Final = 1024 * 1024
_TAG: Final = "Agents"
_Message = TypeVar("_Message")


def _operation(name: str, summary: str, *, gate: Gate = Gate.AGENT, limit: int = LARGEST_REPORT) -> Endpoint:
    return Endpoint(
        id=name,
        method="POST",
        path=f"/{name}",
        access=gate,
        summary=summary,
        tag=_TAG,
        body_limit=limit,
    )


def _message(wanted: type[_Message]) -> _Message:
    body = request.get_data()
    require_plain_text(request)
    if not body:
        raise MalformedBodyError("this operation needs a JSON object as its body")
    return wire.from_json(wanted, json_body.decode_foreign(body))


def _answer(value: object) -> Response:
    return answers.content(wire.to_json(value))


@AGENT.add(_operation("challenge", "Have the control plane prove its key", gate=Gate.PUBLIC, limit=_SMALL))
def challenge() -> Response:
    return _answer(enrolment.challenge(agent_gateway().key.get(), _message(messages.ChallengeRequest)))


@AGENT.add(_operation("enrol", "Exchange a join token for the admission of a key", gate=Gate.PUBLIC, limit=_SMALL))
def enrol() -> Response:
    database, body = agent_gateway().database, request.get_data()
    try:
        signed = signed_request()
        check_body(body, request.headers)
    except BadSignatureError as error:
        raise agent_authentication.refused(database, None, Refusal.UNSIGNED, str(error)) from error
    return _answer(enrolment.enrol(database, _message(messages.EnrolRequest), signed))


@AGENT.add(_operation("keys", "Take the agent's next key", limit=_SMALL))
def keys() -> Response:
    return _answer(enrolment.rotate(agent_gateway().database, agent(), _message(messages.KeyRotation)))


@AGENT.add(_operation("hello", "Say which drivers there are", limit=_MIDDLE))
def hello() -> Response:
    parts = agent_gateway()
    said = agents.hello(parts.database, agent(), _message(messages.Hello), inventory_seconds=parts.inventory_seconds)
    return _answer(said)


@AGENT.add(_operation("offers", "Take operations, waiting for the first", limit=_SMALL))
def offers() -> Response:
    wish = _message(messages.OfferRequest)
    parts, identity = agent_gateway(), agent()
    if parts.draining.begun:
        # Answered with nothing, the agent would poll again at once, and so would thousands.
        raise UnavailableError(DRAINING)
    parts.listener.ensure()
    parts.poll_fallback.ensure()
    with parts.polls.hold(identity.id, request.environ.get("gunicorn.socket")) as poll:
        return _answer(_await_work(parts, identity, wish, poll))


def _await_work(parts: AgentGateway, identity: AgentIdentity, wish: messages.OfferRequest, poll: Poll) -> object:
    patience = max(0.0, min(wish.wait_seconds, LONGEST_POLL))
    deadline = time.monotonic() + patience * random.uniform(_SHORTEST_SHARE, 1.0)  # noqa: S311  # spreads, hides nothing
    with parts.waiters.expect(str(identity.cluster_id), wake_name(identity.id)) as event:
        while True:
            event.clear()
            if poll.is_given_up() or parts.draining.begun:
                return messages.Offers()
            found = agents.take_offers(parts.database, identity, wish)
            if found.operations or not event.wait(max(0.0, deadline - time.monotonic())):
                return found


@AGENT.add(_operation("acknowledgements", "Say which operations are about to be executed", limit=_MIDDLE))
def acknowledgements() -> Response:
    return _answer(agents.acknowledge(agent_gateway().database, agent(), _message(messages.Acknowledgements)))


@AGENT.add(_operation("results", "Report ended operations"))
def results() -> Response:
    return _answer(agents.report_results(agent_gateway().database, agent(), _message(messages.Results)))


@AGENT.add(_operation("inventory", "Report what the cluster holds"))
def inventory() -> Response:
    return _answer(agents.report_inventory(agent_gateway().database, agent(), _message(messages.Inventory)))
