# SPDX-License-Identifier: Apache-2.0
"""What the driver's tests share.

Tests of XML, seeds and image headers need nothing but Python. Those that take the fixture ``lab`` need a libvirt with
QEMU behind LIBVIRT_DEFAULT_URI; ``tests/labs/libvirt/run.sh`` starts one and sets LIBVIRT_LAB_REQUIRED, with which a
missing lab is a failure.
"""

import contextlib
import dataclasses
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stratoplane.compute import ImageReference, MachineInterface, MachineSpec
from stratoplane.drivers import AgentContext
from stratoplane.ids import new_id
from stratoplane.jobs import Wait
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane_libvirt.marks import Mark
from stratoplane_libvirt.network_xml import read_network
from stratoplane_libvirt.settings import DomainType, LibvirtSettings

PROJECT = UUID("0197f000-0000-7000-8000-000000000001")
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Tests that run side by side on one libvirt have address ranges and copies of images of their own."""


@pytest.fixture
def context(tmp_path: Path) -> AgentContext:
    """An installation of its own for each test, so that none sees another's objects."""
    return AgentContext(installation_id=new_id(), cluster_id=new_id(), state_folder=tmp_path)


@pytest.fixture
def mark() -> Mark:
    return Mark(installation_id=new_id(), project_id=PROJECT, name="web-1")


@pytest.fixture
def machine_spec() -> MachineSpec:
    return MachineSpec(
        uid=new_id(),
        project_id=PROJECT,
        name="web-1",
        vcpus=1,
        memory_mib=64,
        root_gib=1,
        image=ImageReference(uid=new_id(), name="tiny", source="tiny.qcow2"),
        interfaces=(MachineInterface(network_uid=new_id(), mac="02:00:00:00:00:01"),),
        volume_uids=(new_id(), new_id()),
        ssh_keys=("ssh-ed25519 AAAAC3Nza someone@somewhere",),
        user_data="#cloud-config\n{}\n",
    )


@pytest.fixture
def network_spec() -> NetworkSpec:
    return NetworkSpec(
        uid=new_id(),
        project_id=PROJECT,
        name="front",
        cidr=f"10.{100 + WORKER}.0.0/24",
        gateway=f"10.{100 + WORKER}.0.1",
        mode=NetworkMode.ISOLATED,
    )


@pytest.fixture(scope="session")
def lab() -> LibvirtSettings:
    """Settings for a real libvirt and the folder with its small image."""
    uri = os.environ.get("LIBVIRT_DEFAULT_URI", "")
    folder = os.environ.get("STRATOPLANE_LIBVIRT_IMAGE_FOLDER", "")
    if not uri.startswith("qemu") or not folder:
        refuse = pytest.fail if os.environ.get("LIBVIRT_LAB_REQUIRED") else pytest.skip
        refuse("no libvirt lab: LIBVIRT_DEFAULT_URI and STRATOPLANE_LIBVIRT_IMAGE_FOLDER are not set")
    return LibvirtSettings(uri=uri, image_folder=Path(folder), domain_type=DomainType.QEMU, shutdown_grace=30.0)


class Cluster:
    """The three drivers of one installation on a libvirt, a handle beside them, and the patience that guests need."""

    def __init__(self, settings: LibvirtSettings, context: AgentContext) -> None:
        import libvirt

        from stratoplane_libvirt.compute import LibvirtComputeDriver
        from stratoplane_libvirt.network import LibvirtNetworkDriver
        from stratoplane_libvirt.storage import LibvirtStorageDriver

        self.settings, self.context = settings, context
        self.compute = LibvirtComputeDriver(settings, context)
        self.network = LibvirtNetworkDriver(settings, context)
        self.storage = LibvirtStorageDriver(settings, context)
        self.host = libvirt.open(settings.uri)

    def with_settings(self, **changes: Any) -> "Cluster":
        """The same installation through drivers with other settings."""
        return Cluster(dataclasses.replace(self.settings, **changes), self.context)

    def settle(self, verb: Callable[[Any], Any], argument: Any, seconds: float = 120.0) -> Any:
        """Call a verb, and again while it answers Wait."""
        return self.until(lambda: None if isinstance(answer := verb(argument), Wait) else (answer,), seconds)[0]

    def until(self, condition: Callable[[], Any], seconds: float = 120.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "did not happen in time"
            time.sleep(0.1)
        return found

    def console_lines(self, uid: UUID, start: str, count: int = 1) -> list[str]:
        """Wait until ``count`` whole lines of the console hold ``start``, and return each from there on."""

        def found() -> list[str] | None:
            whole = self.compute.console_log(uid).split("\n")[:-1]
            lines = [line[line.index(start) :].strip() for line in whole if start in line]
            return lines if len(lines) >= count else None

        return self.until(found)

    def files(self) -> set[str]:
        """Volumes in the pool that are this installation's."""
        pool = self.host.storagePoolLookupByName(self.settings.pool)
        return {name for name in pool.listVolumes() if self.context.installation_id.hex[-12:] in name}

    def fixed_addresses(self, network_uid: UUID) -> dict[str, IPv4Address]:
        """The network's DHCP entries: address by MAC address."""
        return read_network(self.host.networkLookupByUUIDString(str(network_uid)).XMLDesc(0)).hosts

    def clear(self) -> None:
        for machine in self.compute.list():
            self.compute.delete(machine.uid)
        for volume in self.storage.list():
            self.storage.delete(volume.uid)
        for network in self.network.list():
            self.network.delete(network.uid)
        self.host.close()


@pytest.fixture
def cluster(lab: LibvirtSettings, context: AgentContext) -> Iterator[Cluster]:
    made = Cluster(lab, context)
    yield made
    made.clear()


@pytest.fixture
def tiny() -> ImageReference:
    """The small image that answers on its serial console."""
    return ImageReference(uid=UUID(int=0x7170 + WORKER), name="tiny", source="tiny.qcow2")


@pytest.fixture
def guest(cluster: Cluster, network_spec: NetworkSpec, machine_spec: MachineSpec, tiny: ImageReference) -> MachineSpec:
    """A machine that can be made: its network exists, and it has no volumes."""
    cluster.network.create(network_spec)
    card = MachineInterface(network_uid=network_spec.uid, mac="02:00:00:00:00:01")
    return dataclasses.replace(machine_spec, memory_mib=128, image=tiny, interfaces=(card,), volume_uids=())


class Cutter:
    """Forwards libvirt's protocol between a driver and libvirt; when armed, it loses the answer to the n-th change.

    Messages begin with length, program, version, procedure, type, serial number and status (big-endian integers of
    four bytes); type 0 is a call, and its answer has the same serial number.
    """

    HEADER = struct.Struct(">IIIIIII")
    REMOTE_PROGRAM = 0x20008086
    CALL = 0
    CHANGING = frozenset({29, 39, 41, 42, 48, 49, 93, 94, 160, 161, 196, 208, 231, 234, 258, 260, 264, 291, 350})
    """The procedures that the drivers call and that change something at libvirt."""

    def __init__(self, path: Path, target: str) -> None:
        self.uri = f"qemu+unix:///system?socket={path}"
        self.was_cut = False
        self._target = target
        self._left: int | None = None
        self._clients: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, number: int) -> None:
        """Cut at the ``number``-th call from now on that changes something."""
        self._left, self.was_cut = number, False

    def disarm(self) -> bool:
        """Cut no more, and tell whether a connection was cut since the cutter was armed."""
        self._left = None
        return self.was_cut

    def close(self) -> None:
        """End every connection: libvirt would wait for ever for the answer of one that nobody forwards."""
        for each in (self._server, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward both ways until one side ends or is cut off; then both have ended."""
        awaited: list[int] = []
        with client, socket.socket(socket.AF_UNIX) as host:
            host.connect(self._target)
            answers = threading.Thread(target=self._forward, args=(host, client, awaited), daemon=True)
            answers.start()
            self._forward(client, host, awaited)
            answers.join()

    def _forward(self, source: socket.socket, target: socket.socket, awaited: list[int]) -> None:
        from_client = source in self._clients
        with contextlib.suppress(OSError):
            while True:
                head = _receive(source, self.HEADER.size)
                length, program, _, procedure, kind, serial, _ = self.HEADER.unpack(head)
                message = head + _receive(source, length - self.HEADER.size)
                if from_client and (program, kind) == (self.REMOTE_PROGRAM, self.CALL) and self._cuts(procedure):
                    awaited.append(serial)
                elif not from_client and program == self.REMOTE_PROGRAM and serial in awaited:
                    break
                target.sendall(message)
        for connection in (source, target):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _cuts(self, procedure: int) -> bool:
        if self._left is None or procedure not in self.CHANGING:
            return False
        self._left -= 1
        if self._left:
            return False
        self._left, self.was_cut = None, True
        return True


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


@pytest.fixture
def cutter(lab: LibvirtSettings, tmp_path: Path) -> Iterator[Cutter]:
    made = Cutter(tmp_path / "cut", lab.uri.partition("socket=")[2])
    yield made
    made.close()
