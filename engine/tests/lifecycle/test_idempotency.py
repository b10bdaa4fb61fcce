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
from stratoplane_engine.model.change import ChangePlan, ChangeResult, IdempotencyKey

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def keyed(tenant: "TenantWorld", key: str = "key-1", fingerprint: str = "same") -> RequestContext:
    return tenant.context(idempotency=IdempotencyKey(key=key, fingerprint=fingerprint))


def same(first: ChangeResult, second: ChangeResult) -> bool:
    return (first.resource, first.job) == (second.resource, second.job)


def test_the_same_key_and_request_gets_the_same_answer_and_no_second_effect(tenant: "TenantWorld") -> None:
    first = tenant.create("volume", name="data", size_gib=1, context=keyed(tenant))
    before = tenant.everything()
    tenant.settle()

    second = tenant.create("volume", name="data", size_gib=1, context=keyed(tenant))

    assert same(first, second)
    assert (first.replayed, second.replayed) == (False, True)
    assert tenant.everything()["resource"] == before["resource"]
    tenant.check_accounts()


def test_the_same_key_with_another_request_is_refused(tenant: "TenantWorld") -> None:
    tenant.create("volume", size_gib=1, context=keyed(tenant))
    with pytest.raises(IdempotencyMismatchError, match="'key-1' was used with another request; make a new key"):
        tenant.create("volume", size_gib=2, context=keyed(tenant, fingerprint="other"))


def test_keys_are_those_of_the_caller(tenant: "TenantWorld") -> None:
    first = tenant.create("volume", size_gib=1, context=keyed(tenant))
    somebody = replace(keyed(tenant, fingerprint="other"), actor=replace(tenant.actor, id=uuid4()))

    assert not same(first, tenant.create("volume", size_gib=1, context=somebody))


@pytest.mark.parametrize("name", ["same-name", ""])
def test_many_requests_with_one_key_at_once_make_one_resource(tenant: "TenantWorld", name: str) -> None:
    def create(_: int) -> ChangeResult:
        named = {"name": name} if name else {}
        return tenant.create("volume", size_gib=1, context=keyed(tenant), **named)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(create, range(6)))

    assert all(same(answers[0], answer) for answer in answers)
    assert sum(not answer.replayed for answer in answers) == 1
    assert tenant.used() == {"volumes": 1, "storage_gib": 1}
    tenant.check_accounts()


def test_many_requests_with_one_key_at_once_for_the_last_place_in_the_quota(tenant: "TenantWorld") -> None:
    tenant.limit("volumes", 1)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: tenant.create("volume", size_gib=1, context=keyed(tenant)), range(6)))

    assert all(same(answers[0], answer) for answer in answers)


def test_a_refused_request_keeps_nothing_under_its_key(tenant: "TenantWorld") -> None:
    tenant.limit("volumes", 0)
    with pytest.raises(QuotaExceededError):
        tenant.create("volume", size_gib=1, context=keyed(tenant))
    tenant.limit("volumes", 1)

    assert not tenant.create("volume", size_gib=1, context=keyed(tenant)).replayed


def test_a_key_whose_time_is_over_is_new_again_before_it_is_swept(tenant: "TenantWorld") -> None:
    first = tenant.create("volume", size_gib=1, context=keyed(tenant))
    tenant.execute("UPDATE idempotency SET expires_at = clock_timestamp() - interval '1 second'")

    second = tenant.create("volume", size_gib=1, context=keyed(tenant, fingerprint="other"))

    assert not second.replayed
    assert not same(first, second)
    assert same(second, tenant.create("volume", size_gib=1, context=keyed(tenant, fingerprint="other")))


def test_a_repeated_deletion_gets_its_first_answer_when_the_resource_is_gone(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    first = tenant.delete(volume, context=keyed(tenant))
    tenant.settle()
    with pytest.raises(ResourceDeletedError):
        tenant.delete(volume)

    assert same(first, tenant.delete(volume, context=keyed(tenant)))


def test_a_repeated_change_gets_its_first_answer_whatever_became_of_the_resource(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    context = replace(keyed(tenant), if_version=tenant.get(volume).version)
    first = tenant.update(volume, size_gib=2, context=context)
    assert same(first, tenant.update(volume, size_gib=2, context=context))
    tenant.settle()
    tenant.delete(volume)
    assert same(first, tenant.update(volume, size_gib=2, context=context))
    tenant.settle()
    assert same(first, tenant.update(volume, size_gib=2, context=context))


def test_a_change_that_changed_nothing_does_not_change_anything_later_either(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    nothing = tenant.update(machine, power="RUNNING", context=keyed(tenant))
    assert nothing.job is None
    tenant.update(machine, power="STOPPED")
    tenant.settle()

    assert same(nothing, tenant.update(machine, power="RUNNING", context=keyed(tenant)))
    assert tenant.get(machine).spec.power == "STOPPED"


def test_a_repeated_reboot_is_one_reboot(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    first = tenant.reboot(machine, context=keyed(tenant))

    assert same(first, tenant.reboot(machine, context=keyed(tenant)))
    tenant.drain()
    assert [operation.verb for operation in tenant.agent.offers()] == ["reboot"]


def test_a_key_is_looked_at_only_after_the_permission(tenant: "TenantWorld") -> None:
    tenant.create("volume", size_gib=1, context=keyed(tenant))
    robbed = replace(keyed(tenant), actor=replace(tenant.actor, grants=()))

    with pytest.raises(StratoplaneError, match="lacks the permission"):
        tenant.create("volume", size_gib=1, context=robbed)


def test_a_dry_run_answers_the_plan_and_keeps_nothing(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    before, used = tenant.everything(), tenant.used()

    plan = tenant.create(
        "virtual_machine", name="trial", network_ids=[network.resource.id], context=tenant.context(dry_run=True)
    )

    assert plan.resource.name == "trial"
    assert plan.plan == ChangePlan(
        cluster=tenant.cluster,
        quota={"virtual_machines": 1, "vcpus": 1, "memory_mib": 1024, "storage_gib": 10},
        job_kind="virtual_machine.create",
        steps=("await_targets", "provision"),
    )
    assert (tenant.everything(), tenant.used()) == (before, used)
    tenant.check_accounts()


def test_a_dry_run_is_refused_as_the_request_would_be(tenant: "TenantWorld") -> None:
    tenant.create("volume", name="data", size_gib=1)
    with pytest.raises(NameTakenError):
        tenant.create("volume", name="data", size_gib=1, context=tenant.context(dry_run=True))


def test_a_dry_run_neither_uses_up_nor_replays_a_key(tenant: "TenantWorld") -> None:
    dry = replace(keyed(tenant), dry_run=True)
    tenant.create("volume", name="data", size_gib=1, context=dry)
    real = tenant.create("volume", name="data", size_gib=1, context=keyed(tenant))
    assert not real.replayed

    rehearsed = tenant.create("volume", name="other", size_gib=1, context=dry)

    assert (rehearsed.replayed, rehearsed.resource.name) == (False, "other")


def test_changes_deletions_and_actions_can_be_rehearsed_too(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    before, shown, dry = tenant.everything(), tenant.get(machine), tenant.context(dry_run=True)

    assert tenant.update(machine, power="STOPPED", context=dry).resource.status == "UPDATING"
    assert tenant.delete(machine, context=dry).resource.status == "DELETING"
    assert tenant.reboot(machine, context=dry).job is not None

    assert (tenant.everything(), tenant.get(machine)) == (before, shown)
