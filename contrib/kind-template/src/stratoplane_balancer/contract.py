# SPDX-License-Identifier: Apache-2.0
"""The contract between platform and drivers: a load balancer as it should be and as it is, and the verbs for it."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from stratoplane.driver_kinds import DriverKind
from stratoplane.drivers import Driver
from stratoplane.jobs import Wait


class Algorithm(StrEnum):
    """How a load balancer chooses a machine."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"


@dataclass(frozen=True, kw_only=True, slots=True)
class BalancerSpec:
    """A load balancer as a driver is asked for it.

    Attributes:
        uid: our id of it, its identity at the provider.
        port: where it listens; it never changes.
        machine_uids: the machines behind it.
    """

    uid: UUID
    project_id: UUID
    name: str
    port: int
    algorithm: Algorithm
    machine_uids: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BalancerStatus:
    """A load balancer as a driver shows it; ``address`` is what clients connect to."""

    uid: UUID
    name: str
    port: int
    algorithm: Algorithm
    machine_uids: tuple[UUID, ...] = ()
    address: str = ""
    provider_reference: str = ""

    def drift(self, spec: BalancerSpec) -> frozenset[str]:
        """Return the names of the fields in which it differs from ``spec``."""
        fields = ("name", "port", "algorithm", "machine_uids")
        return frozenset(each for each in fields if getattr(self, each) != getattr(spec, each))


class LoadBalancerDriver(Driver):
    """The interface of drivers for load balancers. Its promises are those of ``stratoplane.compute.ComputeDriver``."""

    interface: ClassVar = "load_balancer"

    @abc.abstractmethod
    def observe(self, uid: UUID) -> BalancerStatus | None:
        """Return the load balancer, None if there is none."""

    @abc.abstractmethod
    def create(self, spec: BalancerSpec) -> BalancerStatus | Wait:
        """Make it, or bring the one of this uid to ``spec``. ConflictError if it listens on another port."""

    @abc.abstractmethod
    def update(self, spec: BalancerSpec) -> BalancerStatus | Wait:
        """Bring it to ``spec``. NotFoundError if there is none, ConflictError if it listens on another port."""

    @abc.abstractmethod
    def delete(self, uid: UUID) -> Wait | None:
        """Remove it; success if there is none."""

    @abc.abstractmethod
    def list(self) -> Iterable[BalancerStatus]:
        """Return every load balancer of this installation; an incomplete list is an error."""


LOAD_BALANCER: Final = DriverKind(
    name="load_balancer",
    interface="load_balancer",
    driver=LoadBalancerDriver,
    spec=BalancerSpec,
    status=BalancerStatus,
)
"""What agents know of the kind."""
