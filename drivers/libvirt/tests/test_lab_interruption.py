# SPDX-License-Identifier: Apache-2.0
"""Verbs cut off after every change that they make: libvirt did what it was asked for, and its answer never arrives.

The connection goes through the fixture ``cutter``. A cut before a change is the cut after the one before it.
"""

import dataclasses
import itertools

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.errors import UncertainError, UnreachableError
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane.storage import VolumeSpec


@pytest.fixture
def shaky(cluster, cutter):
    """The same installation by a connection that the test can cut."""
    made = cluster.with_settings(uri=cutter.uri)
    for driver in (made.compute, made.storage, made.network):
        driver.prepare()
    yield made
    made.host.close()


def cut_everywhere(cutter, verb, after_each):
    """Call ``verb`` with the connection cut at its first change, its second and so on, until it gets through."""
    for number in itertools.count(1):
        cutter.arm(number)
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


def test_creating_a_machine(cluster, shaky, cutter, guest):
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

    assert cut_everywhere(cutter, verb, recover) > 6


def test_starting_a_machine(cluster, shaky, cutter, guest):
    cluster.settle(cluster.compute.create, dataclasses.replace(guest, power=PowerState.STOPPED))

    def recover():
        assert shaky.settle(shaky.compute.update, guest).power is PowerState.RUNNING
        machines_with(cluster, guest.uid)[0].destroy()

    assert cut_everywhere(cutter, lambda: shaky.compute.update(guest), recover) > 1


def test_deleting_a_machine(cluster, shaky, cutter, guest):
    spec = dataclasses.replace(guest, power=PowerState.STOPPED)
    cluster.settle(cluster.compute.create, spec)

    def recover():
        shaky.compute.delete(spec.uid)
        assert_nothing_left(cluster, guest)
        cluster.settle(cluster.compute.create, spec)

    assert cut_everywhere(cutter, lambda: shaky.compute.delete(spec.uid), recover) > 3


def test_creating_and_deleting_a_network(cluster, shaky, cutter, network_spec):
    def recover_creation():
        assert shaky.network.create(network_spec).active
        assert len(list(cluster.network.list())) == 1
        shaky.network.delete(network_spec.uid)

    def recover_deletion():
        shaky.network.delete(network_spec.uid)
        assert list(cluster.network.list()) == []
        cluster.network.create(network_spec)

    assert cut_everywhere(cutter, lambda: shaky.network.create(network_spec), recover_creation) > 2
    assert cut_everywhere(cutter, lambda: shaky.network.delete(network_spec.uid), recover_deletion) > 1


def test_creating_and_deleting_a_volume(cluster, shaky, cutter, tiny):
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

    assert cut_everywhere(cutter, create, recover_creation) > 0
    assert cut_everywhere(cutter, lambda: shaky.storage.delete(spec.uid), recover_deletion) > 0


def test_copying_an_image(cluster, shaky, cutter, tiny):
    """Each attempt takes an image of its own, so that each has to be copied."""
    copied = []

    def create():
        image = dataclasses.replace(tiny, uid=new_id())
        copied.append(VolumeSpec(uid=new_id(), project_id=new_id(), name="data", size_gib=1, image=image))
        shaky.settle(shaky.storage.create, copied[-1])

    def recover():
        assert shaky.settle(shaky.storage.create, copied[-1]).size_gib == 1

    assert cut_everywhere(cutter, create, recover) > 3
    assert len(cluster.files()) == len(copied)
