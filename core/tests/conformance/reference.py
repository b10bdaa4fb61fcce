# SPDX-License-Identifier: Apache-2.0
"""Good drivers for a provider that lives in this process: the conformance kit must find nothing wrong with them.

The mutants are made from them by breaking one thing each.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from stratoplane.compute import (
    ComputeDriver,
    ConsoleOps,
    ImageOps,
    ImageReference,
    LiveResizeOps,
    MachineAddress,
    MachineSpec,
    MachineStatus,
    RebootOps,
)
from stratoplane.drivers import AvailableImage, Capacity, Driver
from stratoplane.errors import (
    CapacityError,
    ConflictError,
    MisconfiguredError,
    NotFoundError,
    UnreachableError,
)
from stratoplane.network import NetworkDriver, NetworkSpec, NetworkStatus
from stratoplane.resources import PowerState
from stratoplane.settings import setting
from stratoplane.storage import BucketOps, BucketSpec, BucketStatus, StorageDriver, VolumeSpec, VolumeStatus
from stratoplane.testing import Interruption

MOST_VCPUS = 64
MOST_GIB = 1000


@dataclass
class Entry:
    """An object at the provider: whose it is, as it should be, as it is, and whether it was finished."""

    installation: UUID
    spec: Any
    status: Any
    complete: bool = False


@dataclass
class Provider:
    """All that the provider keeps; ``cut_at`` is the step at which the next change ends, 0 for none."""

    entries: dict[str, dict[UUID, Entry]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    cut_at: int = 0

    def kind(self, name: str) -> dict[UUID, Entry]:
        return self.entries.setdefault(name, {})

    def step(self) -> None:
        if self.cut_at:
            self.cut_at -= 1
            if not self.cut_at:
                raise Interruption

    @contextmanager
    def change(self) -> Iterator[None]:
        with self.lock:
            try:
                self.step()
                yield
            finally:
                self.cut_at = 0


PROVIDERS: dict[Path, Provider] = {}


@dataclass(frozen=True, kw_only=True)
class ReferenceSettings:
    """Where the provider is."""

    endpoint: str = setting("here", help="'here' for one that answers, 'nowhere' for one that does not")


class Keeper(Driver):
    """What the reference drivers share: the verbs for objects of one kind."""

    Settings: ClassVar[type[Any]] = ReferenceSettings
    kind: ClassVar[str]
    first: Callable[[Any], Any]
    shape: Callable[[Any], object]
    converge: Callable[[Entry, Any], None]

    def prepare(self) -> None:
        if not self.settings.endpoint:
            raise MisconfiguredError("the endpoint is missing")
        self.look()

    def capacity(self) -> Capacity:
        return Capacity(vcpus=MOST_VCPUS, memory_mib=1024, storage_gib=MOST_GIB)

    def look(self) -> Provider:
        if self.settings.endpoint == "nowhere":
            raise UnreachableError("the provider does not answer")
        return PROVIDERS.setdefault(self.context.state_folder, Provider())

    def entry(self, uid: UUID) -> Entry | None:
        found = self.look().kind(self.kind).get(uid)
        if found is not None and found.installation != self.context.installation_id:
            raise ConflictError(f"{uid} is another installation's")
        return found

    def required(self, uid: UUID) -> Entry:
        found = self.entry(uid)
        if found is None:
            raise NotFoundError(f"there is no {self.kind} {uid}")
        return found

    def observe(self, uid: UUID) -> Any:
        found = self.look().kind(self.kind).get(uid)
        if found is None or found.installation != self.context.installation_id:
            return None
        return found.status if found.complete else None

    def list(self) -> Iterable[Any]:
        with self.look().lock:
            entries = self.look().kind(self.kind).values()
            return [entry.status for entry in entries if entry.installation == self.context.installation_id]

    def create(self, spec: Any) -> Any:
        with self.look().change():
            found = self.entry(spec.uid)
            if found is None:
                self.check(spec)
                found = Entry(installation=self.context.installation_id, spec=spec, status=self.first(spec))
                self.look().kind(self.kind)[spec.uid] = found
                self.look().step()
            elif self.shape(found.spec) != self.shape(spec):
                raise ConflictError(f"{spec.uid} has another shape")
            self.converge(found, spec)
            found.complete = True
            return found.status

    def update(self, spec: Any) -> Any:
        with self.look().change():
            found = self.required(spec.uid)
            self.check_update(found.spec, spec)
            self.converge(found, spec)
            return found.status

    def delete(self, uid: UUID) -> None:
        with self.look().change():
            if self.entry(uid) is not None:
                self.check_unused(uid)
                self.release(uid)
                self.look().step()
                del self.look().kind(self.kind)[uid]

    def check(self, spec: Any) -> None:
        """Raise if there cannot be such an object."""

    def check_update(self, present: Any, spec: Any) -> None:
        """Raise if the object cannot become as ``spec`` says."""

    def check_unused(self, uid: UUID) -> None:
        """Raise if others use the object."""

    def release(self, uid: UUID) -> None:
        """Let go of what the object uses."""

    def users(self, uid: UUID) -> Iterable[Entry]:
        for entry in self.look().kind("machine").values():
            cards = {interface.network_uid for interface in entry.spec.interfaces}
            if uid in entry.status.volume_uids or uid in cards:
                yield entry


def check_image(image: ImageReference | None) -> None:
    if image is not None and image.source == "absent.qcow2":
        raise NotFoundError("there is no such image")


class Shelf(ImageOps):
    """The images of the provider."""

    def list_images(self, limit: int) -> list[AvailableImage]:
        sources = ("conformance.qcow2", "other.qcow2", "present.qcow2")
        return [AvailableImage(source=source) for source in sources][:limit]


class ReferenceCompute(Keeper, ComputeDriver, RebootOps, LiveResizeOps, ConsoleOps, Shelf):
    kind = "machine"

    def check(self, spec: MachineSpec) -> None:
        check_image(spec.image)
        if spec.vcpus > MOST_VCPUS:
            raise CapacityError("no room")
        for interface in spec.interfaces:
            if interface.network_uid not in self.look().kind("network"):
                raise NotFoundError(f"there is no network {interface.network_uid}")
        self.check_volumes(spec)

    def check_volumes(self, spec: MachineSpec) -> None:
        for uid in spec.volume_uids:
            if uid not in self.look().kind("volume"):
                raise NotFoundError(f"there is no volume {uid}")
            if any(entry.spec.uid != spec.uid for entry in self.users(uid)):
                raise ConflictError(f"volume {uid} is in use")

    def check_update(self, present: MachineSpec, spec: MachineSpec) -> None:
        self.check_volumes(spec)

    def shape(self, spec: MachineSpec) -> Any:
        return spec.vcpus, spec.memory_mib, spec.root_gib, spec.image, spec.interfaces

    def first(self, spec: MachineSpec) -> MachineStatus:
        return MachineStatus(
            uid=spec.uid, name="", vcpus=spec.vcpus, memory_mib=spec.memory_mib, power=PowerState.STOPPED
        )

    def converge(self, entry: Entry, spec: MachineSpec) -> None:
        if spec.interfaces and not entry.status.addresses:
            entry.status = replace(entry.status, addresses=self.addresses(spec))
            self.look().step()
        entry.status = replace(entry.status, name=spec.name)
        self.look().step()
        entry.status = replace(entry.status, volume_uids=spec.volume_uids, power=spec.power)

    def addresses(self, spec: MachineSpec) -> tuple[MachineAddress, ...]:
        return tuple(
            MachineAddress(
                network_uid=interface.network_uid, mac=interface.mac, address=self.free(interface.network_uid)
            )
            for interface in spec.interfaces
        )

    def free(self, network_uid: UUID) -> str:
        network = self.look().kind("network")[network_uid].spec
        taken = {each.address for entry in self.users(network_uid) for each in entry.status.addresses}
        hosts = (str(host) for host in ip_network(network.cidr).hosts())
        return next(host for host in hosts if host not in taken | {network.gateway})

    def reboot(self, uid: UUID) -> None:
        if self.required(uid).status.power is PowerState.STOPPED:
            raise ConflictError(f"{uid} is stopped")

    def resize(self, spec: MachineSpec) -> MachineStatus:
        with self.look().change():
            entry = self.required(spec.uid)
            entry.spec = replace(entry.spec, vcpus=spec.vcpus, memory_mib=spec.memory_mib, root_gib=spec.root_gib)
            entry.status = replace(entry.status, vcpus=spec.vcpus, memory_mib=spec.memory_mib)
            return entry.status

    def console_log(self, uid: UUID) -> str:
        return f"{self.required(uid).status.name} login: "


class ReferenceNetwork(Keeper, NetworkDriver):
    kind = "network"

    def check_update(self, present: NetworkSpec, spec: NetworkSpec) -> None:
        if self.shape(present) != self.shape(spec):
            raise ConflictError("a network keeps its range")

    def check_unused(self, uid: UUID) -> None:
        if any(True for _ in self.users(uid)):
            raise ConflictError(f"network {uid} is in use")

    def shape(self, spec: NetworkSpec) -> Any:
        return spec.cidr, spec.gateway, spec.mode

    def first(self, spec: NetworkSpec) -> NetworkStatus:
        return NetworkStatus(uid=spec.uid, name="", cidr=spec.cidr, gateway=spec.gateway, mode=spec.mode, active=False)

    def converge(self, entry: Entry, spec: NetworkSpec) -> None:
        entry.status = replace(entry.status, name=spec.name)
        self.look().step()
        entry.status = replace(entry.status, active=True)


class ReferenceStorage(Keeper, StorageDriver, BucketOps, Shelf):
    kind = "volume"

    def check(self, spec: VolumeSpec) -> None:
        check_image(spec.image)
        if spec.size_gib > MOST_GIB:
            raise CapacityError("no room")

    def check_update(self, present: VolumeSpec, spec: VolumeSpec) -> None:
        if spec.size_gib < present.size_gib:
            raise ConflictError("a volume does not shrink")

    def check_unused(self, uid: UUID) -> None:
        if any(True for _ in self.users(uid)):
            raise ConflictError(f"volume {uid} is in use")

    def shape(self, spec: VolumeSpec) -> Any:
        return spec.size_gib, spec.image

    def first(self, spec: VolumeSpec) -> VolumeStatus:
        return VolumeStatus(uid=spec.uid, name=spec.name, size_gib=spec.size_gib)

    def converge(self, entry: Entry, spec: VolumeSpec) -> None:
        entry.spec = spec
        self.look().step()
        entry.status = replace(entry.status, name=spec.name, size_gib=spec.size_gib)

    def buckets(self) -> "Buckets":
        return Buckets(self.settings, self.context)

    def observe_bucket(self, uid: UUID) -> BucketStatus | None:
        return self.buckets().observe(uid)

    def create_bucket(self, spec: BucketSpec) -> BucketStatus:
        return self.buckets().create(spec)

    def update_bucket(self, spec: BucketSpec) -> BucketStatus:
        return self.buckets().update(spec)

    def delete_bucket(self, uid: UUID) -> None:
        self.buckets().delete(uid)

    def list_buckets(self) -> Iterable[BucketStatus]:
        return self.buckets().list()


class Buckets(Keeper):
    kind = "bucket"

    def shape(self, spec: BucketSpec) -> Any:
        return ()

    def first(self, spec: BucketSpec) -> BucketStatus:
        return BucketStatus(uid=spec.uid, name="")

    def converge(self, entry: Entry, spec: BucketSpec) -> None:
        entry.status = replace(entry.status, name=spec.name)
