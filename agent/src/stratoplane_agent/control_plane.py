# SPDX-License-Identifier: Apache-2.0
"""The control plane as the agent sees it: one method for each message of the agent protocol."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from stratoplane.drivers import Capacity
from stratoplane.errors import InvalidSpecError
from stratoplane.messages import (
    AcknowledgementAnswer,
    Acknowledgements,
    Challenge,
    ChallengeRequest,
    Enrolment,
    EnrolRequest,
    Hello,
    Inventory,
    InventoryAnswer,
    KeyRotated,
    KeyRotation,
    ListingReport,
    OfferRequest,
    Operation,
    OperationReference,
    ResultsAnswer,
    Welcome,
)
from stratoplane.wire import from_json, to_json
from stratoplane_agent.log import Log
from stratoplane_agent.transport import Transport, UnreachableControlPlaneError

MessageT = TypeVar("MessageT")
_PREFIX: Final = "/api/agent/v1"
_ANSWER_SECONDS: Final = 20.0
_LONG_ANSWER_SECONDS: Final = 120.0
_SPARE_SECONDS: Final = 10.0
_log: Final = Log("control_plane")


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """An operation on offer, and its JSON text for the journal."""

    operation: Operation
    document: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KindSurvey:
    """The objects of one kind: all with ``sequence`` 0, else what changed since the message before.

    Attributes:
        items: encoded :class:`stratoplane.messages.InventoryItem`.
        foreign: encoded list of :class:`stratoplane.messages.ForeignItem`, or ``null`` when there is nothing to report.
    """

    kind: str
    items: Sequence[bytes]
    gone: Sequence[UUID]
    snapshot: UUID
    sequence: int
    age_seconds: float
    foreign: bytes = b"null"


class ControlPlane:
    """Every method raises the errors of :meth:`stratoplane_agent.transport.Transport.post`."""

    def __init__(self, transport: Transport) -> None:
        self._transport: Final = transport

    @property
    def url(self) -> str:
        return self._transport.url

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Ask the control plane to prove its key."""
        return _decode(Challenge, self._post("challenge", request))

    def rotate(self, request: KeyRotation) -> KeyRotated:
        """Send the next key; the same one may be sent again when the answer was lost."""
        return _decode(KeyRotated, self._post("keys", request))

    def enrol(self, request: EnrolRequest) -> Enrolment:
        """Exchange the join token. Sent once only: a token whose answer was lost is used up."""
        answer = self._transport.post_once(f"{_PREFIX}/enrol", _encode(request), seconds=_ANSWER_SECONDS)
        return _decode(Enrolment, answer)

    def hello(self, message: Hello) -> Welcome:
        return _decode(Welcome, self._post("hello", message))

    def offers(self, request: OfferRequest) -> Sequence[Offer]:
        """Wait for operations; one that cannot be read is skipped and logged, so that it does not block the others."""
        answer = self._transport.post(
            f"{_PREFIX}/offers", _encode(request), seconds=request.wait_seconds + _SPARE_SECONDS
        )
        documents = answer.get("operations") if isinstance(answer, dict) else None
        if not isinstance(documents, list):
            raise UnreachableControlPlaneError(f"{self.url} sent an answer that is not an offer")
        return [offer for document in documents if (offer := _read_offer(document))]

    def acknowledge(self, operations: Iterable[OperationReference]) -> AcknowledgementAnswer:
        return _decode(
            AcknowledgementAnswer, self._post("acknowledgements", Acknowledgements(operations=tuple(operations)))
        )

    def report(self, results: Sequence[str]) -> ResultsAnswer:
        """Report results, each as the JSON text that the journal holds."""
        body = f'{{"results":[{",".join(results)}]}}'.encode()
        answer = self._transport.post(f"{_PREFIX}/results", body, seconds=_ANSWER_SECONDS)
        return _decode(ResultsAnswer, answer)

    def inventory(self, survey: KindSurvey, capacity: Capacity) -> InventoryAnswer:
        """Report every object of one kind, or what changed of them; the items come encoded and stay compact."""
        body = (
            b'{"kinds":[%s],"items":[%s],"gone":%s,"snapshot":"%s","sequence":%d,"capacity":%s,"age_seconds":%.3f,"foreign":%s}'
            % (
                json.dumps(survey.kind).encode(),
                b",".join(survey.items),
                json.dumps([str(each) for each in survey.gone]).encode(),
                str(survey.snapshot).encode(),
                survey.sequence,
                _encode(capacity),
                survey.age_seconds,
                survey.foreign,
            )
        )
        answer = self._transport.post(f"{_PREFIX}/inventory", body, seconds=_LONG_ANSWER_SECONDS)
        return _decode(InventoryAnswer, answer)

    def report_listings(self, listings: tuple[ListingReport, ...], capacity: Capacity) -> None:
        """Report how the drivers answer; a control plane that knows no such report takes only the capacity of it."""
        message = Inventory(kinds=(), items=(), capacity=capacity, listings=listings)
        _decode(InventoryAnswer, self._post("inventory", message))

    def _post(self, name: str, message: object) -> object:
        return self._transport.post(f"{_PREFIX}/{name}", _encode(message), seconds=_ANSWER_SECONDS)


def _encode(message: object) -> bytes:
    return json.dumps(to_json(message), separators=(",", ":")).encode()


def _decode(wanted: type[MessageT], answer: object) -> MessageT:
    try:
        return from_json(wanted, answer)
    except InvalidSpecError as error:
        raise UnreachableControlPlaneError(f"the control plane's answer cannot be read: {error}") from error


def _read_offer(document: object) -> Offer | None:
    try:
        operation = from_json(Operation, document)
    except InvalidSpecError as error:
        _log.error("offer_unreadable", reason=error)
        return None
    return Offer(operation=operation, document=json.dumps(document, separators=(",", ":")))


def read_operation(document: str) -> Operation:
    """Return the operation of an offer's JSON text."""
    return from_json(Operation, json.loads(document))


def reference(operation: Operation) -> OperationReference:
    return OperationReference(id=operation.id, epoch=operation.epoch)
