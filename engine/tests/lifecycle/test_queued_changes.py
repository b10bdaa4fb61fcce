# SPDX-License-Identifier: Apache-2.0
"""Changes that are asked for while another one, or the create, is still under way."""

from typing import TYPE_CHECKING, Any

from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def identifier(made: ChangeResult) -> str:
    return str(made.resource.id)


def test_a_change_while_the_create_is_under_way_comes_after_it(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.drain()
    (creation,) = tenant.agent.offers()
    change = tenant.update(volume, size_gib=2)
    assert change.resource.status == "PENDING"
    assert tenant.drain() == 0

    tenant.agent.report(tenant.agent.done(creation))
    tenant.drain()

    assert tenant.get(volume).status == "ACTIVE"
    assert (tenant.get(volume).generation, tenant.get(volume).observed_generation) == (2, 1)
    assert [operation.verb for operation in tenant.agent.offers()] == ["update"]
    tenant.take_back_offers()
    tenant.settle()
    assert tenant.job(change).state == "SUCCEEDED"
    assert (tenant.get(volume).spec.size_gib, tenant.get(volume).observed_generation) == (2, 2)
    tenant.check_accounts()


def test_a_change_behind_a_create_that_failed_fails_too_and_brings_nothing_back(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    change = tenant.update(volume, size_gib=2)
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked, "create"))

    assert [verb for verb, _ in asked] == ["create", "delete"]
    assert tenant.get(volume).status == "FAILED"
    assert tenant.get(volume).detail == "the provider has not enough room; choose a smaller size or another cluster"
    failed = tenant.job(change)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == ("FAILED", "state_conflict")
    assert tenant.used() == {}
    tenant.check_accounts()


def test_changes_queue_behind_each_other_and_come_in_order(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="one")
    changes = [tenant.update(machine, name=name) for name in ("two", "three", "four")]
    asked: list[tuple[str, Any]] = []

    tenant.drain()
    (first,) = tenant.agent.offers()
    assert tenant.drain() == 0
    tenant.agent.report(tenant.agent.done(first))
    tenant.drain()
    assert tenant.get(machine).status == "UPDATING"
    tenant.take_back_offers()
    tenant.settle(tenant.agent.recording(asked))

    assert [tenant.job(change).state for change in changes] == ["SUCCEEDED"] * 3
    assert len(asked) == 2
    assert (tenant.get(machine).name, tenant.get(machine).status) == ("four", "RUNNING")
    assert tenant.get(machine).generation == tenant.get(machine).observed_generation == 4


def test_the_change_behind_a_failed_one_does_what_that_one_did_not(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="one")
    large = tenant.add_flavor("large", 4, 4096, 20)
    failing, following = tenant.update(machine, flavor=large), tenant.update(machine, name="two")
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked, "resize"))

    assert [tenant.job(change).state for change in (failing, following)] == ["FAILED", "SUCCEEDED"]
    assert asked[-2:] == [
        (verb, {**spec, "vcpus": 4, "memory_mib": 4096, "root_gib": 20, "name": "two"}) for verb, spec in asked[-2:]
    ]
    assert [verb for verb, _ in asked[-2:]] == ["resize", "update"]
    assert (tenant.get(machine).spec.flavor, tenant.get(machine).name) == (large, "two")
    tenant.check_accounts()


def test_when_both_fail_the_machine_is_as_before_the_first(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="one")
    tenant.update(machine, flavor=tenant.add_flavor("large", 4, 4096, 20))
    tenant.update(machine, name="two")

    tenant.settle(tenant.agent.recording([], "resize", "update", "resize", "update", "resize", "update"))

    assert (tenant.get(machine).spec.flavor, tenant.get(machine).name) == (tenant.flavor, "one")
    assert tenant.get(machine).status == "RUNNING"
    assert tenant.used()["vcpus"] == 1
    tenant.check_accounts()


def test_a_deletion_says_which_job_it_waits_behind(tenant: "TenantWorld") -> None:
    made = tenant.create("volume", size_gib=1, cluster=tenant.cluster)
    tenant.drain()
    (offered,) = tenant.agent.offers()
    tenant.agent.acknowledge(offered)
    deletion = tenant.delete(made)
    ahead = tenant.job(deletion).ahead
    assert tenant.job(made).ahead is None
    assert ahead is not None
    assert (ahead.id, ahead.kind) == (tenant.job(made).id, "volume.create")
    assert tenant.job(deletion).state == "PENDING"

    tenant.agent.report(tenant.agent.done(offered))
    tenant.settle()
    assert tenant.job(deletion).ahead is None
