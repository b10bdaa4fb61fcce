# SPDX-License-Identifier: Apache-2.0
"""A provider of the hardest sort, with faults from the seed, and the drivers for it.

It lets nobody choose an object's identity: each POST makes another object that carries our uid as a mark. Its drivers
adopt what they have seen, in this process; what an earlier process or a lost answer left must be observed first.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from stratoplane.compute import ComputeDriver, MachineSpec, MachineStatus, RebootOps, ResizeOps
from stratoplane.drivers import Capacity
from stratoplane.errors import (
    BusyError,
    CapacityError,
    NotFoundError,
    ProviderRateLimitedError,
    TransientError,
    UncertainError,
    UnreachableError,
)
from stratoplane.resources import PowerState
from stratoplane.storage import StorageDriver, VolumeSpec, VolumeStatus
from tests.simulation.simulated.kernel import Kernel, Machine

_CAPACITY = Capacity(vcpus=10_000, memory_mib=10_000_000, storage_gib=100_000)
_FAULTS = ("transient", "busy", "limited", "before", "after", "permanent", "slow")


@dataclass(frozen=True, kw_only=True)
class Native:
    """One object as the provider has it; ``status`` is how drivers tell of it."""

    kind: str
    status: Any


class Region:
    """The provider of one cluster.

    Attributes:
        objects: what there is, by the provider's own number.
        fault_rate: share of the calls that go wrong.
        call_seconds: what each half of a call that changes something takes at most, before its effect and after it.
        down_until: until when it does not answer at all.
        double: uids that were made twice at any time.
    """

    def __init__(self, kernel: Kernel, fault_rate: float, call_seconds: float) -> None:
        self.kernel = kernel
        self.objects: dict[int, Native] = {}
        self.fault_rate = fault_rate
        self.call_seconds = call_seconds
        self.down_until = 0.0
        self.calls = 0
        self.faults = 0
        self.double: set[UUID] = set()
        self._next = 0

    def found(self, kind: str, uid: UUID) -> list[int]:
        return [number for number, each in self.objects.items() if each.kind == kind and each.status.uid == uid]

    def make(self, kind: str, status: Any) -> int:
        if self.found(kind, status.uid):
            self.double.add(status.uid)
        self._next += 1
        self.objects[self._next] = Native(kind=kind, status=replace(status, provider_reference=f"n-{self._next}"))
        return self._next

    def change(self, number: int, **fields: Any) -> None:
        native = self.objects[number]
        self.objects[number] = replace(native, status=replace(native.status, **fields))

    def draw(self) -> str:
        self.calls += 1
        generator = self.kernel.generator
        if generator.random() >= self.fault_rate:
            return ""
        self.faults += 1
        return generator.choice(_FAULTS)


class _Session:
    """One process's way to the provider: takes time, meets faults, and remembers numbers of objects."""

    def __init__(self, region: Region, machine: Machine) -> None:
        self.region, self.machine = region, machine
        self.numbers: dict[tuple[str, UUID], int] = {}

    def look(self, work: Callable[[], Any]) -> Any:
        self.machine.sleep(self.region.kernel.generator.uniform(0.0, 0.5))
        fault = self.region.draw()
        if self._is_down() or fault in ("transient", "before", "after"):
            raise UnreachableError("the region does not answer")
        return work()

    def act(self, what: str, work: Callable[[], Any]) -> Any:
        fault = self.region.draw()
        self.region.kernel.say("provider", call=what, fault=fault, by=self.machine.name)
        self._take_time(fault)
        if self._is_down():
            raise UnreachableError("no connection")
        _refuse(fault)
        if fault == "before":
            raise UncertainError("no answer")
        answer = work()
        self._take_time(fault)
        if fault == "after" or self._is_down():
            raise UncertainError("no answer")
        return answer

    def learn(self, kind: str, uid: UUID) -> Any:
        """Ask the provider for our object and remember its number; None if there is none."""
        found = self.region.found(kind, uid)
        if not found:
            self.numbers.pop((kind, uid), None)
            return None
        self.numbers[kind, uid] = found[0]
        return self.region.objects[found[0]].status

    def known(self, kind: str, uid: UUID) -> int | None:
        number = self.numbers.get((kind, uid))
        return number if number in self.region.objects else None

    def required(self, kind: str, uid: UUID) -> int:
        found = self.region.found(kind, uid)
        if not found:
            raise NotFoundError(f"there is no {kind} {uid}")
        return found[0]

    def remove(self, kind: str, uid: UUID) -> None:
        """Remove the one object that a provider finds by our mark; absent is success."""
        for number in self.region.found(kind, uid)[:1]:
            del self.region.objects[number]

    def _is_down(self) -> bool:
        return self.region.down_until > self.region.kernel.now

    def _take_time(self, fault: str) -> None:
        generator = self.region.kernel.generator
        longest = generator.choice((5.0, 30.0, 400.0)) if fault == "slow" else self.region.call_seconds
        self.machine.sleep(generator.uniform(0.0, longest))


def _refuse(fault: str) -> None:
    if fault == "transient":
        raise TransientError("503")
    if fault == "busy":
        raise BusyError("409 busy")
    if fault == "limited":
        raise ProviderRateLimitedError("429", retry_after=3.0)
    if fault == "permanent":
        raise CapacityError("no valid host was found")


class _Both:
    """What both drivers share."""

    kind = ""

    def __init__(self, session: _Session) -> None:
        self.session = session

    def prepare(self) -> None:
        return None

    def capacity(self) -> Capacity:
        return _CAPACITY

    def observe(self, uid: UUID) -> Any:
        return self.session.look(lambda: self.session.learn(self.kind, uid))

    def create(self, spec: Any) -> Any:
        def make() -> Any:
            number = self.session.known(self.kind, spec.uid)
            if number is None:
                number = self.session.region.make(self.kind, _new_status(spec))
            else:
                self.session.region.change(number, **_fields(spec))
            return number, self.session.region.objects[number].status

        return self._learnt(self.session.act(f"create {self.kind} {spec.uid}", make))

    def update(self, spec: Any) -> Any:
        def change() -> Any:
            number = self.session.required(self.kind, spec.uid)
            self.session.region.change(number, **_fields(spec))
            return number, self.session.region.objects[number].status

        return self._learnt(self.session.act(f"update {self.kind} {spec.uid}", change))

    def delete(self, uid: UUID) -> None:
        self.session.act(f"delete {self.kind} {uid}", lambda: self.session.remove(self.kind, uid))

    def list(self) -> Iterable[Any]:
        objects = self.session.region.objects.values()
        return self.session.look(lambda: [each.status for each in objects if each.kind == self.kind])

    def _learnt(self, answer: tuple[int, Any]) -> Any:
        """Remember the object of an answer that arrived."""
        number, status = answer
        self.session.numbers[self.kind, status.uid] = number
        return status


def _fields(spec: Any) -> dict[str, Any]:
    if isinstance(spec, VolumeSpec):
        return {"size_gib": spec.size_gib, "name": spec.name}
    sizes = {"vcpus": spec.vcpus, "memory_mib": spec.memory_mib}
    return {**sizes, "name": spec.name, "power": spec.power, "volume_uids": spec.volume_uids}


def _new_status(spec: MachineSpec | VolumeSpec) -> Any:
    made = VolumeStatus if isinstance(spec, VolumeSpec) else MachineStatus
    return made(uid=spec.uid, **_fields(spec))


class Machines(_Both, ComputeDriver, RebootOps, ResizeOps):
    """Machines of the region."""

    kind = "virtual_machine"

    def reboot(self, uid: UUID) -> None:
        self.session.act(f"reboot {uid}", lambda: self.session.required(self.kind, uid))

    def resize(self, spec: MachineSpec) -> Any:
        return self.update(spec)


class Volumes(_Both, StorageDriver):
    """Volumes of the region."""

    kind = "volume"


def drivers(region: Region, machine: Machine) -> tuple[Machines, Volumes]:
    """Return a new process's drivers; they have seen nothing yet."""
    session = _Session(region, machine)
    return Machines(session), Volumes(session)


def switch(region: Region, number: int) -> None:
    """Turn a machine on or off, as somebody at the provider's console does."""
    native = region.objects[number]
    if native.kind == "virtual_machine":
        power = PowerState.STOPPED if native.status.power is PowerState.RUNNING else PowerState.RUNNING
        region.change(number, power=power)
