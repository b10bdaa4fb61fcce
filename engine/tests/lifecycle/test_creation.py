# SPDX-License-Identifier: Apache-2.0
"""Creates: what is accepted, what the answer says, and what comes of it."""

from typing import TYPE_CHECKING

from stratoplane_engine.kinds.key_pair import KeyPairSpec
from stratoplane_engine.kinds.virtual_machine import VirtualMachineSpec, mac_address
from stratoplane_engine.kinds.volume import VolumeSpec
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def spec_of(machine: ChangeResult) -> VirtualMachineSpec:
    spec = machine.resource.spec
    assert isinstance(spec, VirtualMachineSpec)
    return spec


def test_a_network_becomes_active(site: "TenantWorld") -> None:
    accepted = site.create("network", name="inside", cidr="10.1.0.0/24", labels={"env": "prod"})
    assert accepted.resource.status == "PENDING"
    assert accepted.job is not None
    assert accepted.job.kind == "network.create"
    assert accepted.job.state == "PENDING"

    site.settle()

    made = site.get(accepted)
    assert made.status == "ACTIVE"
    assert (made.spec.cidr, made.spec.gateway, made.spec.mode) == ("10.1.0.0/24", "10.1.0.1", "NAT")
    assert made.labels == {"env": "prod"}
    assert made.cluster == site.cluster
    assert made.provider_reference == f"native-{made.id}"
    assert made.generation == made.observed_generation == 1


def test_the_answer_shows_the_resource_and_the_job_as_reading_them_does(site: "TenantWorld") -> None:
    accepted = site.create("volume", size_gib=3)

    assert accepted.resource == site.get(accepted)
    assert accepted.job == site.job(accepted)


def test_a_volume_can_begin_as_an_image(site: "TenantWorld") -> None:
    accepted = site.create("volume", size_gib=5, image=site.image)
    site.drain()
    (operation,) = site.hand.offers()

    assert operation.spec["size_gib"] == 5
    image = operation.spec["image"]
    assert isinstance(image, dict)
    assert (image["name"], image["source"]) == (site.image, "debian.qcow2")
    wanted = accepted.resource.spec
    assert isinstance(wanted, VolumeSpec)
    assert wanted.image is not None
    assert str(wanted.image.uid) == image["uid"]


def test_a_bucket_becomes_active(site: "TenantWorld") -> None:
    assert site.get(site.made("bucket", name="backups")).status == "ACTIVE"


def test_a_key_pair_is_there_at_once_without_a_job(site: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj alice@example"
    accepted = site.create("key_pair", name="laptop", public_key=key)

    assert accepted.job is None
    assert accepted.resource.status == "ACTIVE"
    kept = accepted.resource.spec
    assert isinstance(kept, KeyPairSpec)
    assert kept.public_key == key
    assert kept.fingerprint.startswith("SHA256:")


def test_a_machine_waits_for_what_it_uses_and_then_runs(site: "TenantWorld") -> None:
    network = site.create("network", cidr="10.1.0.0/24")
    volume = site.create("volume", size_gib=5)
    machine = site.create(
        "virtual_machine", network_ids=[network.resource.id], volume_ids=[volume.resource.id], user_data="#!"
    )
    site.drain()
    assert {operation.kind for operation in site.hand.offers()} == {"network", "volume"}
    assert [(step.name, step.state) for step in site.job(machine).steps] == [
        ("await_targets", "RUNNING"),
        ("provision", "PENDING"),
    ]
    site.take_back_offers()

    site.settle()

    made = site.get(machine)
    card = mac_address(made.id, network.resource.id)
    assert made.status == made.spec.power == "RUNNING"
    address = {"network_uid": str(network.resource.id), "mac": card, "address": "10.0.0.2"}
    assert made.observed["addresses"] == [address]
    assert site.get(network).used_by == site.get(volume).used_by == (made.id,)
    assert [step.state for step in site.job(machine).steps] == ["DONE", "DONE"]


def test_the_end_of_what_a_machine_waits_for_wakes_it_before_its_next_look(site: "TenantWorld") -> None:
    network = site.create("network", cidr="10.1.0.0/24")
    machine = site.create("virtual_machine", network_ids=[network.resource.id])
    site.drain()
    site.hand.work()

    site.drain()

    assert [operation.uid for operation in site.hand.offers()] == [machine.resource.id]


def test_a_machine_can_boot_from_a_volume_and_then_holds_no_disk_of_its_own(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=20, image=site.image)
    machine = site.made("virtual_machine", boot_volume_id=volume.resource.id, power="STOPPED")

    assert site.get(machine).status == "STOPPED"
    assert site.used() == {"virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "volumes": 1, "storage_gib": 20}


def test_the_driver_is_given_the_key_pairs_public_half(site: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = site.create("key_pair", name="laptop", public_key=key)
    machine = site.create("virtual_machine", key_pair="laptop")
    site.drain()

    assert [operation.spec["ssh_keys"] for operation in site.hand.offers()] == [[key]]
    assert spec_of(machine).key_pair_id == pair.resource.id


def test_flavor_and_image_may_be_named_by_id(site: "TenantWorld") -> None:
    flavor, image = (
        str(site.rows(f"SELECT id FROM {table} WHERE name = :name", name=name)[0]["id"])  # noqa: S608  # constants
        for table, name in (("flavor", site.flavor), ("image", site.image))
    )
    machine = site.made("virtual_machine", flavor=flavor, image=image)

    spec = spec_of(machine)
    assert spec.image is not None
    assert (spec.flavor, spec.image.name) == (site.flavor, site.image)


def test_ids_are_kept_in_one_form_whatever_form_they_came_in(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    machine = site.made("virtual_machine", network_ids=[str(network.resource.id).upper()])

    assert spec_of(machine).network_ids == (network.resource.id,)
    assert site.row(machine)["spec"]["network_ids"] == [str(network.resource.id)]


def test_everything_that_is_made_is_counted(site: "TenantWorld") -> None:
    site.made("network", cidr="10.1.0.0/24")
    site.made("volume", size_gib=5)
    site.made("virtual_machine")
    site.made("bucket")

    assert site.used() == {
        "virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "networks": 1, "volumes": 1, "storage_gib": 15,
        "buckets": 1,
    }  # fmt: skip
    site.check_accounts()


def test_acceptance_and_end_are_on_record_with_the_request_that_caused_them(site: "TenantWorld") -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    context = site.context(request_id="request-7", trace_parent=trace)
    accepted = site.create("volume", size_gib=1, context=context)
    site.drain()
    assert [operation.trace_parent for operation in site.hand.offers()] == [trace]
    site.take_back_offers()
    site.settle()

    events = site.rows(
        "SELECT action, actor, outcome, request_id, trace_id FROM audit_event WHERE subject_id = :id ORDER BY id",
        id=accepted.resource.id,
    )
    told = {"request_id": "request-7", "trace_id": "0af7651916cd43dd8448eb211c80319c"}
    assert events == [
        {"action": "tenant:resource:create-accepted", "actor": "user:alice", "outcome": "accepted", **told},
        {"action": "engine:job:succeeded", "actor": "engine", "outcome": "succeeded", **told},
    ]


def test_a_failed_create_gives_everything_back_and_says_why(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    before = site.used()
    machine = site.create("virtual_machine", network_ids=[network.resource.id])

    def refuse(operation):
        refused = operation.verb == "create"
        return site.hand.failed(operation, code="no_capacity_at_provider") if refused else site.hand.done(operation)

    site.settle(refuse)

    assert site.get(machine).status == "FAILED"
    assert site.get(machine).detail == "no"
    job = site.job(machine)
    assert job.state == "FAILED"
    assert job.error is not None
    assert (job.error.code, job.error.step) == ("no_capacity_at_provider", "provision")
    assert job.error.provider_text == "provider says no"
    assert [step.state for step in job.steps] == ["DONE", "UNDONE"]
    assert site.used() == before
    assert site.get(network).used_by == ()
    site.check_accounts()
