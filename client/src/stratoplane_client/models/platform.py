# SPDX-License-Identifier: Apache-2.0
"""What operators manage: clusters, providers, flavors, images, quotas, plugins; version and health."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stratoplane_client.decode import Record
from stratoplane_client.models.identity import Versioned

UNLIMITED = -1
"""The limit of a quota that refuses nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavor(Versioned):
    """A size of machine."""

    name: str = ""
    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Image(Versioned):
    """A disk image to create machines and volumes from; ``source`` and ``sha256`` are shown to operators only.

    ``clusters`` names those that can start machines from it.
    """

    name: str = ""
    description: str = ""
    format: str = ""
    minimum_disk_gib: int = 0
    clusters: tuple[str, ...] = ()
    source: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterName(Record):
    """A cluster as tenants see it."""

    name: str
    features: tuple[str, ...] = ()
    online: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster(Versioned):
    """A cluster with one agent; ``state`` is ``ENABLED``, ``DRAINING`` or ``DISABLED``."""

    name: str = ""
    description: str = ""
    state: str = ""
    online: bool = False
    features: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    vcpus_total: int = 0
    vcpus_claimed: int = 0
    memory_mib_total: int = 0
    memory_mib_claimed: int = 0
    storage_gib_total: int = 0
    storage_gib_claimed: int = 0
    seen_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinToken(Record):
    """A one-use token for the agent of one cluster, shown this once."""

    id: str
    token: str = field(default="", repr=False)
    cluster_id: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent(Record):
    """An agent of a cluster; ``state`` is ``ACTIVE``, ``LOCKED`` (its key may have been copied) or ``REVOKED``."""

    id: str = ""
    cluster_id: str = ""
    cluster: str = ""
    name: str = ""
    version: str = ""
    protocol: int = 0
    generation: int = 0
    state: str = ""
    created_at: datetime | None = None
    seen_at: datetime | None = None
    revoked_at: datetime | None = None
    locked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverListing(Record):
    """One thing that a driver is asked again and again: a kind, ``capacity`` or ``health``."""

    name: str = ""
    answered_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider(Record):
    """A driver of a cluster, as its agent reported it."""

    cluster_id: str = ""
    cluster: str = ""
    interface: str = ""
    driver: str = ""
    version: str = ""
    contract: str = ""
    status: str = ""
    reason: str = ""
    features: tuple[str, ...] = ()
    production_ready: bool = True
    reported_at: datetime | None = None
    listings: tuple[DriverListing, ...] = ()
    images: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaLine(Record):
    """One limit (:data:`UNLIMITED` for none) and its usage."""

    key: str
    limit: int = UNLIMITED
    used: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotas(Record):
    """Every limit of an organization, and of the project that was asked about."""

    organization: tuple[QuotaLine, ...] = ()
    project: tuple[QuotaLine, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin(Record):
    """A plugin of the control plane; ``reason`` says why it cannot be used."""

    name: str
    state: str = ""
    reason: str = ""
    version: str = ""
    distribution: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Version(Record):
    """Which platform this is."""

    version: str = ""
    api: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheck(Record):
    """One part of the platform."""

    name: str
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Health(Record):
    """Whether requests can be served."""

    status: str = ""
    checks: tuple[HealthCheck, ...] = ()
