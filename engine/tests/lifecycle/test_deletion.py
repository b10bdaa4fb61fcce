# SPDX-License-Identifier: Apache-2.0
"""Deletions: what they wait for, what stands in their way, and what they give back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import InUseError, ResourceDeletedError
from stratoplane.messages import Outcome
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("network", {"cidr": "10.1.0.0/24"}),
        ("volume", {"size_gib": 1}),
        ("bucket", {}),
        ("virtual_machine", {}),
    ],
)
def test_a_deletion_takes_the_object_away_and_gives_everything_back(
    tenant: "TenantWorld", kind: str, body: dict[str, Any]
) -> None:
    made = tenant.made(kind, **body)
    deletion = tenant.delete(made)
    assert deletion.resource.status == "DELETING"
    assert tenant.used() != {}
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked))

    assert [verb for verb, _ in asked] == ["delete"]
    assert tenant.job(deletion).state == "SUCCEEDED"
    assert tenant.used() == {}
    with pytest.raises(ResourceDeletedError):
        tenant.get(made)
    tenant.check_accounts()


def test_a_key_pair_is_gone_at_once(tenant: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = tenant.create("key_pair", name="laptop", public_key=key)
    answer = tenant.delete(pair)

    assert (answer.job, answer.resource.status) == (None, "DELETED")
    assert tenant.used() == {}
    tenant.create("key_pair", name="laptop", public_key=key)


def test_a_second_deletion_answers_the_job_of_the_first(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    first, before = tenant.delete(volume), tenant.everything()

    second = tenant.delete(volume)

    assert tenant.job_id(second) == tenant.job_id(first)
    assert tenant.everything() == before


def test_two_deletions_at_once_are_one(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: tenant.delete(volume), range(4)))

    assert len({tenant.job_id(answer) for answer in answers}) == 1
    tenant.settle()
    tenant.check_accounts()


def test_what_others_use_stays(tenant: "TenantWorld") -> None:
    network, volume = tenant.made("network", name="inside", cidr="10.1.0.0/24"), tenant.made("volume", size_gib=1)
    ids = {"network_ids": [network.resource.id], "volume_ids": [volume.resource.id]}
    machine = tenant.made("virtual_machine", name="web", **ids)
    before = tenant.everything()

    for used in (network, volume):
        with pytest.raises(InUseError, match="is used by virtual machine web; delete or detach") as caught:
            tenant.delete(used)
        assert caught.value.used_by == ("virtual machine web",)
    assert tenant.everything() == before

    tenant.delete(machine)
    with pytest.raises(InUseError):
        tenant.delete(network)
    tenant.settle()
    tenant.delete(network)
    tenant.delete(volume)
    tenant.settle()
    assert tenant.used() == {}


def test_a_deletion_while_the_create_is_under_way_comes_after_it(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.drain()
    (creation,) = tenant.agent.offers()
    tenant.agent.acknowledge(creation)
    deletion = tenant.delete(volume)
    assert tenant.drain() == 0

    tenant.agent.report(tenant.agent.done(creation))
    tenant.drain()
    assert tenant.get(volume).status == "DELETING"
    tenant.settle()

    assert (tenant.job(volume).state, tenant.job(deletion).state) == ("SUCCEEDED", "SUCCEEDED")
    assert tenant.row(volume)["status"] == "DELETED"
    tenant.check_accounts()


def test_a_deletion_does_not_wait_out_the_retries_of_the_create_that_it_makes_pointless(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.drain()
    tenant.agent.work(lambda operation: tenant.agent.failed(operation, Outcome.TRANSIENT))
    tenant.drain()
    tenant.execute(
        "UPDATE job SET next_run_at = next_run_at + interval '1 hour' WHERE id = :id", id=tenant.job_id(volume)
    )

    deletion = tenant.delete(volume)
    for _ in range(5):
        tenant.drain()
        tenant.agent.work()
    assert (tenant.job(volume).state, tenant.job(deletion).state) == ("CANCELLED", "SUCCEEDED")
    assert tenant.job(volume).cancelled_by == tenant.actor.name
    assert tenant.row(volume)["status"] == "DELETED"
    tenant.check_accounts()


def retrying(tenant: "TenantWorld", made: ChangeResult, outcome: Outcome) -> None:
    """Let the job's call fail so that it is tried again in an hour."""
    tenant.drain()
    tenant.agent.work(lambda operation: tenant.agent.failed(operation, outcome))
    tenant.drain()
    assert tenant.job(made).state == "RETRYING"
    later = "UPDATE job SET next_run_at = next_run_at + interval '1 hour' WHERE id = :id"
    tenant.execute(later, id=tenant.job_id(made))


def test_a_deletion_does_not_wait_out_the_retries_of_what_it_makes_pointless(tenant: "TenantWorld") -> None:
    wide = tenant.add_flavor("wide", 2, 2048, 20)
    changes: list[Callable[[ChangeResult], ChangeResult]] = [
        lambda machine: tenant.update(machine, power="STOPPED"),
        lambda machine: tenant.update(machine, flavor=wide),
        tenant.reboot,
        tenant.read_console,
    ]
    for change in changes:
        for outcome in (Outcome.TRANSIENT, Outcome.UNCERTAIN):
            machine = tenant.create("virtual_machine")
            tenant.settle()
            begun = change(machine)
            retrying(tenant, begun, outcome)
            queued = tenant.update(machine, name=f"{machine.resource.name}-2")

            deletion = tenant.delete(machine)
            asked: list[tuple[str, Any]] = []
            for _ in range(5):
                tenant.drain()
                tenant.agent.work(tenant.agent.recording(asked))
            states = [tenant.job(each).state for each in (begun, queued, deletion)]
            assert states == ["CANCELLED", "CANCELLED", "SUCCEEDED"], (begun.job, outcome)
            # Nothing is put back before it is deleted, and nothing is tried again.
            assert [verb for verb, _ in asked] == ["delete"]
            assert tenant.row(machine)["status"] == "DELETED"
            tenant.check_accounts()
    assert tenant.rows("SELECT id FROM leak WHERE project_id = :id", id=tenant.project_id) == []


def test_a_deletion_waits_for_the_change_that_an_agent_executes(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.settle()
    change = tenant.update(volume, size_gib=2)
    tenant.drain()
    (call,) = tenant.agent.offers()
    tenant.agent.acknowledge(call)
    deletion = tenant.delete(volume)
    assert tenant.drain() == 0
    assert tenant.agent.offers() == ()

    # It failed and would be tried again: nobody wants that any more.
    tenant.agent.report(tenant.agent.failed(call, Outcome.UNCERTAIN))
    tenant.settle()
    assert (tenant.job(change).state, tenant.job(deletion).state) == ("CANCELLED", "SUCCEEDED")
    assert tenant.row(volume)["status"] == "DELETED"
    tenant.check_accounts()


def test_a_refused_deletion_lets_the_create_go_on(tenant: "TenantWorld") -> None:
    network = tenant.create("network", cidr="10.7.0.0/24")
    tenant.create("virtual_machine", network_ids=[network.resource.id])
    with pytest.raises(InUseError):
        tenant.delete(network)
    tenant.delete(tenant.create("volume", size_gib=1), context=tenant.context(dry_run=True))
    tenant.settle()
    assert tenant.job(network).state == "SUCCEEDED"
    assert tenant.rows("SELECT id FROM job WHERE cancelled_by <> '' AND project_id = :id", id=tenant.project_id) == []


def test_a_deletion_behind_a_create_that_failed_ends_well_and_there_is_only_one(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.drain()
    (creation,) = tenant.agent.offers()
    tenant.agent.acknowledge(creation)
    deletion = tenant.delete(volume)
    tenant.agent.report(tenant.agent.failed(creation))
    tenant.drain()
    tenant.agent.work()
    tenant.drain()
    assert tenant.get(volume).status == "DELETING"
    assert tenant.used() == {}
    assert tenant.job_id(tenant.delete(volume)) == tenant.job_id(deletion)

    tenant.settle()

    assert (tenant.job(volume).state, tenant.job(deletion).state) == ("FAILED", "SUCCEEDED")
    assert tenant.row(volume)["status"] == "DELETED"
    tenant.check_accounts()


def test_a_change_that_a_deletion_overtook_is_not_begun(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    first, second = tenant.update(machine, power="STOPPED"), tenant.update(machine, name="other")
    tenant.drain()
    (operation,) = tenant.agent.offers()
    deletion = tenant.delete(machine)
    tenant.agent.report(tenant.agent.done(operation))
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked))

    assert [verb for verb, _ in asked] == ["delete"]
    assert [tenant.job(each).state for each in (first, second, deletion)] == ["CANCELLED", "CANCELLED", "SUCCEEDED"]
    assert tenant.used() == {}
    tenant.check_accounts()


def test_a_failed_deletion_keeps_the_quota_and_can_be_asked_for_again(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    deletion, used = tenant.delete(volume), tenant.used()
    tenant.settle(tenant.agent.failed)

    assert tenant.get(volume).status == "FAILED"
    assert tenant.get(volume).detail.startswith("the provider could not do it; try again later")
    job = tenant.job(deletion)
    assert job.error is not None
    assert (job.state, job.error.step, job.error.leaks) == ("FAILED", "remove", None)
    assert [step.state for step in job.steps] == ["FAILED"]
    assert tenant.used() == used

    tenant.delete(volume)
    tenant.settle()
    assert tenant.row(volume)["status"] == "DELETED"
    assert tenant.used() == {}


def test_what_never_came_to_be_can_be_deleted(tenant: "TenantWorld") -> None:
    volume = tenant.create("volume", size_gib=1)
    tenant.settle(lambda each: tenant.agent.failed(each) if each.verb == "create" else tenant.agent.done(each))
    tenant.delete(volume)
    tenant.settle()

    assert tenant.row(volume)["status"] == "DELETED"
    tenant.check_accounts()


def test_every_state_of_a_resource_is_kept_as_a_revision(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    tenant.update(volume, size_gib=2)
    tenant.settle()
    tenant.delete(volume)
    tenant.settle()

    revisions = tenant.rows(
        "SELECT status, generation, (spec->>'size_gib')::int AS size, quota_usage FROM resource_revision"
        " WHERE resource_id = :id ORDER BY sequence",
        id=volume.resource.id,
    )
    assert [(row["status"], row["generation"], row["size"]) for row in revisions] == [
        ("PENDING", 1, 1), ("ACTIVE", 1, 1), ("UPDATING", 2, 2), ("ACTIVE", 2, 2), ("DELETING", 3, 2), ("DELETED", 3, 2)
    ]  # fmt: skip
    assert revisions[-1]["quota_usage"] == {}
