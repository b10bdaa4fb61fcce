# SPDX-License-Identifier: Apache-2.0
"""Clusters, their agents, the drivers that agents report, and foreign objects on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from stratoplane.messages import ProviderStatus


class ClusterState(StrEnum):
    """What a cluster takes on."""

    ENABLED = "ENABLED"
    """New resources, and jobs of those that it has."""
    DRAINING = "DRAINING"
    """Nothing new; the resources that it has can be changed and deleted."""
    DISABLED = "DISABLED"
    """Nothing new, and no job runs: changes and deletions are accepted and wait until it is enabled or draining."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A place where resources live, served by one agent.

    Attributes:
        online: whether its agent was heard of lately.
        features: what its drivers can do.
    """

    id: UUID
    name: str
    description: str
    state: ClusterState
    online: bool
    features: tuple[str, ...]
    labels: Mapping[str, str]
    vcpus_total: int
    vcpus_claimed: int
    memory_mib_total: int
    memory_mib_claimed: int
    storage_gib_total: int
    storage_gib_claimed: int
    seen_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterDraft:
    """A cluster to make."""

    name: str
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterPatch:
    """What may change of a cluster; None leaves a member as it is."""

    description: str | None = None
    labels: Mapping[str, str] | None = None
    state: ClusterState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementCluster:
    """A cluster as placement sees it: free amounts are after what is claimed.

    Attributes:
        lacks_image: name of the image that the resource is made from, if the cluster's driver tells its images and
            this one is not among them; empty else.
    """

    id: UUID
    name: str
    state: ClusterState
    online: bool
    features: frozenset[str]
    free_vcpus: int
    free_memory_mib: int
    free_storage_gib: int
    lacks_image: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedJoinToken:
    """A one-use token for an agent of one cluster, shown this once."""

    id: UUID
    cluster_id: UUID
    expires_at: datetime
    token: str = field(repr=False)


class AgentState(StrEnum):
    """Whether an agent may work."""

    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    """Its key seems to be in two places; it must be enrolled again."""
    REVOKED = "REVOKED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """An agent of a cluster; ``generation`` is how many keys it has had."""

    id: UUID
    cluster_id: UUID
    cluster: str
    name: str
    version: str
    protocol: int
    generation: int
    state: AgentState
    created_at: datetime
    seen_at: datetime | None
    revoked_at: datetime | None
    locked_at: datetime | None


class Refusal(StrEnum):
    """Why a request of an agent is refused, as the audit trail has it."""

    UNSIGNED = "unsigned"
    """There is no signature, or none that can be read."""
    UNKNOWN = "unknown"
    """The key is not known."""
    SIGNATURE = "signature"
    """The signature is not the key's."""
    CLOCK = "clock"
    """The request's time is too far from this clock."""
    REPLAY = "replay"
    """The same request was sent before."""
    COPIED = "copied"
    """The key's successor is in use already: somebody has a copy."""
    LOCKED = "locked"
    REVOKED = "revoked"
    PROTOCOL = "protocol"
    """The agent speaks a protocol that is not served."""
    REPLACED = "replaced"
    """A later process of the same agent is running."""
    SERVED = "served"
    """The cluster has an agent, and the join token does not replace it."""
    JOIN_TOKEN = "join token"  # noqa: S105  # a reason, no secret
    """The join token is unknown, used or expired."""


class Rotation(StrEnum):
    """What became of the next key that an agent brought."""

    ROTATED = "ROTATED"
    REPEATED = "REPEATED"
    """The agent has this very key already and has not used it."""
    TAKEN = "TAKEN"
    """The generation has another key or was used: somebody else rotated with the same old key."""
    REFUSED = "REFUSED"
    """The generation is not the next one."""


def wake_name(agent_id: UUID) -> str:
    """Return the payload of notifications that concern one agent alone; those of a cluster have its id."""
    return f"agent:{agent_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverListing:
    """One thing that a driver is asked again and again: a kind of objects, ``capacity`` or ``health``.

    Attributes:
        answered_at: when the driver answered last, or was asked first while it never has.
        error: why the last call failed, empty when it did not.
    """

    name: str
    answered_at: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LateListing:
    """A listing of a driver that is older than it may be."""

    cluster_id: UUID
    cluster: str
    interface: str
    driver: str
    name: str
    answered_at: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A driver of a cluster, as its agent reported it; ``listings`` are empty while the agent reports none.

    Attributes:
        images: sources of the images that it has, and our ids of those of which it keeps copies; None if it does not
            tell.
    """

    cluster_id: UUID
    cluster: str
    interface: str
    driver: str
    version: str
    contract: str
    status: ProviderStatus
    reason: str
    features: tuple[str, ...]
    production_ready: bool
    reported_at: datetime
    listings: tuple[DriverListing, ...] = ()
    images: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignObject:
    """An object at a provider that does not carry the platform's mark.

    Attributes:
        reference: the provider's own id.
        status: as the driver shows it, JSON values.
    """

    cluster_id: UUID
    cluster: str
    kind: str
    reference: str
    name: str
    status: Mapping[str, object]
    first_seen_at: datetime
    seen_at: datetime
