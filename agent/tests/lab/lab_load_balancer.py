# SPDX-License-Identifier: Apache-2.0
"""A distribution that adds a kind: load balancers, their driver interface, and a driver that keeps them in memory."""

import abc
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from stratoplane.driver_kinds import DriverKind, DriverVerb, Effect
from stratoplane.drivers import Ability, Capacity, Driver
from stratoplane.errors import ConflictError, NotFoundError, UncertainError
from stratoplane.jobs import Wait

DISTRIBUTION = "lab_load_balancer-0.3.dist-info"
ENTRY_POINTS = """
[stratoplane.driver_kinds]
load_balancer = lab_load_balancer:LOAD_BALANCER
[stratoplane.load_balancer]
memory = lab_load_balancer:MemoryLoadBalancers
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerSpec:
    uid: UUID
    project_id: UUID
    name: str
    port: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerStatus:
    uid: UUID
    name: str
    port: int
    members: tuple[str, ...] = ()
    address: str = ""
    provider_reference: str = ""

    def drift(self, spec: LoadBalancerSpec) -> frozenset[str]:
        pairs = {
            "name": (self.name, spec.name),
            "port": (self.port, spec.port),
            "members": (self.members, spec.members),
        }
        return frozenset(name for name, (observed, desired) in pairs.items() if observed != desired)


class LoadBalancerDriver(Driver):
    """The contract of the interface that this distribution brings."""

    interface = "load_balancer"

    @abc.abstractmethod
    def observe(self, uid: UUID) -> LoadBalancerStatus | None: ...

    @abc.abstractmethod
    def create(self, spec: LoadBalancerSpec) -> LoadBalancerStatus | Wait: ...

    @abc.abstractmethod
    def update(self, spec: LoadBalancerSpec) -> LoadBalancerStatus | Wait: ...

    @abc.abstractmethod
    def delete(self, uid: UUID) -> Wait | None: ...

    @abc.abstractmethod
    def list(self) -> Iterable[LoadBalancerStatus]: ...


class DrainOps(Ability):
    """The ability to send no new connections to any member."""

    feature = "drain"

    @abc.abstractmethod
    def drain(self, uid: UUID) -> LoadBalancerStatus | Wait: ...


LOAD_BALANCER = DriverKind(
    name="load_balancer",
    interface="load_balancer",
    driver=LoadBalancerDriver,
    spec=LoadBalancerSpec,
    status=LoadBalancerStatus,
    is_complete=lambda status, _spec: status.address != "",
    more_verbs=(
        DriverVerb(
            name="drain",
            method="drain",
            ability=DrainOps,
            effect=Effect.UNOBSERVABLE,
            takes=None,
            answers=(LoadBalancerStatus,),
        ),
    ),
)


class Shelf:
    """The objects at one provider, by installation and id."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[tuple[UUID, UUID], LoadBalancerStatus] = {}


_SHELVES: dict[Path, Shelf] = defaultdict(Shelf)


class MemoryLoadBalancers(LoadBalancerDriver, DrainOps):
    """Keeps load balancers in memory; one that is named ``lost`` is made and its answer lost."""

    def prepare(self) -> None:
        self._shelf = _SHELVES[self.context.state_folder]

    def capacity(self) -> Capacity:
        return Capacity()

    def observe(self, uid: UUID) -> LoadBalancerStatus | None:
        return self._shelf.objects.get(self._key(uid))

    def create(self, spec: LoadBalancerSpec) -> LoadBalancerStatus | Wait:
        with self._shelf.lock:
            found = self._shelf.objects.get(self._key(spec.uid))
            if found is not None and found.port != spec.port:
                raise ConflictError(f"load balancer {spec.uid} listens on port {found.port}")
            status = found or LoadBalancerStatus(
                uid=spec.uid,
                name=spec.name,
                port=spec.port,
                members=spec.members,
                address="192.0.2.80",
                provider_reference=f"memory-{spec.uid}",
            )
            self._shelf.objects[self._key(spec.uid)] = status
        if spec.name == "lost" and found is None:
            raise UncertainError("no answer")
        return status

    def update(self, spec: LoadBalancerSpec) -> LoadBalancerStatus | Wait:
        with self._shelf.lock:
            status = replace(self._existing(spec.uid), name=spec.name, members=spec.members)
            self._shelf.objects[self._key(spec.uid)] = status
            return status

    def delete(self, uid: UUID) -> None:
        with self._shelf.lock:
            self._shelf.objects.pop(self._key(uid), None)

    def list(self) -> Iterable[LoadBalancerStatus]:
        with self._shelf.lock:
            installation = self.context.installation_id
            return [each for (owner, _), each in self._shelf.objects.items() if owner == installation]

    def drain(self, uid: UUID) -> LoadBalancerStatus | Wait:
        with self._shelf.lock:
            status = replace(self._existing(uid), members=())
            self._shelf.objects[self._key(uid)] = status
            return status

    def _key(self, uid: UUID) -> tuple[UUID, UUID]:
        return self.context.installation_id, uid

    def _existing(self, uid: UUID) -> LoadBalancerStatus:
        found = self._shelf.objects.get(self._key(uid))
        if found is None:
            raise NotFoundError(f"there is no load balancer {uid}")
        return found


def install(folder: Path) -> None:
    """Name the kind and its driver in a folder as an installed distribution does."""
    metadata = folder / DISTRIBUTION
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-load-balancer\nVersion: 0.3\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
