# SPDX-License-Identifier: Apache-2.0
"""What agents and the control plane say to each other, as JSON over HTTP (:mod:`stratoplane.wire` converts).

The order for one operation is offer, acknowledgement, execution, result. An offer that is not acknowledged is
offered again with a higher epoch; an answer that was delivered is not a delivery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from stratoplane.drivers import Capacity

AGENT_PROTOCOL = 3
"""Number of this protocol: 1 signs requests, 2 has deltas of the inventory, 3 answers that are signed."""
OLDEST_PROTOCOL = max(1, AGENT_PROTOCOL - 2)
"""The oldest that the control plane serves; newer ones than its own it refuses, it is to be updated before agents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChallengeRequest:
    """What an agent asks before it says any secret: prove your key over this ``nonce``."""

    nonce: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """The control plane's proof.

    Attributes:
        public_key: its Ed25519 key, base64; the join token has the fingerprint.
        proof: its signature over the nonce, base64.
        server_time: its clock, ISO 8601; what the agent signs is measured by it.
    """

    public_key: str
    proof: str
    server_time: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolRequest:
    """An agent's first words, signed with the key that it made.

    Attributes:
        join_token: the one-use part of the token.
        public_key: the agent's Ed25519 key, base64; the request's signature proves that the agent has the other half.
    """

    join_token: str
    name: str
    version: str
    public_key: str
    protocol: int = AGENT_PROTOCOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """The answer: who the agent is from now on. Its key stays with it; there is no other credential."""

    agent_id: UUID
    cluster_id: UUID
    cluster_name: str
    installation_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotation:
    """The agent's next key, in a request that the present one signs.

    Attributes:
        generation: the present one and one.
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
    """Whether a driver can work."""

    READY = "READY"
    UNREACHABLE = "UNREACHABLE"
    BROKEN = "BROKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderReport:
    """One loaded driver, or why it could not be loaded (``reason``)."""

    interface: str
    driver: str
    version: str = ""
    contract: str = ""
    status: ProviderStatus = ProviderStatus.READY
    reason: str = ""
    features: tuple[str, ...] = ()
    production_ready: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello:
    """Sent at start and whenever a provider changes."""

    version: str
    protocol: int = AGENT_PROTOCOL
    providers: tuple[ProviderReport, ...] = ()
    capacity: Capacity = field(default_factory=Capacity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Welcome:
    """How the agent should behave: longest poll, time between inventories, age of a key, all in seconds."""

    server_time: str
    poll_seconds: float
    inventory_seconds: float
    key_seconds: float = 43_200.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRequest:
    """Ask for work: at most ``maximum`` operations, waiting up to ``wait_seconds`` for the first."""

    maximum: int
    wait_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One driver call.

    Attributes:
        id: the operation; a result names it together with its epoch.
        epoch: grows with every offer; an agent refuses one that is lower than the last it saw for this operation.
        kind: kind of the resource, ``verb`` the driver's verb (``create``, ``resize``, ``console_log`` ...).
        uid: the resource's id, the object's identity at the provider.
        spec: the driver's specification; empty for verbs that need the uid only.
        timeout_seconds: after this the agent reports the operation as uncertain.
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
class OperationReference:
    """An operation at one epoch."""

    id: UUID
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgements:
    """What the agent is about to execute; it starts only what the answer accepts."""

    operations: tuple[OperationReference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AcknowledgementAnswer:
    """Ids that the agent now owns, and ids that were taken back."""

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
        status: what the driver returned, as JSON values; None when there is nothing (deleted, rebooted).
        code: stable code of the error, ``detail`` its text for people, ``provider_text`` the provider's words, whole.
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
    """Ended operations, reported until the control plane answered for each."""

    results: tuple[OperationResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultsAnswer:
    """Ids whose result was taken, and ids whose epoch is no longer current: the agent forgets both."""

    accepted: tuple[UUID, ...] = ()
    stale: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryItem:
    """One object that carries our mark, as the provider has it; ``status`` is the driver's status as JSON values."""

    uid: UUID
    kind: str
    status: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignItem:
    """One object without our mark: the provider's own id and name of it, and its status as JSON values."""

    reference: str
    name: str
    status: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """Everything ours on the cluster, of the named ``kinds`` (a kind whose driver failed to list is left out).

    Between two snapshots an agent says what changed: a delta names the snapshot that it continues and its number.

    Attributes:
        age_seconds: how long ago the drivers began to list: what was made after that is not missing.
        snapshot: names the snapshot, or the one that a delta continues; None from agents that send no deltas.
        sequence: 0 for a snapshot, 1 for the first delta, and so on.
        gone: of a delta, what is there no more; ``items`` are those that are new or changed.
        foreign: every object of the one kind that is not ours, up to a limit; sent with snapshots and when it has
            changed, None when it has not, and when the driver cannot list them.
    """

    kinds: tuple[str, ...]
    items: tuple[InventoryItem, ...]
    capacity: Capacity = field(default_factory=Capacity)
    age_seconds: float = 0.0
    snapshot: UUID | None = None
    sequence: int = 0
    gone: tuple[UUID, ...] = ()
    foreign: tuple[ForeignItem, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryAnswer:
    """Kinds of which the next inventory must be a snapshot: a delta did not continue what the control plane has."""

    wanted: tuple[str, ...] = ()
