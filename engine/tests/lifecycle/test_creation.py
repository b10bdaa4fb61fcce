# SPDX-License-Identifier: Apache-2.0
"""Creates: what is accepted, what the answer says, and what comes of it."""

from dataclasses import replace
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


def test_a_network_becomes_active(tenant: "TenantWorld") -> None:
    accepted = tenant.create("network", name="inside", cidr="10.1.0.0/24", labels={"env": "prod"})
    assert accepted.resource.status == "PENDING"
    assert accepted.job is not None
    assert accepted.job.kind == "network.create"
    assert accepted.job.state == "PENDING"

    tenant.settle()

    made = tenant.get(accepted)
    assert made.status == "ACTIVE"
    assert (made.spec.cidr, made.spec.gateway, made.spec.mode) == ("10.1.0.0/24", "10.1.0.1", "NAT")
    assert made.labels == {"env": "prod"}
    assert made.cluster == tenant.cluster
    assert made.provider_reference == f"native-{made.id}"
    assert made.generation == made.observed_generation == 1


def test_the_answer_shows_the_resource_and_the_job_as_reading_them_does(tenant: "TenantWorld") -> None:
    accepted = tenant.create("volume", size_gib=3)

    # What its job waits for is told when somebody looks.
    assert accepted.resource == replace(tenant.get(accepted), detail=accepted.resource.detail)
    assert accepted.job == tenant.job(accepted)


def test_a_volume_can_begin_as_an_image(tenant: "TenantWorld") -> None:
    accepted = tenant.create("volume", size_gib=5, image=tenant.image)
    tenant.drain()
    (operation,) = tenant.agent.offers()

    assert operation.spec["size_gib"] == 5
    image = operation.spec["image"]
    assert isinstance(image, dict)
    assert (image["name"], image["source"]) == (tenant.image, "debian.qcow2")
    wanted = accepted.resource.spec
    assert isinstance(wanted, VolumeSpec)
    assert wanted.image is not None
    assert str(wanted.image.uid) == image["uid"]


def test_a_bucket_becomes_active(tenant: "TenantWorld") -> None:
    assert tenant.get(tenant.made("bucket", name="backups")).status == "ACTIVE"


def test_a_key_pair_is_there_at_once_without_a_job(tenant: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj alice@example"
    accepted = tenant.create("key_pair", name="laptop", public_key=key)

    assert accepted.job is None
    assert accepted.resource.status == "ACTIVE"
    kept = accepted.resource.spec
    assert isinstance(kept, KeyPairSpec)
    assert kept.public_key == key
    assert kept.fingerprint.startswith("SHA256:")


def test_a_machine_waits_for_what_it_uses_and_then_runs(tenant: "TenantWorld") -> None:
    network = tenant.create("network", cidr="10.1.0.0/24")
    volume = tenant.create("volume", size_gib=5)
    machine = tenant.create(
        "virtual_machine", network_ids=[network.resource.id], volume_ids=[volume.resource.id], user_data="#!"
    )
    tenant.drain()
    assert {operation.kind for operation in tenant.agent.offers()} == {"network", "volume"}
    assert [(step.name, step.state) for step in tenant.job(machine).steps] == [
        ("await_targets", "RUNNING"),
        ("provision", "PENDING"),
    ]
    tenant.take_back_offers()

    tenant.settle()

    made = tenant.get(machine)
    card = mac_address(made.id, network.resource.id)
    assert made.status == made.spec.power == "RUNNING"
    address = {"network_uid": str(network.resource.id), "mac": card, "address": "10.0.0.2"}
    assert made.observed["addresses"] == [address]
    assert tenant.get(network).used_by == tenant.get(volume).used_by == (made.id,)
    assert [step.state for step in tenant.job(machine).steps] == ["DONE", "DONE"]


def test_the_end_of_what_a_machine_waits_for_wakes_it_before_its_next_look(tenant: "TenantWorld") -> None:
    network = tenant.create("network", cidr="10.1.0.0/24")
    machine = tenant.create("virtual_machine", network_ids=[network.resource.id])
    tenant.drain()
    tenant.agent.work()

    tenant.drain()

    assert [operation.uid for operation in tenant.agent.offers()] == [machine.resource.id]


def test_a_machine_can_boot_from_a_volume_and_then_holds_no_disk_of_its_own(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=20, image=tenant.image)
    machine = tenant.made("virtual_machine", boot_volume_id=volume.resource.id, power="STOPPED")

    assert tenant.get(machine).status == "STOPPED"
    assert tenant.used() == {"virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "volumes": 1, "storage_gib": 20}


def test_the_driver_is_given_the_key_pairs_public_half(tenant: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = tenant.create("key_pair", name="laptop", public_key=key)
    machine = tenant.create("virtual_machine", key_pair="laptop")
    tenant.drain()

    assert [operation.spec["ssh_keys"] for operation in tenant.agent.offers()] == [[key]]
    assert spec_of(machine).key_pair_id == pair.resource.id


def test_flavor_and_image_may_be_named_by_id(tenant: "TenantWorld") -> None:
    flavor, image = (
        str(tenant.rows(f"SELECT id FROM {table} WHERE name = :name", name=name)[0]["id"])  # noqa: S608  # constants
        for table, name in (("flavor", tenant.flavor), ("image", tenant.image))
    )
    machine = tenant.made("virtual_machine", flavor=flavor, image=image)

    spec = spec_of(machine)
    assert spec.image is not None
    assert (spec.flavor, spec.image.name) == (tenant.flavor, tenant.image)


def test_ids_are_kept_in_one_form_whatever_form_they_came_in(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    machine = tenant.made("virtual_machine", network_ids=[str(network.resource.id).upper()])

    assert spec_of(machine).network_ids == (network.resource.id,)
    assert tenant.row(machine)["spec"]["network_ids"] == [str(network.resource.id)]


def test_everything_that_is_made_is_counted(tenant: "TenantWorld") -> None:
    tenant.made("network", cidr="10.1.0.0/24")
    tenant.made("volume", size_gib=5)
    tenant.made("virtual_machine")
    tenant.made("bucket")

    assert tenant.used() == {
        "virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "networks": 1, "volumes": 1, "storage_gib": 15,
        "buckets": 1,
    }  # fmt: skip
    tenant.check_accounts()


def test_acceptance_and_end_are_on_record_with_the_request_that_caused_them(tenant: "TenantWorld") -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    context = tenant.context(request_id="request-7", trace_parent=trace)
    accepted = tenant.create("volume", size_gib=1, context=context)
    tenant.drain()
    assert [operation.trace_parent for operation in tenant.agent.offers()] == [trace]
    tenant.take_back_offers()
    tenant.settle()

    events = tenant.rows(
        "SELECT action, actor, outcome, request_id, trace_id FROM audit_event WHERE subject_id = :id ORDER BY id",
        id=accepted.resource.id,
    )
    told = {"request_id": "request-7", "trace_id": "0af7651916cd43dd8448eb211c80319c"}
    assert events == [
        {"action": "tenant:resource:create-accepted", "actor": "user:alice", "outcome": "accepted", **told},
        {"action": "engine:job:succeeded", "actor": "engine", "outcome": "succeeded", **told},
    ]


def test_a_failed_create_gives_everything_back_and_says_why(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    before = tenant.used()
    machine = tenant.create("virtual_machine", network_ids=[network.resource.id])

    def refuse(operation):
        refused = operation.verb == "create"
        return (
            tenant.agent.failed(operation, code="no_capacity_at_provider") if refused else tenant.agent.done(operation)
        )

    tenant.settle(refuse)

    assert tenant.get(machine).status == "FAILED"
    assert tenant.get(machine).detail == "the provider has not enough room; choose a smaller size or another cluster"
    job = tenant.job(machine)
    assert job.state == "FAILED"
    assert job.error is not None
    assert (job.error.code, job.error.step) == ("no_capacity_at_provider", "provision")
    assert job.error.provider_text == "provider says no"
    assert [step.state for step in job.steps] == ["DONE", "UNDONE"]
    assert tenant.used() == before
    assert tenant.get(network).used_by == ()
    tenant.check_accounts()
