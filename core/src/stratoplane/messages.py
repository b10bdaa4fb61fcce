# SPDX-License-Identifier: Apache-2.0
"""The messages of the agent protocol, JSON over HTTP (:mod:`stratoplane.wire` converts).

The order for one operation is offer, acknowledgement, execution, result. An offer that is not acknowledged is
offered again with a higher epoch; an answer that was delivered is not a delivery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from stratoplane.drivers import AvailableImage, Capacity

AGENT_PROTOCOL = 3
"""Number of this protocol: 1 signs requests, 2 has deltas of the inventory, 3 answers that are signed."""
OLDEST_PROTOCOL = max(1, AGENT_PROTOCOL - 2)
"""The oldest that the control plane serves. It refuses newer ones than its own: update it before the agents."""
LONGEST_PROVIDER_TEXT = 64 * 1024
"""Characters of a provider's text. An agent leaves out the middle of a longer one, so that the end is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChallengeRequest:
    """Asks the control plane to prove its key over ``nonce``, before the agent sends any secret."""

    nonce: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """The control plane's proof.

    Attributes:
        public_key: its Ed25519 key, base64; the join token contains the fingerprint.
        proof: its signature over the nonce, base64.
        server_time: its time, ISO 8601; the agent signs with this clock.
    """

    public_key: str
    proof: str
    server_time: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolRequest:
    """An agent's enrolment, signed with the key that it generated.

    Attributes:
        join_token: the one-use part of the token.
        public_key: the agent's Ed25519 key, base64; the request's signature proves possession of the private key.
    """

    join_token: str
    name: str
    version: str
    public_key: str
    protocol: int = AGENT_PROTOCOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """The answer: the agent's identity. Its key is its only credential and stays with it."""

    agent_id: UUID
    cluster_id: UUID
    cluster_name: str
    installation_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotation:
    """The agent's next key, in a request that the current one signs.

    Attributes:
        generation: the current generation plus one.
        public_key: base64; ``proof`` is its signature over agent and generation, base64.
    """

    generation: int
    public_key: str
    proof: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotated:
    """The generation that the agent signs with from now on."""

    generation: int


class ProviderStatus(StrEnum):
    """Whether a driver is usable."""

    READY = "READY"
    UNREACHABLE = "UNREACHABLE"
    BROKEN = "BROKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderReport:
    """One loaded driver, or why it could not be loaded (``reason``).

    Attributes:
        images: those that it has, None when it does not tell or has more than :data:`stratoplane.drivers.MOST_IMAGES`;
            a further hello follows when they change.
    """

    interface: str
    driver: str
    version: str = ""
    contract: str = ""
    status: ProviderStatus = ProviderStatus.READY
    reason: str = ""
    features: tuple[str, ...] = ()
    production_ready: bool = True
    images: tuple[AvailableImage, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListingReport:
    """How a driver answers one thing that it is asked again and again.

    Attributes:
        name: a kind of objects, ``capacity``, ``images`` or ``health``.
        age_seconds: how long ago it answered last, or began to be asked while it never has.
        error: why the last call failed, empty when it did not.
    """

    interface: str
    name: str
    age_seconds: float
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello:
    """Sent at start and whenever a provider changes."""

    version: str
    protocol: int = AGENT_PROTOCOL
    providers: tuple[ProviderReport, ...] = ()
    capacity: Capacity = field(default_factory=Capacity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Welcome:
    """How the agent should behave: longest poll, inventory interval, and maximum age of a key, all in seconds."""

    server_time: str
    poll_seconds: float
    inventory_seconds: float
    key_seconds: float = 43_200.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationReference:
    """An operation at one epoch."""

    id: UUID
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRequest:
    """Ask for operations: at most ``maximum`` operations, waiting up to ``wait_seconds`` for the first.

    Attributes:
        waiting: operations that the provider has accepted and works on; agents of before name none.
    """

    maximum: int
    wait_seconds: float
    waiting: tuple[OperationReference, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One driver call.

    Attributes:
        id: the operation; a result names it together with its epoch.
        epoch: increases with every offer; an agent refuses one below the highest it has seen for this operation.
        kind: kind of the resource, ``verb`` the driver's verb (``create``, ``resize``, ``console_log`` ...).
        uid: the resource's id, the object's identity at the provider.
        spec: the driver's specification; empty for verbs that take the uid only.
        timeout_seconds: after this time the agent reports the operation as uncertain.
        observe_first: an earlier attempt may have taken effect.
        trace_parent: W3C trace context of the request that caused it.
    """

    id: UUID
    epoch: int
    kind: str
    verb: str
    uid: UUID
    spec: Mapping[str, object] = field(default_factory=dict)
    timeout_seconds: float = 600.0
    observe_first: bool = False
    trace_parent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offers:
    """Operations that the agent may acknowledge within ``acknowledge_seconds``."""

    operations: tuple[Operation, ...] = ()
    acknowledge_seconds: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgements:
    """What the agent is about to execute; it starts only what the answer confirms."""

    operations: tuple[OperationReference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AcknowledgementAnswer:
    """Ids that are assigned to the agent, and ids that were withdrawn."""

    accepted: tuple[UUID, ...] = ()
    refused: tuple[UUID, ...] = ()


class Outcome(StrEnum):
    """How a driver call ended, sorted by what the engine does next."""

    DONE = "done"
    TRANSIENT = "transient"
    UNCERTAIN = "uncertain"
    PERMANENT = "permanent"


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationResult:
    """The end of one operation.

    Attributes:
        status: what the driver returned, as JSON values; None without a result (deleted, rebooted).
        code: stable code of the error, ``detail`` its text for people, ``provider_text`` the provider's own message.
        retry_after: seconds that a provider asked to wait.
    """

    id: UUID
    epoch: int
    outcome: Outcome
    status: Mapping[str, object] | None = None
    code: str = ""
    detail: str = ""
    provider_text: str = ""
    retry_after: float | None = None
    duration_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Results of operations, reported until the control plane has answered for each."""

    results: tuple[OperationResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultsAnswer:
    """Ids whose result was accepted, and ids whose epoch is not current any more: the agent forgets both."""

    accepted: tuple[UUID, ...] = ()
    stale: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryItem:
    """One object that carries our mark, as it is at the provider; ``status`` is the driver's status as JSON values.

    Attributes:
        others: the provider's ids of further objects with the same mark, in their order; an agent leaves out the member
            where there are none.
    """

    uid: UUID
    kind: str
    status: Mapping[str, object]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignItem:
    """One object without our mark: the provider's id and name of it, and its status as JSON values."""

    reference: str
    name: str
    status: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """Everything ours on the cluster, of the named ``kinds`` (a kind whose driver failed to list is left out).

    Between two snapshots an agent sends deltas; each names the snapshot that it continues and its number.

    Attributes:
        age_seconds: how long ago the drivers started to list: what was created later is not missing.
        snapshot: names the snapshot, or the one that a delta continues; None from agents that send no deltas.
        sequence: 0 for a snapshot, 1 for the first delta, and so on.
        gone: in a delta, the ids that have disappeared; ``items`` are those that are new or changed.
        foreign: every foreign object of the one kind, up to a limit; sent with snapshots and when the list has
            changed, None when it has not or the driver cannot list them.
        listings: every listing of the agent's drivers, in a message of its own without ``kinds``; None in the others,
            and from agents that do not report them.
    """

    kinds: tuple[str, ...]
    items: tuple[InventoryItem, ...]
    capacity: Capacity = field(default_factory=Capacity)
    age_seconds: float = 0.0
    snapshot: UUID | None = None
    sequence: int = 0
    gone: tuple[UUID, ...] = ()
    foreign: tuple[ForeignItem, ...] | None = None
    listings: tuple[ListingReport, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryAnswer:
    """Kinds of which the next inventory must be a snapshot: a delta did not continue what the control plane knows."""

    wanted: tuple[str, ...] = ()
