# SPDX-License-Identifier: Apache-2.0
"""Machines of the region: hosts, sizes, volumes, time, consoles."""

import uuid
from dataclasses import replace

import pytest

from stratoplane.errors import BusyError, CapacityError, ConflictError, NotFoundError, PermanentError
from stratoplane.jobs import Wait
from stratoplane.resources import PowerState


def test_a_machine_tells_where_it_is(cluster, machine):
    status = cluster.compute.create(machine())

    assert status.host.startswith("host-")
    assert status.provider_reference
    assert status.private == {"simulated": True}


def test_machines_spread_over_the_hosts(make_cluster, machine):
    cluster = make_cluster(hosts=4)

    hosts = [cluster.compute.create(machine()).host for _ in range(8)]

    assert sorted(hosts) == sorted([f"host-00{number}" for number in (1, 2, 3, 4)] * 2)


def test_a_host_that_is_full_takes_no_more(make_cluster, machine):
    cluster = make_cluster(hosts=2, host_vcpus=4)
    for _ in range(2):
        cluster.compute.create(machine(vcpus=3))

    # Two processors are free in all, but on no single host.
    with pytest.raises(CapacityError) as caught:
        cluster.compute.create(machine(vcpus=2))

    assert caught.value.provider_text == "No valid host was found"
    assert cluster.compute.create(machine(vcpus=1)).vcpus == 1


def test_deleting_gives_the_room_back(make_cluster, machine):
    cluster = make_cluster(hosts=1, host_vcpus=1, storage_gib=10)
    first = machine()
    cluster.compute.create(first)
    with pytest.raises(CapacityError):
        cluster.compute.create(machine())

    cluster.compute.delete(first.uid)

    assert cluster.compute.create(machine()).vcpus == 1


def test_storage_is_shared_by_volumes_and_root_disks(make_cluster, machine, volume):
    cluster = make_cluster(storage_gib=15)
    cluster.compute.create(machine(root_gib=10))
    kept = volume(5)
    cluster.storage.create(kept)

    with pytest.raises(CapacityError):
        cluster.storage.create(volume(1))
    with pytest.raises(CapacityError):
        cluster.storage.update(replace(kept, size_gib=6))
    with pytest.raises(CapacityError):
        cluster.compute.create(machine(root_gib=1))


def test_a_machine_with_another_image_is_another_shape(cluster, machine):
    spec = machine()
    cluster.compute.create(spec)

    with pytest.raises(ConflictError, match="differs in image"):
        cluster.compute.create(replace(spec, image=replace(spec.image, uid=uuid.uuid4())))


def test_a_machine_with_another_card_is_another_shape(cluster, machine, network):
    lan = network()
    cluster.network.create(lan)
    spec = machine()
    cluster.compute.create(spec)

    with pytest.raises(ConflictError, match="differs in interfaces"):
        cluster.compute.create(replace(spec, interfaces=machine(lan).interfaces))


def test_a_machine_boots_from_its_first_volume(cluster, machine, volume):
    boot, data = volume(), volume()
    cluster.storage.create(boot)
    cluster.storage.create(data)
    spec = machine(image=None, volume_uids=(boot.uid, data.uid))

    assert cluster.compute.create(spec).volume_uids == (boot.uid, data.uid)
    assert cluster.compute.update(replace(spec, volume_uids=(boot.uid,))).volume_uids == (boot.uid,)
    with pytest.raises(ConflictError, match="cannot be detached"):
        cluster.compute.update(replace(spec, volume_uids=(data.uid,)))


def test_a_machine_without_anything_to_boot_from_is_refused(cluster, machine):
    with pytest.raises(PermanentError, match="nothing to boot from"):
        cluster.compute.create(machine(image=None))


def test_user_data_has_a_limit(cluster, machine):
    for too_much in ("#" * 65_537, "\u20ac" * 21_846):
        with pytest.raises(PermanentError, match="65536 bytes"):
            cluster.compute.create(machine(user_data=too_much))
    cluster.compute.create(machine(user_data="\u20ac" * 21_845 + "#"))


def test_another_projects_volumes_and_networks_cannot_be_used(cluster, machine, network, volume):
    lan, data = network(), volume()
    cluster.network.create(lan)
    cluster.storage.create(data)
    stranger = uuid.uuid4()

    with pytest.raises(NotFoundError):
        cluster.compute.create(replace(machine(lan), project_id=stranger))
    with pytest.raises(NotFoundError):
        cluster.compute.create(replace(machine(volume_uids=(data.uid,)), project_id=stranger))


def test_a_root_disk_does_not_shrink(cluster, machine):
    spec = machine(root_gib=10)
    cluster.compute.create(spec)

    with pytest.raises(ConflictError, match="cannot shrink"):
        cluster.compute.resize(replace(spec, root_gib=9))


def test_a_resized_machine_moves_when_its_host_is_full(make_cluster, machine):
    cluster = make_cluster(hosts=2, host_vcpus=4)
    specs = [machine(vcpus=2), machine(vcpus=1), machine(vcpus=2)]
    hosts = [cluster.compute.create(spec).host for spec in specs]
    assert hosts == ["host-001", "host-002", "host-002"]

    assert cluster.compute.resize(replace(specs[2], vcpus=3)).host == "host-002"
    assert cluster.compute.resize(replace(specs[1], vcpus=2)).host == "host-001"
    with pytest.raises(CapacityError):
        cluster.compute.resize(replace(specs[2], vcpus=5))
    assert cluster.compute.observe(specs[2].uid).vcpus == 3
    assert cluster.region.admin.problems() == []


def test_meters_run_while_a_machine_runs(cluster, machine):
    running, stopped = machine(vcpus=2), machine(power=PowerState.STOPPED)
    cluster.compute.create(running)
    cluster.compute.create(stopped)
    cluster.region.write(
        lambda transaction: transaction.run("UPDATE machine SET started_at = started_at - 1000 WHERE started_at > 0")
    )

    samples = {sample.uid: sample.readings for sample in cluster.compute.usage()}

    assert samples[running.uid]["cpu_seconds"] >= 1000 * 2 * 0.01
    assert samples[stopped.uid]["cpu_seconds"] == 0
    cluster.compute.update(replace(running, power=PowerState.STOPPED))
    after = {sample.uid: sample.readings for sample in cluster.compute.usage()}
    assert after[running.uid]["cpu_seconds"] >= samples[running.uid]["cpu_seconds"]


# --- time ---------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_being_built_is_listed_and_not_yet_observed(make_cluster, machine):
    cluster = make_cluster(machine_seconds=3600)
    spec = machine()

    answer = cluster.compute.create(spec)

    assert isinstance(answer, Wait)
    assert 3500 < answer.seconds <= 3600
    assert isinstance(cluster.compute.create(spec), Wait)
    assert cluster.compute.observe(spec.uid) is None
    assert [status.power for status in cluster.compute.list()] == [PowerState.STOPPED]
    with pytest.raises(BusyError):
        cluster.compute.update(spec)
    assert cluster.compute.delete(spec.uid) is None


def test_a_machine_that_shuts_down_still_runs(make_cluster, machine):
    cluster = make_cluster(shutdown_seconds=3600)
    spec = machine()
    cluster.compute.create(spec)

    answer = cluster.compute.update(replace(spec, power=PowerState.STOPPED))

    assert isinstance(answer, Wait)
    assert cluster.compute.observe(spec.uid).power is PowerState.RUNNING
    assert cluster.compute.update(spec).power is PowerState.RUNNING


def test_a_machine_that_is_being_deleted_is_there_until_it_is_gone(make_cluster, machine):
    cluster = make_cluster(delete_seconds=3600)
    spec = machine()
    cluster.compute.create(spec)

    answers = [cluster.compute.delete(spec.uid) for _ in range(2)]

    assert all(isinstance(answer, Wait) for answer in answers)
    assert answers[1].seconds <= answers[0].seconds
    assert cluster.compute.observe(spec.uid) is not None
    with pytest.raises(BusyError):
        cluster.compute.create(spec)
    cluster.region.write(lambda transaction: transaction.run("UPDATE machine SET delete_at = 1"))
    assert cluster.compute.observe(spec.uid) is None
    assert list(cluster.compute.list()) == []
    assert cluster.compute.delete(spec.uid) is None
    assert cluster.region.admin.used() == {"vcpus": 0, "memory_mib": 0, "storage_gib": 0}


# --- console ------------------------------------------------------------------------------------------------------


def test_the_console_tells_name_addresses_and_keys(cluster, machine, network):
    lan = network()
    cluster.network.create(lan)
    spec = machine(lan, name="web-7", ssh_keys=("ssh-ed25519 A", "ssh-ed25519 B"))
    cluster.compute.create(spec)

    text = cluster.compute.console_log(spec.uid)

    assert "Hostname set to <web-7>" in text
    assert "eth0 | up | 10.1.0.2/24 | via 10.1.0.1" in text
    assert "authorized keys from the key pair for user debian: 2" in text
    assert text.endswith("web-7 login: \n")
    assert "simulated" in text


def test_the_console_tells_of_restarts_and_stops(cluster, machine):
    spec = machine(power=PowerState.STOPPED)
    cluster.compute.create(spec)
    assert cluster.compute.console_log(spec.uid) == ""

    cluster.compute.update(replace(spec, power=PowerState.RUNNING))
    cluster.compute.reboot(spec.uid)
    cluster.compute.update(spec)

    text = cluster.compute.console_log(spec.uid)
    assert text.count("login: ") == 2
    assert text.count("reboot: Restarting system") == 1
    assert text.rstrip().endswith("reboot: Power down")
