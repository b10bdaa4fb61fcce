# SPDX-License-Identifier: Apache-2.0
"""Deletions: what they wait for, what stands in their way, and what they give back."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import InUseError, ResourceDeletedError

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
    site: "TenantWorld", kind: str, body: dict[str, Any]
) -> None:
    made = site.made(kind, **body)
    deletion = site.delete(made)
    assert deletion.resource.status == "DELETING"
    assert site.used() != {}
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked))

    assert [verb for verb, _ in asked] == ["delete"]
    assert site.job(deletion).state == "SUCCEEDED"
    assert site.used() == {}
    with pytest.raises(ResourceDeletedError):
        site.get(made)
    site.check_accounts()


def test_a_key_pair_is_gone_at_once(site: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = site.create("key_pair", name="laptop", public_key=key)
    answer = site.delete(pair)

    assert (answer.job, answer.resource.status) == (None, "DELETED")
    assert site.used() == {}
    site.create("key_pair", name="laptop", public_key=key)


def test_a_second_deletion_answers_the_job_of_the_first(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    first, before = site.delete(volume), site.everything()

    second = site.delete(volume)

    assert site.job_id(second) == site.job_id(first)
    assert site.everything() == before


def test_two_deletions_at_once_are_one(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: site.delete(volume), range(4)))

    assert len({site.job_id(answer) for answer in answers}) == 1
    site.settle()
    site.check_accounts()


def test_what_others_use_stays(site: "TenantWorld") -> None:
    network, volume = site.made("network", name="inside", cidr="10.1.0.0/24"), site.made("volume", size_gib=1)
    ids = {"network_ids": [network.resource.id], "volume_ids": [volume.resource.id]}
    machine = site.made("virtual_machine", name="web", **ids)
    before = site.everything()

    for used in (network, volume):
        with pytest.raises(InUseError, match="is used by virtual machine web; delete or detach") as caught:
            site.delete(used)
        assert caught.value.used_by == ("virtual machine web",)
    assert site.everything() == before

    site.delete(machine)
    with pytest.raises(InUseError):
        site.delete(network)
    site.settle()
    site.delete(network)
    site.delete(volume)
    site.settle()
    assert site.used() == {}


def test_a_deletion_while_the_create_is_under_way_comes_after_it(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=1)
    site.drain()
    (creation,) = site.hand.offers()
    deletion = site.delete(volume)
    assert site.drain() == 0

    site.hand.report(site.hand.done(creation))
    site.drain()
    assert site.get(volume).status == "DELETING"
    site.settle()

    assert (site.job(volume).state, site.job(deletion).state) == ("SUCCEEDED", "SUCCEEDED")
    assert site.row(volume)["status"] == "DELETED"
    site.check_accounts()


def test_a_deletion_behind_a_create_that_failed_ends_well_and_there_is_only_one(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=1)
    site.drain()
    (creation,) = site.hand.offers()
    deletion = site.delete(volume)
    site.hand.report(site.hand.failed(creation))
    site.drain()
    site.hand.work()
    site.drain()
    assert site.get(volume).status == "DELETING"
    assert site.used() == {}
    assert site.job_id(site.delete(volume)) == site.job_id(deletion)

    site.settle()

    assert (site.job(volume).state, site.job(deletion).state) == ("FAILED", "SUCCEEDED")
    assert site.row(volume)["status"] == "DELETED"
    site.check_accounts()


def test_a_change_that_a_deletion_overtook_is_not_begun(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    first, second = site.update(machine, power="STOPPED"), site.update(machine, name="other")
    site.drain()
    (operation,) = site.hand.offers()
    deletion = site.delete(machine)
    site.hand.report(site.hand.done(operation))
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked))

    assert [verb for verb, _ in asked] == ["delete"]
    assert [site.job(each).state for each in (first, second, deletion)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert site.used() == {}
    site.check_accounts()


def test_a_failed_deletion_keeps_the_quota_and_can_be_asked_for_again(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    deletion, used = site.delete(volume), site.used()
    site.settle(site.hand.failed)

    assert (site.get(volume).status, site.get(volume).detail) == ("FAILED", "no")
    job = site.job(deletion)
    assert job.error is not None
    assert (job.state, job.error.step, job.error.leaks) == ("FAILED", "remove", None)
    assert [step.state for step in job.steps] == ["FAILED"]
    assert site.used() == used

    site.delete(volume)
    site.settle()
    assert site.row(volume)["status"] == "DELETED"
    assert site.used() == {}


def test_what_never_came_to_be_can_be_deleted(site: "TenantWorld") -> None:
    volume = site.create("volume", size_gib=1)
    site.settle(lambda each: site.hand.failed(each) if each.verb == "create" else site.hand.done(each))
    site.delete(volume)
    site.settle()

    assert site.row(volume)["status"] == "DELETED"
    site.check_accounts()


def test_every_state_of_a_resource_is_kept_as_a_revision(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    site.update(volume, size_gib=2)
    site.settle()
    site.delete(volume)
    site.settle()

    revisions = site.rows(
        "SELECT status, generation, (spec->>'size_gib')::int AS size, quota_usage FROM resource_revision"
        " WHERE resource_id = :id ORDER BY sequence",
        id=volume.resource.id,
    )
    assert [(row["status"], row["generation"], row["size"]) for row in revisions] == [
        ("PENDING", 1, 1), ("ACTIVE", 1, 1), ("UPDATING", 2, 2), ("ACTIVE", 2, 2), ("DELETING", 3, 2), ("DELETED", 3, 2)
    ]  # fmt: skip
    assert revisions[-1]["quota_usage"] == {}
