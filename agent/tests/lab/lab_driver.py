# SPDX-License-Identifier: Apache-2.0
"""Drivers for the agent's tests: objects are files, and an object's name says how the driver behaves with it.

``hang``: create never returns until the file ``release`` appears; ``linger``: it has its effect, then takes long;
``wait``: answers Wait until ``release`` appears; ``lost-before``, ``lost-after``: raises UncertainError before or after
the effect; ``bug-before``, ``bug-after``: raises what no contract knows; ``busy``, ``refused``: transient and permanent
errors; ``nonsense``: returns a wrong value; ``exit``: calls sys.exit; ``homeless``: runs without an address at first;
``unreadable``: its status holds what JSON cannot. Every call is a line of the file ``calls``.

The file ``hang-once`` lets one list of machines hang until ``release`` appears, ``deaf`` every one while it is there.
"""

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from stratoplane.compute import (
    ComputeDriver,
    ConsoleOps,
    ImageOps,
    MachineAddress,
    MachineSpec,
    MachineStatus,
    ResizeOps,
)
from stratoplane.drivers import AvailableImage, Capacity, Driver
from stratoplane.errors import (
    BusyError,
    CapacityError,
    MisconfiguredError,
    UncertainError,
    UnreachableError,
)
from stratoplane.jobs import Wait
from stratoplane.network import NetworkDriver, NetworkSpec, NetworkStatus
from stratoplane.settings import setting
from stratoplane.storage import BucketOps, BucketSpec, BucketStatus, StorageDriver, VolumeSpec, VolumeStatus
from stratoplane.wire import from_json, to_json


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    greeting: str = setting("hello", help="nothing")


class Objects:
    """Files named after a uid and a running number: a second create of the same object would be a second file."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind

    def note(self, verb: str, uid: UUID) -> None:
        with (self.folder / "calls").open("a", encoding="utf-8") as file:
            file.write(f"{self.kind} {verb} {uid}\n")

    def paths(self, uid: UUID | str = "*") -> list[Path]:
        return sorted(self.folder.glob(f"{self.kind}.{uid}.*.json"))

    def add(self, status) -> None:
        number = len(self.paths(status.uid))
        self._write(self.folder / f"{self.kind}.{status.uid}.{number}.json", status)

    def change(self, status) -> None:
        self._write(self.paths(status.uid)[0], status)

    def _write(self, path: Path, status) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(to_json(status)), encoding="utf-8")
        fresh.rename(path)

    def read(self, uid: UUID, wanted):
        found = self.paths(uid)
        return from_json(wanted, json.loads(found[0].read_text(encoding="utf-8"))) if found else None

    def all(self, wanted):
        return [from_json(wanted, json.loads(path.read_text(encoding="utf-8"))) for path in self.paths()]

    def remove(self, uid: UUID) -> None:
        for path in self.paths(uid):
            path.unlink(missing_ok=True)

    def take(self, name: str) -> bool:
        """Remove a file that a test has left; tell whether it was there."""
        try:
            (self.folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def wait_for(self, name: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not (self.folder / name).exists() and time.monotonic() < deadline:
            time.sleep(0.01)


class _Prepared(Driver):
    Settings = LabSettings
    production_ready = False

    def prepare(self) -> None:
        if (self.context.state_folder / "misconfigured").exists():
            raise MisconfiguredError("the lab is misconfigured")
        if (self.context.state_folder / "unreachable").exists():
            raise UnreachableError("the lab is far away")

    def capacity(self) -> Capacity:
        if (self.context.state_folder / "no-capacity").exists():
            return None  # type: ignore[return-value]  # as a driver that forgot it
        return Capacity(vcpus=64, memory_mib=65536)


class LabCompute(_Prepared, ComputeDriver, ConsoleOps, ResizeOps, ImageOps):
    """Machines."""

    @property
    def objects(self) -> Objects:
        return Objects(self.context.state_folder, "machine")

    def list_images(self, limit: int) -> Iterable[AvailableImage] | None:
        file = self.context.state_folder / "images"
        if not file.exists():
            return None
        return [AvailableImage(source=each) if each else None for each in file.read_text().split("\n")]  # type: ignore[misc]  # an empty line is a driver's bug

    def observe(self, uid: UUID) -> MachineStatus | None:
        self.objects.note("observe", uid)
        if (self.context.state_folder / "blind").exists():
            raise UnreachableError("the lab is far away")
        return self.objects.read(uid, MachineStatus)

    def create(self, spec: MachineSpec) -> MachineStatus | Wait:
        self.objects.note("create", spec.uid)
        before = getattr(self, f"_{spec.name.split('-')[0]}", None)
        answer = before(spec) if before else None
        return self._make(spec) if answer is None else answer

    def _make(self, spec: MachineSpec) -> MachineStatus:
        found = self.objects.read(spec.uid, MachineStatus)
        status = _machine(spec)
        if found is None:
            self.objects.add(status)
        return status

    def _hang(self, spec: MachineSpec) -> None:
        self.objects.wait_for("release")

    def _linger(self, spec: MachineSpec) -> None:
        self._make(spec)
        self.objects.wait_for("release")

    def _wait(self, spec: MachineSpec) -> Wait | None:
        released = (self.context.state_folder / "release").exists()
        return None if released else Wait(seconds=0.05, reason="booting")

    def _lost(self, spec: MachineSpec) -> None:
        if spec.name == "lost-after":
            self._make(spec)
        raise UncertainError("no answer", provider_text="read timed out")

    def _bug(self, spec: MachineSpec) -> None:
        if spec.name == "bug-after":
            self._make(spec)
        raise KeyError("flavor")

    def _busy(self, spec: MachineSpec) -> None:
        raise BusyError("the host is busy", provider_text="503 busy", retry_after=7.0)

    def _refused(self, spec: MachineSpec) -> None:
        raise CapacityError("no host has room", provider_text="No valid host was found.")

    def _far(self, spec: MachineSpec) -> None:
        raise UnreachableError("connection refused")

    def _nonsense(self, spec: MachineSpec) -> str:
        return "created"

    def _exit(self, spec: MachineSpec) -> None:
        sys.exit(3)

    def _homeless(self, spec: MachineSpec) -> MachineStatus | None:
        if self.objects.read(spec.uid, MachineStatus) is None:
            self.objects.add(_machine(spec, addresses=()))
            raise UncertainError("no answer")
        self.objects.change(_machine(spec))
        return None

    def _unreadable(self, spec: MachineSpec) -> MachineStatus:
        return _machine(spec, private={"handle": object()})

    def update(self, spec: MachineSpec) -> MachineStatus | Wait:
        self.objects.note("update", spec.uid)
        status = _machine(spec)
        self.objects.change(status)
        return status

    def resize(self, spec: MachineSpec) -> MachineStatus | Wait:
        self.objects.note("resize", spec.uid)
        status = _machine(spec)
        self.objects.change(status)
        return status

    def delete(self, uid: UUID) -> None:
        self.objects.note("delete", uid)
        found = self.objects.read(uid, MachineStatus)
        self.objects.remove(uid)
        if found is not None and found.name == "sticky":
            raise UncertainError("no answer")

    def list(self):
        self.objects.note("list", UUID(int=0))
        if self.objects.take("hang-once"):
            self.objects.wait_for("release")
        while (self.context.state_folder / "deaf").exists():
            time.sleep(0.01)
        found = self.objects.all(MachineStatus)
        return [*(replace(each, provider_reference="copy") for each in found if each.name == "copied"), *found]

    def console_log(self, uid: UUID) -> str:
        return "boot\x00ed \ud800 login:"


def _machine(spec: MachineSpec, **members) -> MachineStatus:
    addresses = tuple(
        MachineAddress(network_uid=each.network_uid, mac=each.mac.upper(), address="192.0.2.7")
        for each in spec.interfaces
    )
    shown = {"addresses": addresses, "provider_reference": f"lab-{spec.uid}", **members}
    return MachineStatus(
        uid=spec.uid,
        name=spec.name,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        power=spec.power,
        volume_uids=spec.volume_uids,
        **shown,
    )


class LabNetwork(_Prepared, NetworkDriver):
    """Networks."""

    @property
    def objects(self) -> Objects:
        return Objects(self.context.state_folder, "network")

    def observe(self, uid: UUID) -> NetworkStatus | None:
        return self.objects.read(uid, NetworkStatus)

    def create(self, spec: NetworkSpec) -> NetworkStatus | Wait:
        self.objects.note("create", spec.uid)
        status = NetworkStatus(uid=spec.uid, name=spec.name, cidr=spec.cidr, gateway=spec.gateway, mode=spec.mode)
        self.objects.remove(spec.uid)
        self.objects.add(status)
        return status

    update = create

    def delete(self, uid: UUID) -> None:
        self.objects.remove(uid)

    def list(self):
        return self.objects.all(NetworkStatus)


class LabStorage(_Prepared, StorageDriver, BucketOps):
    """Volumes and buckets."""

    @property
    def volumes(self) -> Objects:
        return Objects(self.context.state_folder, "volume")

    @property
    def buckets(self) -> Objects:
        return Objects(self.context.state_folder, "bucket")

    def capacity(self) -> Capacity:
        return Capacity(storage_gib=500)

    def observe(self, uid: UUID) -> VolumeStatus | None:
        return self.volumes.read(uid, VolumeStatus)

    def create(self, spec: VolumeSpec) -> VolumeStatus | Wait:
        self.volumes.remove(spec.uid)
        status = VolumeStatus(uid=spec.uid, name=spec.name, size_gib=spec.size_gib)
        self.volumes.add(status)
        return status

    update = create

    def delete(self, uid: UUID) -> None:
        self.volumes.remove(uid)

    def list(self):
        return self.volumes.all(VolumeStatus)

    def observe_bucket(self, uid: UUID) -> BucketStatus | None:
        return self.buckets.read(uid, BucketStatus)

    def create_bucket(self, spec: BucketSpec) -> BucketStatus | Wait:
        self.buckets.remove(spec.uid)
        status = BucketStatus(uid=spec.uid, name=spec.name)
        self.buckets.add(status)
        return status

    update_bucket = create_bucket

    def delete_bucket(self, uid: UUID) -> None:
        self.buckets.remove(uid)

    def list_buckets(self):
        return self.buckets.all(BucketStatus)


class MemoryCompute(_Prepared, ComputeDriver):
    """Machines in memory, for measuring the agent and not the driver."""

    def __init__(self, settings, context) -> None:
        super().__init__(settings, context)
        self.machines: dict[UUID, MachineStatus] = {}

    def observe(self, uid: UUID) -> MachineStatus | None:
        return self.machines.get(uid)

    def create(self, spec: MachineSpec) -> MachineStatus | Wait:
        return self.machines.setdefault(spec.uid, _machine(spec))

    def update(self, spec: MachineSpec) -> MachineStatus | Wait:
        self.machines[spec.uid] = _machine(spec)
        return self.machines[spec.uid]

    def delete(self, uid: UUID) -> None:
        self.machines.pop(uid, None)

    def list(self):
        return list(self.machines.values())


class Unfinished(ComputeDriver):
    """Lacks nearly everything."""

    def observe(self, uid: UUID) -> MachineStatus | None:
        return None
