# SPDX-License-Identifier: Apache-2.0
"""Changes that are asked for while another one, or the create, is still under way."""

from typing import TYPE_CHECKING, Any

from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def identifier(made: ChangeResult) -> str:
    return str(made.resource.id)


def test_a_change_while_the_create_is_under_way_comes_after_it(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=1)
    site.drain()
    (creation,) = site.hand.offers()
    change = site.update(volume, size_gib=2)
    assert change.resource.status == "PENDING"
    assert site.drain() == 0

    site.hand.report(site.hand.done(creation))
    site.drain()

    assert site.get(volume).status == "ACTIVE"
    assert (site.get(volume).generation, site.get(volume).observed_generation) == (2, 1)
    assert [operation.verb for operation in site.hand.offers()] == ["update"]
    site.take_back_offers()
    site.settle()
    assert site.job(change).state == "SUCCEEDED"
    assert (site.get(volume).spec.size_gib, site.get(volume).observed_generation) == (2, 2)
    site.check_accounts()


def test_a_change_behind_a_create_that_failed_fails_too_and_brings_nothing_back(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=1)
    change = site.update(volume, size_gib=2)
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked, "create"))

    assert [verb for verb, _ in asked] == ["create", "delete"]
    assert (site.get(volume).status, site.get(volume).detail) == ("FAILED", "no room")
    failed = site.job(change)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == ("FAILED", "state_conflict")
    assert site.used() == {}
    site.check_accounts()


def test_changes_queue_behind_each_other_and_come_in_order(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="one")
    changes = [site.update(machine, name=name) for name in ("two", "three", "four")]
    asked: list[tuple[str, Any]] = []

    site.drain()
    (first,) = site.hand.offers()
    assert site.drain() == 0
    site.hand.report(site.hand.done(first))
    site.drain()
    assert site.get(machine).status == "UPDATING"
    site.take_back_offers()
    site.settle(site.hand.recording(asked))

    assert [site.job(change).state for change in changes] == ["SUCCEEDED"] * 3
    assert len(asked) == 2
    assert (site.get(machine).name, site.get(machine).status) == ("four", "RUNNING")
    assert site.get(machine).generation == site.get(machine).observed_generation == 4


def test_the_change_behind_a_failed_one_does_what_that_one_did_not(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="one")
    large = site.add_flavor("large", 4, 4096, 20)
    failing, following = site.update(machine, flavor=large), site.update(machine, name="two")
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked, "resize"))

    assert [site.job(change).state for change in (failing, following)] == ["FAILED", "SUCCEEDED"]
    assert asked[-2:] == [
        (verb, {**spec, "vcpus": 4, "memory_mib": 4096, "root_gib": 20, "name": "two"}) for verb, spec in asked[-2:]
    ]
    assert [verb for verb, _ in asked[-2:]] == ["resize", "update"]
    assert (site.get(machine).spec.flavor, site.get(machine).name) == (large, "two")
    site.check_accounts()


def test_when_both_fail_the_machine_is_as_before_the_first(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="one")
    site.update(machine, flavor=site.add_flavor("large", 4, 4096, 20))
    site.update(machine, name="two")

    site.settle(site.hand.recording([], "resize", "update", "resize", "update", "resize", "update"))

    assert (site.get(machine).spec.flavor, site.get(machine).name) == (site.flavor, "one")
    assert site.get(machine).status == "RUNNING"
    assert site.used()["vcpus"] == 1
    site.check_accounts()
