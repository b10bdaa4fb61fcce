# SPDX-License-Identifier: Apache-2.0
"""The compute and storage drivers on a real libvirt, with guests that boot."""

import concurrent.futures
import dataclasses
import itertools
from typing import Any

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from stratoplane.compute import ImageReference, MachineInterface
from stratoplane.drivers import AgentContext, Feature
from stratoplane.errors import CapacityError, ConflictError, NotFoundError, PermanentError
from stratoplane.ids import new_id
from stratoplane.resources import PowerState
from stratoplane.storage import VolumeSpec
from stratoplane_libvirt.hardware import kvm_runs_guests
from stratoplane_libvirt.pool import open_pool
from stratoplane_libvirt.settings import DomainType


def stopped(spec):
    return dataclasses.replace(spec, power=PowerState.STOPPED)


def test_a_machine_lives_from_boot_to_removal(cluster, guest, network_spec):
    made = cluster.settle(cluster.compute.create, guest)
    assert made.drift(guest) == frozenset()
    assert cluster.compute.create(guest) == made == cluster.compute.observe(guest.uid)
    address = made.addresses[0].address
    ready = cluster.console_lines(guest.uid, "TINY-READY")[0]
    assert f"hostname={guest.name} addresses={address} seed=yes keys=1" in ready
    assert [each.uid for each in cluster.compute.usage()] == [guest.uid]

    cluster.compute.reboot(guest.uid)
    assert len(cluster.console_lines(guest.uid, "TINY-READY", count=2)) == 2
    off = cluster.settle(cluster.compute.update, stopped(guest))
    assert off.power is PowerState.STOPPED
    assert cluster.console_lines(guest.uid, "TINY-POWER-BUTTON", count=2)
    with pytest.raises(ConflictError, match="stopped"):
        cluster.compute.reboot(guest.uid)

    for _ in range(2):
        assert cluster.compute.delete(guest.uid) is None
    assert cluster.compute.observe(guest.uid) is None
    assert list(cluster.compute.list()) == []
    assert cluster.files() == set()
    assert cluster.fixed_addresses(network_spec.uid) == {}
    with pytest.raises(NotFoundError):
        cluster.compute.console_log(guest.uid)


def test_a_machine_is_resized_and_runs_again(cluster, guest):
    cluster.settle(cluster.compute.create, guest)
    cluster.console_lines(guest.uid, "TINY-READY")
    larger = dataclasses.replace(guest, vcpus=2, memory_mib=160, root_gib=2)
    resized = cluster.settle(cluster.compute.resize, larger)
    assert resized.drift(larger) == frozenset()
    assert cluster.compute.resize(larger) == resized
    assert f"vda:{2 * 1024**3}" in cluster.console_lines(guest.uid, "TINY-READY", count=2)[1]
    with pytest.raises(ConflictError, match="cannot shrink"):
        cluster.settle(cluster.compute.resize, stopped(guest))


def test_volumes_come_and_go_while_the_guest_runs(cluster, guest):
    volumes = [VolumeSpec(uid=new_id(), project_id=guest.project_id, name="data", size_gib=size) for size in (1, 2)]
    for volume in volumes:
        cluster.storage.create(volume)
    first, second = (volume.uid for volume in volumes)
    with_first = dataclasses.replace(guest, volume_uids=(first,))
    cluster.settle(cluster.compute.create, with_first)
    assert f"sda:{1024**3}" in cluster.console_lines(guest.uid, "TINY-READY")[0]

    with_second = dataclasses.replace(guest, volume_uids=(second,))
    assert cluster.settle(cluster.compute.update, with_second).volume_uids == (second,)
    cluster.until(lambda: f":{2 * 1024**3}" in cluster.console_lines(guest.uid, "TINY-DISKS")[-1])
    with pytest.raises(ConflictError, match="in use"):
        cluster.storage.delete(second)
    assert cluster.storage.update(dataclasses.replace(volumes[1], size_gib=3)).size_gib == 3
    cluster.storage.delete(first)

    assert cluster.settle(cluster.compute.update, guest).volume_uids == ()
    cluster.until(lambda: "sda" not in cluster.console_lines(guest.uid, "TINY-DISKS")[-1])
    assert cluster.storage.update(dataclasses.replace(volumes[1], size_gib=4)).size_gib == 4


def test_a_machine_boots_from_a_volume_that_was_filled_from_an_image(cluster, guest, tiny):
    volume = VolumeSpec(uid=new_id(), project_id=guest.project_id, name="boot", size_gib=1, image=tiny)
    cluster.settle(cluster.storage.create, volume)
    spec = dataclasses.replace(guest, image=None, volume_uids=(volume.uid,))
    cluster.settle(cluster.compute.create, spec)
    cluster.console_lines(spec.uid, "TINY-READY")
    with pytest.raises(ConflictError, match="boot disk"):
        cluster.compute.update(dataclasses.replace(spec, volume_uids=()))
    cluster.compute.delete(spec.uid)
    assert cluster.storage.observe(volume.uid).size_gib == 1


def test_a_guest_that_does_not_listen_is_cut_off_after_the_grace(cluster, guest):
    cluster.settle(cluster.compute.create, guest)
    impatient = cluster.with_settings(shutdown_grace=1.0)
    off = impatient.settle(impatient.compute.update, stopped(guest), seconds=20)
    assert off.power is PowerState.STOPPED
    assert impatient.compute.update(guest).power is PowerState.RUNNING
    impatient.host.close()


def test_the_other_machine_type_boots_too(cluster, guest):
    old = cluster.with_settings(machine="pc")
    old.settle(old.compute.create, guest)
    assert old.console_lines(guest.uid, "TINY-READY")
    old.host.close()


def test_a_machine_is_renamed(cluster, guest):
    cluster.settle(cluster.compute.create, stopped(guest))
    renamed = cluster.compute.update(dataclasses.replace(stopped(guest), name="web-2"))
    assert renamed.name == "web-2"
    assert [each.name for each in cluster.compute.list()] == ["web-2"]


@pytest.mark.parametrize(
    "change",
    [
        {"vcpus": 2},
        {"memory_mib": 256},
        {"root_gib": 2},
        {"interfaces": ()},
        {"image": ImageReference(uid=new_id(), name="other", source="other.qcow2")},
    ],
)
def test_another_shape_under_the_same_uid_is_a_conflict(cluster, guest, change):
    made = cluster.settle(cluster.compute.create, stopped(guest))
    with pytest.raises(ConflictError, match=next(iter(change))):
        cluster.compute.create(dataclasses.replace(stopped(guest), **change))
    assert cluster.compute.observe(guest.uid) == made


def test_foreign_domains_are_left_alone(cluster, guest):
    foreign = cluster.host.defineXML(
        f"<domain type='qemu'><name>foreign-{guest.uid}</name><uuid>{guest.uid}</uuid><memory unit='MiB'>32</memory>"
        "<os><type>hvm</type></os></domain>"
    )
    try:
        assert cluster.compute.observe(guest.uid) is None
        assert list(cluster.compute.list()) == []
        for verb, argument in ((cluster.compute.create, guest), (cluster.compute.delete, guest.uid)):
            with pytest.raises(ConflictError, match="left alone"):
                verb(argument)
        with pytest.raises(NotFoundError):
            cluster.compute.update(guest)
        assert foreign.name().startswith("foreign")
    finally:
        foreign.undefine()


def test_another_installation_does_not_see_ours(cluster, guest, tmp_path):
    cluster.settle(cluster.compute.create, stopped(guest))
    stranger = AgentContext(installation_id=new_id(), cluster_id=new_id(), state_folder=tmp_path)
    driver = type(cluster.compute)(cluster.settings, stranger)
    assert list(driver.list()) == []
    assert driver.observe(guest.uid) is None
    with pytest.raises(ConflictError):
        driver.delete(guest.uid)


@pytest.mark.parametrize("missing", ["network", "volume"])
def test_what_a_machine_needs_and_is_missing_is_named_and_nothing_is_left(cluster, guest, missing):
    absent = new_id()
    changes: dict[str, dict[str, Any]] = {
        "network": {"interfaces": (MachineInterface(network_uid=absent, mac="02:00:00:00:00:09"),)},
        "volume": {"volume_uids": (absent,)},
    }
    with pytest.raises(NotFoundError, match=str(absent)):
        cluster.compute.create(dataclasses.replace(guest, **changes[missing]))
    assert list(cluster.compute.list()) == []
    assert cluster.files() == set()


def test_a_machine_without_anything_to_boot_from_is_refused(cluster, guest):
    with pytest.raises(PermanentError, match="nothing to boot from"):
        cluster.compute.create(dataclasses.replace(guest, image=None))
    assert list(cluster.compute.list()) == []


def test_a_volume_is_one_machines_only(cluster, guest):
    volume = VolumeSpec(uid=new_id(), project_id=guest.project_id, name="data", size_gib=1)
    cluster.storage.create(volume)
    first = dataclasses.replace(stopped(guest), volume_uids=(volume.uid,))
    second = dataclasses.replace(stopped(guest), uid=new_id(), interfaces=())
    for spec in (first, second):
        cluster.settle(cluster.compute.create, spec)
    greedy = dataclasses.replace(second, volume_uids=(volume.uid,))
    third = dataclasses.replace(greedy, uid=new_id())
    for verb, spec in ((cluster.compute.update, greedy), (cluster.compute.create, third)):
        with pytest.raises(ConflictError, match=str(first.uid)):
            verb(spec)
    assert len(list(cluster.compute.list())) == 2


def test_a_full_network_has_no_room_and_nothing_is_left(cluster, guest, network_spec):
    small = dataclasses.replace(network_spec, uid=new_id(), cidr="10.99.0.0/30", gateway="10.99.0.1")
    cluster.network.create(small)
    first, second = (
        dataclasses.replace(
            stopped(guest),
            uid=new_id(),
            interfaces=(MachineInterface(network_uid=small.uid, mac=f"02:00:00:00:01:0{n}"),),
        )
        for n in (1, 2)
    )
    made = cluster.settle(cluster.compute.create, first)
    assert made.addresses[0].address == "10.99.0.2"
    with pytest.raises(CapacityError, match="no free address"):
        cluster.compute.create(second)
    assert [each.uid for each in cluster.compute.list()] == [first.uid]
    assert not any(str(second.uid) in name for name in cluster.files())
    cluster.compute.delete(first.uid)
    assert cluster.settle(cluster.compute.create, second).addresses[0].address == "10.99.0.2"


def test_machines_made_at_once_have_addresses_of_their_own_and_share_the_image(cluster, guest, network_spec, tiny):
    image = dataclasses.replace(tiny, uid=new_id())
    specs = [
        dataclasses.replace(
            stopped(guest),
            uid=new_id(),
            image=image,
            interfaces=(MachineInterface(network_uid=network_spec.uid, mac=f"02:00:00:00:02:{number:02x}"),),
        )
        for number in range(6)
    ]
    with concurrent.futures.ThreadPoolExecutor(len(specs)) as executor:
        made = list(executor.map(cluster.settle, itertools.repeat(cluster.compute.create), specs))
    addresses = {each.addresses[0].address for each in made}
    assert len(addresses) == len(specs)
    assert {str(address) for address in cluster.fixed_addresses(network_spec.uid).values()} == addresses
    with concurrent.futures.ThreadPoolExecutor(len(specs)) as executor:
        list(executor.map(cluster.compute.delete, [spec.uid for spec in specs]))
    assert cluster.files() == set()


def test_a_console_shows_its_last_64_kib(cluster, guest):
    noisy = dataclasses.replace(guest, user_data="#!/bin/sh\nyes 0123456789abcdef | head -n 8000\necho THE-END\n")
    cluster.settle(cluster.compute.create, noisy)
    cluster.console_lines(noisy.uid, "THE-END")
    assert 60_000 < len(cluster.compute.console_log(noisy.uid)) <= 65_536


def test_features_and_capacity_are_the_hosts(cluster):
    assert cluster.compute.features() == {
        Feature.REBOOT,
        Feature.RESIZE,
        Feature.CONSOLE_LOG,
        Feature.FOREIGN_OBJECTS,
        Feature.IMAGES,
    }
    compute, storage = cluster.compute.capacity(), cluster.storage.capacity()
    assert compute.vcpus == cluster.host.getInfo()[2] * 4
    assert compute.memory_mib > 0
    assert storage.storage_gib > 0


def test_the_probe_guest_runs_where_guests_run(cluster):
    pool = open_pool(cluster.host, cluster.settings.pool)
    assert kvm_runs_guests(cluster.host, DomainType.QEMU, pool, cluster.context.installation_id)
    assert cluster.files() == set()


def test_the_automatic_domain_type_boots_a_guest(cluster, guest):
    automatic = cluster.with_settings(domain_type=DomainType.AUTO)
    automatic.compute.prepare()
    automatic.settle(automatic.compute.create, guest)
    assert automatic.console_lines(guest.uid, "TINY-READY")
    automatic.host.close()
