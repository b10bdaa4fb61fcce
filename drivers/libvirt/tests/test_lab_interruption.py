# SPDX-License-Identifier: Apache-2.0
"""Every verb cut off at every message it exchanges with libvirt: before libvirt gets it, and before its answer arrives.

The connection goes through a small server of the test's own that reads libvirt's message headers.
"""

import contextlib
import dataclasses
import itertools
import socket
import struct
import threading

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.errors import UncertainError, UnreachableError
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane.storage import VolumeSpec

REMOTE_PROGRAM = 0x20008086
CALL = 0
MOMENTS = ["before", "after"]
HEADER = struct.Struct(">IIIIiII")


def receive(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def receive_message(connection):
    """One message of libvirt's protocol: its program, type and serial number, and the whole of it as bytes."""
    head = receive(connection, HEADER.size)
    length, program, _, _, kind, serial, _ = HEADER.unpack(head)
    return program, kind, serial, head + receive(connection, length - HEADER.size)


class Cutter:
    """Forwards libvirt's protocol; when armed, it breaks the connection at the n-th call."""

    def __init__(self, folder, target):
        self.path, self._target = folder / "cut", target
        self._left, self._moment, self.was_cut = None, "", False
        self._clients = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, number, moment):
        self._left, self._moment, self.was_cut = number, moment, False

    def disarm(self):
        self._left = None
        return self.was_cut

    def close(self):
        """End every connection: libvirt would wait for ever for the answer of one that nobody forwards."""
        for each in (self._server, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        """Forward both ways until one side ends or is cut off; then both have ended."""
        awaited = []
        with client, socket.socket(socket.AF_UNIX) as host:
            host.connect(self._target)
            answers = threading.Thread(target=self._forward, args=(host, client, self._answers, awaited), daemon=True)
            answers.start()
            self._forward(client, host, self._calls, awaited)
            answers.join()

    def _forward(self, source, target, decide, awaited):
        with contextlib.suppress(OSError):
            while decide(message := receive_message(source), awaited):
                target.sendall(message[3])
        for connection in (source, target):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _calls(self, message, awaited):
        program, kind, serial, _ = message
        if program != REMOTE_PROGRAM or kind != CALL or self._left is None:
            return True
        self._left -= 1
        if self._left > 0:
            return True
        self._left, self.was_cut = None, True
        awaited.append(serial)
        return self._moment == "after"

    def _answers(self, message, awaited):
        program, _, serial, _ = message
        return program != REMOTE_PROGRAM or serial not in awaited


@pytest.fixture
def cutter(lab, tmp_path):
    made = Cutter(tmp_path, lab.uri.partition("socket=")[2])
    yield made
    made.close()


@pytest.fixture
def shaky(cluster, cutter):
    """The same installation by a connection that the test can cut."""
    made = cluster.with_settings(uri=f"qemu+unix:///system?socket={cutter.path}")
    made.compute.prepare()
    made.storage.prepare()
    made.network.prepare()
    yield made
    made.host.close()


def cut_everywhere(cutter, moment, verb, after_each):
    """Call ``verb`` with the connection cut at its first message, its second and so on, until it gets through."""
    for number in itertools.count(1):
        cutter.arm(number, moment)
        try:
            verb()
        except (UncertainError, UnreachableError):
            assert cutter.disarm()
        else:
            if not cutter.disarm():
                return number - 1
        after_each()
    raise AssertionError


def assert_nothing_left(cluster, guest):
    assert machines_with(cluster, guest.uid) == []
    assert cluster.files() == set()
    assert cluster.fixed_addresses(guest.interfaces[0].network_uid) == {}


def machines_with(cluster, uid):
    return [domain for domain in cluster.host.listAllDomains(0) if domain.UUIDString() == str(uid)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_creating_a_machine(cluster, shaky, cutter, guest, moment):
    spec = dataclasses.replace(guest, power=PowerState.STOPPED)
    cluster.settle(cluster.compute.create, spec)
    files = cluster.files()
    cluster.compute.delete(spec.uid)

    def recover():
        seen = shaky.compute.observe(spec.uid)
        assert seen is None or seen.drift(spec) == frozenset()
        made = shaky.settle(shaky.compute.create, spec)
        assert made.addresses
        assert len(machines_with(cluster, spec.uid)) == 1
        assert cluster.files() == files
        shaky.compute.delete(spec.uid)
        assert_nothing_left(cluster, guest)

    def verb():
        shaky.settle(shaky.compute.create, spec)

    assert cut_everywhere(cutter, moment, verb, recover) > 15


@pytest.mark.parametrize("moment", MOMENTS)
def test_starting_a_machine(cluster, shaky, cutter, guest, moment):
    cluster.settle(cluster.compute.create, dataclasses.replace(guest, power=PowerState.STOPPED))

    def recover():
        assert shaky.settle(shaky.compute.update, guest).power is PowerState.RUNNING
        machines_with(cluster, guest.uid)[0].destroy()

    assert cut_everywhere(cutter, moment, lambda: shaky.compute.update(guest), recover) > 5


@pytest.mark.parametrize("moment", MOMENTS)
def test_deleting_a_machine(cluster, shaky, cutter, guest, moment):
    spec = dataclasses.replace(guest, power=PowerState.STOPPED)
    cluster.settle(cluster.compute.create, spec)

    def recover():
        shaky.compute.delete(spec.uid)
        assert_nothing_left(cluster, guest)
        cluster.settle(cluster.compute.create, spec)

    assert cut_everywhere(cutter, moment, lambda: shaky.compute.delete(spec.uid), recover) > 8


@pytest.mark.parametrize("moment", MOMENTS)
def test_creating_and_deleting_a_network(cluster, shaky, cutter, network_spec, moment):
    def recover_creation():
        assert shaky.network.create(network_spec).active
        assert len(list(cluster.network.list())) == 1
        shaky.network.delete(network_spec.uid)

    def recover_deletion():
        shaky.network.delete(network_spec.uid)
        assert list(cluster.network.list()) == []
        cluster.network.create(network_spec)

    assert cut_everywhere(cutter, moment, lambda: shaky.network.create(network_spec), recover_creation) > 5
    assert cut_everywhere(cutter, moment, lambda: shaky.network.delete(network_spec.uid), recover_deletion) > 3


@pytest.mark.parametrize("moment", MOMENTS)
def test_creating_and_deleting_a_volume(cluster, shaky, cutter, tiny, moment):
    spec = VolumeSpec(uid=new_id(), project_id=new_id(), name="data", size_gib=1, image=tiny)
    cluster.settle(cluster.storage.create, spec)
    cluster.storage.delete(spec.uid)

    def recover_creation():
        assert shaky.settle(shaky.storage.create, spec).size_gib == 1
        assert len(cluster.files()) == 1
        shaky.storage.delete(spec.uid)

    def recover_deletion():
        shaky.storage.delete(spec.uid)
        assert cluster.files() == set()
        cluster.settle(cluster.storage.create, spec)

    def create():
        shaky.settle(shaky.storage.create, spec)

    assert cut_everywhere(cutter, moment, create, recover_creation) > 3
    assert cut_everywhere(cutter, moment, lambda: shaky.storage.delete(spec.uid), recover_deletion) > 2


@pytest.mark.parametrize("moment", MOMENTS)
def test_copying_an_image(cluster, shaky, cutter, tiny, moment):
    """Each attempt takes an image of its own, so that each has to be copied."""
    copied = []

    def create():
        image = dataclasses.replace(tiny, uid=new_id())
        copied.append(VolumeSpec(uid=new_id(), project_id=new_id(), name="data", size_gib=1, image=image))
        shaky.settle(shaky.storage.create, copied[-1])

    def recover():
        assert shaky.settle(shaky.storage.create, copied[-1]).size_gib == 1

    assert cut_everywhere(cutter, moment, create, recover) > 5
    assert len(cluster.files()) == len(copied)
