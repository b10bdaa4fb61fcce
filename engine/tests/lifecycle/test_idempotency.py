# SPDX-License-Identifier: Apache-2.0
"""One key, one effect, one answer; and dry runs, which have no effect at all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from stratoplane.errors import (
    IdempotencyMismatchError,
    NameTakenError,
    QuotaExceededError,
    ResourceDeletedError,
    StratoplaneError,
)
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.model.change import Accepted, IdempotencyKey

if TYPE_CHECKING:
    from conftest import Site


def keyed(site: "Site", key: str = "key-1", fingerprint: str = "same") -> RequestContext:
    return site.context(idempotency=IdempotencyKey(key=key, fingerprint=fingerprint))


def same(first: Accepted, second: Accepted) -> bool:
    return (first.resource, first.job) == (second.resource, second.job)


def test_the_same_key_and_request_gets_the_same_answer_and_no_second_effect(site: "Site") -> None:
    first = site.create("volume", name="data", size_gib=1, context=keyed(site))
    before = site.everything()
    site.settle()

    second = site.create("volume", name="data", size_gib=1, context=keyed(site))

    assert same(first, second)
    assert (first.replayed, second.replayed) == (False, True)
    assert site.everything()["resource"] == before["resource"]
    site.check_accounts()


def test_the_same_key_with_another_request_is_refused(site: "Site") -> None:
    site.create("volume", size_gib=1, context=keyed(site))
    with pytest.raises(IdempotencyMismatchError, match="'key-1' was used with another request; make a new key"):
        site.create("volume", size_gib=2, context=keyed(site, fingerprint="other"))


def test_keys_are_those_of_the_caller(site: "Site") -> None:
    first = site.create("volume", size_gib=1, context=keyed(site))
    somebody = replace(keyed(site, fingerprint="other"), actor=replace(site.actor, id=uuid4()))

    assert not same(first, site.create("volume", size_gib=1, context=somebody))


@pytest.mark.parametrize("name", ["same-name", ""])
def test_many_requests_with_one_key_at_once_make_one_resource(site: "Site", name: str) -> None:
    def create(_: int) -> Accepted:
        named = {"name": name} if name else {}
        return site.create("volume", size_gib=1, context=keyed(site), **named)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(create, range(6)))

    assert all(same(answers[0], answer) for answer in answers)
    assert sum(not answer.replayed for answer in answers) == 1
    assert site.used() == {"volumes": 1, "storage_gib": 1}
    site.check_accounts()


def test_many_requests_with_one_key_at_once_for_the_last_place_in_the_quota(site: "Site") -> None:
    site.limit("volumes", 1)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: site.create("volume", size_gib=1, context=keyed(site)), range(6)))

    assert all(same(answers[0], answer) for answer in answers)


def test_a_refused_request_keeps_nothing_under_its_key(site: "Site") -> None:
    site.limit("volumes", 0)
    with pytest.raises(QuotaExceededError):
        site.create("volume", size_gib=1, context=keyed(site))
    site.limit("volumes", 1)

    assert not site.create("volume", size_gib=1, context=keyed(site)).replayed


def test_a_key_whose_time_is_over_is_new_again_before_it_is_swept(site: "Site") -> None:
    first = site.create("volume", size_gib=1, context=keyed(site))
    site.execute("UPDATE idempotency SET expires_at = clock_timestamp() - interval '1 second'")

    second = site.create("volume", size_gib=1, context=keyed(site, fingerprint="other"))

    assert not second.replayed
    assert not same(first, second)
    assert same(second, site.create("volume", size_gib=1, context=keyed(site, fingerprint="other")))


def test_a_repeated_deletion_gets_its_first_answer_when_the_resource_is_gone(site: "Site") -> None:
    volume = site.made("volume", size_gib=1)
    first = site.delete(volume, context=keyed(site))
    site.settle()
    with pytest.raises(ResourceDeletedError):
        site.delete(volume)

    assert same(first, site.delete(volume, context=keyed(site)))


def test_a_repeated_change_gets_its_first_answer_whatever_became_of_the_resource(site: "Site") -> None:
    volume = site.made("volume", size_gib=1)
    context = replace(keyed(site), if_version=site.get(volume)["version"])
    first = site.update(volume, size_gib=2, context=context)
    assert same(first, site.update(volume, size_gib=2, context=context))
    site.settle()
    site.delete(volume)
    assert same(first, site.update(volume, size_gib=2, context=context))
    site.settle()
    assert same(first, site.update(volume, size_gib=2, context=context))


def test_a_change_that_changed_nothing_does_not_change_anything_later_either(site: "Site") -> None:
    machine = site.made("virtual_machine")
    nothing = site.update(machine, power="RUNNING", context=keyed(site))
    assert nothing.job is None
    site.update(machine, power="STOPPED")
    site.settle()

    assert same(nothing, site.update(machine, power="RUNNING", context=keyed(site)))
    assert site.get(machine)["power"] == "STOPPED"


def test_a_repeated_reboot_is_one_reboot(site: "Site") -> None:
    machine = site.made("virtual_machine")
    first = site.act(machine, "reboot", context=keyed(site))

    assert same(first, site.act(machine, "reboot", context=keyed(site)))
    site.drain()
    assert [operation.verb for operation in site.hand.offers()] == ["reboot"]


def test_a_key_is_looked_at_only_after_the_permission(site: "Site") -> None:
    site.create("volume", size_gib=1, context=keyed(site))
    robbed = replace(keyed(site), actor=replace(site.actor, grants=()))

    with pytest.raises(StratoplaneError, match="lacks the permission"):
        site.create("volume", size_gib=1, context=robbed)


def test_a_dry_run_answers_the_plan_and_keeps_nothing(site: "Site") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    before, used = site.everything(), site.used()

    plan = site.create(
        "virtual_machine", name="trial", network_ids=[network.resource["id"]], context=site.context(dry_run=True)
    )

    assert plan.resource["name"] == "trial"
    assert plan.plan == {
        "cluster": site.cluster,
        "quota": {"virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "storage_gib": 10},
        "steps": ["await_targets", "provision"],
    }
    assert (site.everything(), site.used()) == (before, used)
    site.check_accounts()


def test_a_dry_run_is_refused_as_the_request_would_be(site: "Site") -> None:
    site.create("volume", name="data", size_gib=1)
    with pytest.raises(NameTakenError):
        site.create("volume", name="data", size_gib=1, context=site.context(dry_run=True))


def test_a_dry_run_neither_uses_up_nor_replays_a_key(site: "Site") -> None:
    dry = replace(keyed(site), dry_run=True)
    site.create("volume", name="data", size_gib=1, context=dry)
    real = site.create("volume", name="data", size_gib=1, context=keyed(site))
    assert not real.replayed

    rehearsed = site.create("volume", name="other", size_gib=1, context=dry)

    assert (rehearsed.replayed, rehearsed.resource["name"]) == (False, "other")


def test_changes_deletions_and_actions_can_be_rehearsed_too(site: "Site") -> None:
    machine = site.made("virtual_machine")
    before, shown, dry = site.everything(), site.get(machine), site.context(dry_run=True)

    assert site.update(machine, power="STOPPED", context=dry).resource["status"] == "UPDATING"
    assert site.delete(machine, context=dry).resource["status"] == "DELETING"
    assert site.act(machine, "reboot", context=dry).job is not None

    assert (site.everything(), site.get(machine)) == (before, shown)
