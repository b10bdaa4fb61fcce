# SPDX-License-Identifier: Apache-2.0
"""The small control plane of the agent's tests keeps the protocol as the real one does: each scenario runs on both.

Requests are sent by the agent's own client, which believes no answer that is not signed for its request.
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest

from agent.tests.lab.lab_control_plane import LabControlPlane
from stratoplane.drivers import Capacity
from stratoplane.ids import new_id
from stratoplane.join_tokens import rotation_proof
from stratoplane.messages import (
    Hello,
    Inventory,
    InventoryAnswer,
    KeyRotation,
    OfferRequest,
    OperationReference,
    OperationResult,
    Outcome,
    ProviderReport,
)
from stratoplane.settings import Secret
from stratoplane.storage import BucketSpec
from stratoplane.wire import from_json, to_json
from stratoplane_agent.control_plane import ControlPlane, Offer, reference
from stratoplane_agent.enrol import enrol
from stratoplane_agent.identity import Credential, KeyIdentity, ServerClock, read_credential, write_credential
from stratoplane_agent.keys import PrivateKey
from stratoplane_agent.settings import AgentSettings
from stratoplane_agent.transport import CredentialRefusedError, RefusedByControlPlaneError, Transport
from tests.end_to_end.conftest import OPERATIONS, wait_until

PREFIX = "/api/agent/v1"
SECONDS = 60.0


class Side(Protocol):
    """One of the two control planes, as an operator and a tenant drive it."""

    url: str

    def token(self) -> str:
        """Make a join token of the one cluster."""

    def order(self) -> None:
        """Have one bucket made on the cluster."""


class Lab:
    """The control plane of the agent's tests."""

    def __init__(self, plane: LabControlPlane) -> None:
        self.url, self._plane = plane.url, plane

    def token(self) -> str:
        secret = uuid.uuid4().hex
        self._plane.join_tokens[secret] = "lab"
        return self._plane.token(secret)

    def order(self) -> None:
        spec = BucketSpec(uid=new_id(), project_id=new_id(), name="files")
        self._plane.queue("bucket", "create", spec.uid, spec)


class Real:
    """A cluster of the platform's own, beside the one of its agent."""

    def __init__(self, platform: Any, tenant: Any) -> None:
        self.url, self._operator, self._tenant = platform.report()["agent_url"], platform.operator, tenant
        made = self._operator.post(f"{OPERATIONS}/clusters", json={"name": f"lab-{uuid.uuid4().hex[:12]}"})
        assert made.status_code == 201, made.text
        self.cluster = made.json()

    def token(self) -> str:
        made = self._operator.post(f"{OPERATIONS}/clusters/{self.cluster['id']}/join-tokens", json={"replace": True})
        assert made.status_code == 201, made.text
        token: str = made.json()["token"]
        return token

    def order(self) -> None:
        body = {"name": f"b-{uuid.uuid4().hex[:12]}", "cluster": self.cluster["name"]}
        answer = self._tenant.call("POST", "/buckets", json=body)
        assert answer.status_code == 202, answer.text

    def end(self) -> None:
        """Take the cluster out of service, and let its silence be nobody's incident."""
        self._operator.patch(f"{OPERATIONS}/clusters/{self.cluster['id']}", json={"state": "DISABLED"})


@pytest.fixture(params=["real", "lab"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Each of the two control planes in turn."""
    if request.param == "lab":
        plane = LabControlPlane()
        plane.start()
        yield Lab(plane)
        plane.stop()
        return
    real = Real(request.getfixturevalue("platform"), request.getfixturevalue("tenant"))
    yield real
    real.end()


@dataclass(frozen=True, kw_only=True)
class Peer:
    """An agent that is enrolled, as far as the control plane can tell."""

    state: Path
    side: Side
    process: str = field(default_factory=lambda: secrets.token_hex(8))

    def client(self, clock: ServerClock | None = None) -> ControlPlane:
        return ControlPlane(self.transport(clock))

    def transport(self, clock: ServerClock | None = None) -> Transport:
        return Transport(self.side.url, KeyIdentity(self.state, clock, process=self.process))

    @property
    def credential(self) -> Credential:
        return read_credential(self.state)

    def greet(self) -> None:
        """Say that every driver is ready, so that there may be work."""
        drivers = [
            ProviderReport(interface=each, driver="test", features=("buckets",)) for each in ("compute", "storage")
        ]
        capacity = Capacity(vcpus=100, memory_mib=100_000, storage_gib=1000)
        self.client().hello(Hello(version="1", providers=tuple(drivers), capacity=capacity))

    def offer(self) -> Offer:
        """Poll until there is an operation."""
        offers = wait_until(
            lambda: self.client().offers(OfferRequest(maximum=10, wait_seconds=5.0)), "an operation is offered"
        )
        assert len(offers) == 1
        return offers[0]

    def none_is_offered(self) -> bool:
        return self.client().offers(OfferRequest(maximum=10, wait_seconds=0.0)) == []


@pytest.fixture
def join(tmp_path: Path, side: Side) -> Callable[[str], Peer]:
    """``join(token)``: enrol one more agent."""

    def make(token: str) -> Peer:
        state = tmp_path / uuid.uuid4().hex
        settings = AgentSettings(
            state=state, control_plane=side.url, join_token=Secret(token), name=f"agent-{uuid.uuid4().hex[:12]}"
        )
        enrol(settings)
        return Peer(state=state, side=side)

    return make


@pytest.fixture
def peer(join: Callable[[str], Peer], side: Side) -> Peer:
    """An agent that is enrolled and has said what it has."""
    made = join(side.token())
    made.greet()
    return made


def result_of(offer: Offer, epoch: int | None = None) -> str:
    operation = offer.operation
    status = {**operation.spec, "provider_reference": "native-1"}
    ended = OperationResult(
        id=operation.id, epoch=operation.epoch if epoch is None else epoch, outcome=Outcome.DONE, status=status
    )
    return json.dumps(to_json(ended))


def test_a_join_token_admits_one_agent(side: Side, join: Callable[[str], Peer]) -> None:
    token = side.token()
    first = join(token).credential

    with pytest.raises(CredentialRefusedError) as refused:
        join(token)
    assert (refused.value.status, refused.value.code) == (401, "authentication_failed")
    assert join(side.token()).credential.cluster_id == first.cluster_id
    assert first.generation == 1


def test_a_key_that_is_not_the_agents_is_refused(peer: Peer) -> None:
    write_credential(peer.state, replace(peer.credential, key=PrivateKey.new()))

    with pytest.raises(CredentialRefusedError) as refused:
        peer.client().offers(OfferRequest(maximum=1, wait_seconds=0.0))
    assert (refused.value.status, refused.value.code) == (401, "authentication_failed")


def test_a_request_is_taken_once(peer: Peer) -> None:
    class Repeating(KeyIdentity):
        sent: Mapping[str, str] | None = None

        def headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
            self.sent = self.sent or super().headers(method, path, body)
            return self.sent

    transport = Transport(peer.side.url, Repeating(peer.state))
    transport.post(f"{PREFIX}/offers", b'{"maximum":1,"wait_seconds":0}', seconds=SECONDS)
    with pytest.raises(CredentialRefusedError) as refused:
        transport.post(f"{PREFIX}/offers", b'{"maximum":1,"wait_seconds":0}', seconds=SECONDS)
    assert refused.value.status == 401


@pytest.mark.parametrize("error", [3600.0, -3600.0])
def test_a_wrong_clock_is_put_right_by_the_first_refusal(peer: Peer, error: float) -> None:
    clock = ServerClock(lambda: time.time() + error)

    assert peer.client(clock).offers(OfferRequest(maximum=1, wait_seconds=0.0)) == []
    assert abs(clock.offset + error) < SECONDS


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("offers", b"{", 400, "malformed_json"),
        ("offers", b'{"maximum":"many"}', 422, "invalid_spec"),
        ("teleport", b"{}", 404, "route_not_found"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code(peer: Peer, name: str, body: bytes, status: int, code: str) -> None:
    with pytest.raises(RefusedByControlPlaneError) as refused:
        peer.transport().post(f"{PREFIX}/{name}", body, seconds=SECONDS)

    assert (refused.value.status, refused.value.code) == (status, code)


def test_the_welcome_says_how_the_agent_behaves(peer: Peer) -> None:
    welcome = peer.client().hello(Hello(version="1"))

    assert min(welcome.poll_seconds, welcome.inventory_seconds, welcome.key_seconds) > 0
    assert welcome.server_time.endswith(("+00:00", "Z"))


def test_an_operation_is_offered_acknowledged_and_reported_once(peer: Peer) -> None:
    client = peer.client()
    assert peer.none_is_offered()
    peer.side.order()
    offer = peer.offer()
    named = reference(offer.operation)
    assert (offer.operation.kind, offer.operation.verb, offer.operation.epoch) == ("bucket", "create", 1)
    assert from_json(BucketSpec, offer.operation.spec).uid == offer.operation.uid
    assert peer.none_is_offered()  # while it may still be acknowledged

    older, stranger = replace(named, epoch=0), OperationReference(id=new_id(), epoch=1)
    answer = client.acknowledge([older, stranger])
    assert (answer.accepted, set(answer.refused)) == ((), {named.id, stranger.id})
    for _ in range(2):  # an answer that was lost
        answer = client.acknowledge([named])
        assert (answer.accepted, answer.refused) == ((named.id,), ())

    stale = client.report([result_of(offer, epoch=0)])
    assert (stale.accepted, stale.stale) == ((), (named.id,))
    reported = client.report([result_of(offer)])
    assert (reported.accepted, reported.stale) == ((named.id,), ())
    assert named.id in {*(again := client.report([result_of(offer)])).accepted, *again.stale}
    assert client.acknowledge([named]).refused == (named.id,)
    assert peer.none_is_offered()


def test_an_offer_that_nobody_acknowledges_comes_back_with_a_higher_epoch(peer: Peer) -> None:
    peer.side.order()
    first = peer.offer()
    second = peer.offer()

    assert (first.operation.epoch, second.operation.epoch) == (1, 2)
    assert second.operation.id == first.operation.id
    old = peer.client().acknowledge([reference(first.operation)])
    assert (old.accepted, old.refused) == ((), (first.operation.id,))


def test_keys_are_renewed_and_the_same_one_may_be_brought_again(peer: Peer) -> None:
    identity = KeyIdentity(peer.state, process=peer.process)
    client = ControlPlane(Transport(peer.side.url, identity))
    asked = identity.next_key()
    for _ in range(2):  # an answer that was lost
        assert client.rotate(asked).generation == 2
    identity.promote()

    assert peer.credential.generation == 2
    assert client.offers(OfferRequest(maximum=1, wait_seconds=0.0)) == []


def test_a_next_key_needs_the_proof_of_its_owner(peer: Peer) -> None:
    identity = KeyIdentity(peer.state, process=peer.process)
    mine, other = PrivateKey(PrivateKey.new()), PrivateKey(PrivateKey.new())
    proof = other.proof(rotation_proof(str(peer.credential.agent_id), 2))

    with pytest.raises(RefusedByControlPlaneError) as refused:
        ControlPlane(Transport(peer.side.url, identity)).rotate(
            KeyRotation(generation=2, public_key=mine.public, proof=proof)
        )
    assert (refused.value.status, refused.value.code) == (422, "invalid_spec")


def report_inventory(peer: Peer, snapshot: UUID, sequence: int = 0) -> InventoryAnswer:
    message = Inventory(kinds=("bucket",), items=(), snapshot=snapshot, sequence=sequence)
    body = json.dumps(to_json(message)).encode()
    return from_json(InventoryAnswer, peer.transport().post(f"{PREFIX}/inventory", body, seconds=SECONDS))


def test_a_delta_that_continues_nothing_makes_the_control_plane_ask_for_a_snapshot(peer: Peer) -> None:
    snapshot = new_id()
    assert report_inventory(peer, snapshot).wanted == ()
    assert report_inventory(peer, snapshot, 1).wanted == ()
    assert report_inventory(peer, snapshot, 3).wanted == ("bucket",)
    assert report_inventory(peer, UUID(int=1), 1).wanted == ("bucket",)
    assert report_inventory(peer, new_id()).wanted == ()
