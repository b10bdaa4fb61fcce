# SPDX-License-Identifier: Apache-2.0
"""The main job on a real libvirt: through the API as a tenant does it, with virsh as the witness."""

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from stratoplane_client import InUseError, JobFailedError
from tests.labs.libvirt.conftest import until

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2xLDCkRUyZ3rcDcZ2pNDnCCKMsOCUDz8ASYZlrTrGU someone@somewhere"
GIB = 1024**3


def test_a_machine_lives_from_one_request_to_the_last(tenant, catalogue, witness):
    network = tenant.networks.create(name="front", cidr="10.77.0.0/24", mode="NAT").wait()
    volume = tenant.volumes.create(name="data", size_gib=1).wait()
    key_pair = tenant.key_pairs.create(name="mine", public_key=KEY).wait()
    assert network.id in witness.networks()
    assert any(f"-volume-{volume.id}." in name for name in witness.volumes())

    machine = tenant.machines.create(
        name="web-1",
        flavor=catalogue.small,
        image=catalogue.image,
        network_ids=[network.id],
        volume_ids=[volume.id],
        key_pair="mine",
        user_data="#!/bin/sh\necho USER-DATA-RAN\n",
    ).wait()
    assert machine.status == "RUNNING"
    [card] = machine.addresses
    ready = tenant.console_lines(machine, "TINY-READY")[0]
    assert ready == f"TINY-READY hostname=web-1 addresses={card.address} seed=yes keys=1 disks=vda:{GIB},sda:{GIB}"
    tenant.console_lines(machine, "USER-DATA-RAN")
    assert witness.leased_address(network.id, card.mac) == card.address
    assert witness.domains().count(machine.id) == 1
    assert witness.virsh("domstate", machine.id).strip() == "running"

    stop_resize_and_start(tenant, witness, catalogue, machine)
    pull_out_grow_and_plug_in(tenant, witness, machine, volume)
    tenant.machines.reboot(machine.id).wait()
    tenant.console_lines(machine, "TINY-READY", count=3)
    assert witness.domains().count(machine.id) == 1

    for held in (lambda: tenant.networks.delete(network.id), lambda: tenant.volumes.delete(volume.id)):
        with pytest.raises(InUseError):
            held()
    tenant.machines.delete(machine.id).wait()
    assert machine.id not in witness.domains()
    assert not any(machine.id in name for name in witness.volumes())
    tenant.volumes.delete(volume.id).wait()
    tenant.networks.delete(network.id).wait()
    tenant.key_pairs.delete(key_pair.id).wait()
    assert not any(volume.id in name for name in witness.volumes())
    assert network.id not in witness.networks()

    trail = [event.action for event in tenant.client.audit_events(tenant.project_id).list(subject_id=machine.id)]
    assert len(trail) >= 6
    assert all(line.used == 0 for line in tenant.client.quotas(tenant.project_id).project)


def stop_resize_and_start(tenant, witness, catalogue, machine):
    stopped = tenant.machines.update(machine.id, power="STOPPED").wait()
    assert stopped.status == "STOPPED"
    assert stopped.addresses == machine.addresses
    assert witness.virsh("domstate", machine.id).strip() == "shut off"
    tenant.console_lines(machine, "TINY-POWER-BUTTON")

    large = tenant.machines.update(machine.id, flavor=catalogue.large).wait()
    assert (large.status, large.vcpus, large.memory_mib, large.disk_gib) == ("STOPPED", 2, 192, 2)
    assert tenant.machines.update(machine.id, power="RUNNING").wait().status == "RUNNING"
    assert f"vda:{2 * GIB}" in tenant.console_lines(machine, "TINY-READY", count=2)[-1]
    assert witness.virsh("vcpucount", machine.id, "--current", "--live").strip() == "2"


def pull_out_grow_and_plug_in(tenant, witness, machine, volume):
    assert tenant.machines.update(machine.id, volume_ids=[]).wait().volume_ids == ()
    assert volume.id not in witness.virsh("domblklist", machine.id)
    assert tenant.console_lines(machine, "TINY-DISKS")[-1] == f"TINY-DISKS vda:{2 * GIB}"
    assert tenant.volumes.update(volume.id, size_gib=2).wait().size_gib == 2
    assert tenant.machines.update(machine.id, volume_ids=[volume.id]).wait().volume_ids == (volume.id,)
    assert volume.id in witness.virsh("domblklist", machine.id)
    assert f"sda:{2 * GIB}" in tenant.console_lines(machine, "TINY-DISKS", count=2)[-1]


def test_many_machines_side_by_side_are_all_there_and_all_gone(tenant, catalogue, witness):
    network = tenant.networks.create(name="many", cidr="10.78.0.0/24", mode="ISOLATED").wait()
    changes = [
        tenant.machines.create(
            name=f"m-{number}", flavor=catalogue.small, image=catalogue.image, network_ids=[network.id]
        )
        for number in range(4)
    ]
    machines = [change.wait() for change in changes]
    assert {machine.status for machine in machines} == {"RUNNING"}
    assert len({machine.addresses[0].address for machine in machines}) == len(machines)
    assert set(witness.domains()) == {machine.id for machine in machines}
    for machine in machines:
        tenant.console_lines(machine, f"hostname={machine.name} addresses={machine.addresses[0].address}")
    for change in [tenant.machines.delete(machine.id) for machine in machines]:
        change.wait()
    tenant.networks.delete(network.id).wait()
    assert witness.domains() == []
    assert witness.networks() == []


@pytest.fixture
def hostile_image(operator):
    """An image whose content would be a file of the host."""
    path = Path(os.environ["STRATOPLANE_LIBVIRT_IMAGE_FOLDER"]) / "hostile.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw", str(path), "1M"]
    subprocess.run(command, check=True)
    images = operator.operator.images
    made = images.create(name=f"hostile-{uuid.uuid4().hex[:12]}", source=path.name, format="qcow2")
    until(lambda: images.get(made.id).clusters, "the cluster tells of the new file")
    yield made
    path.unlink()


def reason_for_operators(operator, job_id):
    """Return what the driver said of a job's failure: it names the host's things, and tenants do not read it."""
    error = operator.operator.jobs.get(job_id).error
    assert error is not None
    return error.detail


def test_a_hostile_image_fails_the_job_with_the_reason_and_leaves_nothing(
    tenant, operator, catalogue, hostile_image, witness
):
    before = witness.volumes()
    change = tenant.machines.create(name="victim", flavor=catalogue.small, image=hostile_image.id)
    with pytest.raises(JobFailedError) as caught:
        change.wait()
    assert caught.value.job.error is not None
    assert "backing file" not in caught.value.job.error.detail
    assert "backing file" in reason_for_operators(operator, caught.value.job.id)
    assert tenant.machines.get(change.resource.id).status == "FAILED"
    assert witness.domains() == []
    assert witness.volumes() == before
    tenant.machines.delete(change.resource.id).wait()


def test_a_range_that_the_host_uses_fails_the_job_with_the_reason(tenant, operator, witness):
    first = tenant.networks.create(name="first", cidr="10.79.0.0/24", mode="NAT").wait()
    other = tenant.client.projects.create(name="other")
    change = tenant.client.networks(other.id).create(name="second", cidr="10.79.0.0/16", mode="NAT")
    with pytest.raises(JobFailedError) as caught:
        change.wait()
    assert caught.value.job.error is not None
    assert caught.value.job.error.code == "conflict_at_provider"
    assert "10.79.0.0/24" in reason_for_operators(operator, caught.value.job.id)
    assert witness.networks() == [first.id]
    tenant.networks.delete(first.id).wait()
