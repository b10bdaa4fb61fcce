# SPDX-License-Identifier: Apache-2.0
"""The contract of network drivers: networks that machines' network cards are connected to."""

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from stratoplane.drivers import Driver, Interface
from stratoplane.jobs import Wait


class NetworkMode(StrEnum):
    """How a network reaches the outside."""

    NAT = "NAT"
    """Machines reach out through address translation; nothing reaches in."""
    ISOLATED = "ISOLATED"
    """Machines reach one another only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """A network as it should be: IPv4 ``cidr`` with DHCP, the first host address is the ``gateway``."""

    uid: UUID
    project_id: UUID
    name: str
    cidr: str
    gateway: str
    mode: NetworkMode = NetworkMode.NAT


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkStatus:
    """A network as it is; ``active`` tells whether it carries traffic."""

    uid: UUID
    name: str
    cidr: str
    gateway: str
    mode: NetworkMode
    active: bool = True
    provider_reference: str = ""
    private: Mapping[str, object] = field(default_factory=dict)

    def drift(self, spec: NetworkSpec) -> frozenset[str]:
        """Return the names of the fields in which this network differs from ``spec``."""
        pairs = {
            "name": (self.name, spec.name),
            "cidr": (self.cidr, spec.cidr),
            "gateway": (self.gateway, spec.gateway),
            "mode": (self.mode, spec.mode),
            "active": (self.active, True),
        }
        return frozenset(name for name, (observed, desired) in pairs.items() if observed != desired)


class NetworkDriver(Driver):
    """Manages networks. The verbs keep the promises of :class:`stratoplane.compute.ComputeDriver`."""

    interface = Interface.NETWORK

    @abc.abstractmethod
    def observe(self, uid: UUID) -> NetworkStatus | None:
        """Return the network as it is now, or None if it does not exist. Raises TransientError."""

    @abc.abstractmethod
    def create(self, spec: NetworkSpec) -> NetworkStatus | Wait:
        """Create the network, or return the one of this uid and shape.

        Raises ConflictError if the uid has another shape or the range overlaps one of the host's networks.
        """

    @abc.abstractmethod
    def update(self, spec: NetworkSpec) -> NetworkStatus | Wait:
        """Bring name and activity to ``spec``; ``cidr`` and ``mode`` never change. NotFoundError when absent."""

    @abc.abstractmethod
    def delete(self, uid: UUID) -> Wait | None:
        """Remove the network. Absent is success; ConflictError while machines are connected."""

    @abc.abstractmethod
    def list(self) -> Iterable[NetworkStatus]:
        """Return every network that carries this installation's mark."""
