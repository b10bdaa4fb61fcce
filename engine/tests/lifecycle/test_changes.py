# SPDX-License-Identifier: Apache-2.0
"""Changes of what exists: what is accepted, what the driver is asked, and what becomes of a change that fails."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from stratoplane.errors import (
    FeatureUnsupportedError,
    InvalidSpecError,
    NameTakenError,
    NoClusterError,
    QuotaExceededError,
    ResourceDeletedError,
    ResourceNotFoundError,
    StateConflictError,
    VersionMismatchError,
)
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def identifier(made: ChangeResult) -> str:
    return str(made.resource.id)


def test_power_is_changed_by_one_update(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    accepted = site.update(machine, power="STOPPED")
    assert accepted.resource.status == "UPDATING"
    assert accepted.job is not None
    assert accepted.job.kind == "virtual_machine.update"
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked))

    assert [(verb, spec["power"]) for verb, spec in asked] == [("update", "STOPPED")]
    assert site.get(machine).status == site.get(machine).spec.power == "STOPPED"


def test_without_a_difference_nothing_happens(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="web", labels={"env": "prod"})
    before, shown = site.everything(), site.get(machine)

    patches: list[dict[str, Any]] = [
        {},
        {"name": "web"},
        {"power": "RUNNING"},
        {"flavor": site.flavor},
        {"labels": {"env": "prod"}},
    ]
    for patch in patches:
        answer = site.update(machine, **patch)
        assert (answer.resource, answer.job) == (shown, None)

    assert site.everything() == before


def test_labels_are_changed_at_once_without_a_job(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    answer = site.update(volume, labels={"env": "prod"})

    assert answer.job is None
    assert answer.resource.version == volume_version(site, volume)
    assert site.get(volume).labels == {"env": "prod"}
    assert (site.get(volume).status, site.get(volume).generation) == ("ACTIVE", 1)


def volume_version(site: "TenantWorld", volume: ChangeResult) -> int:
    return int(site.get(volume).version)


def test_a_version_that_was_read_too_long_ago(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    version = volume_version(site, volume)
    site.update(volume, labels={"env": "prod"}, context=site.context(if_version=version))
    before = site.everything()

    outdated, said = site.context(if_version=version), f"is at version {version + 1}, you read {version}"
    with pytest.raises(VersionMismatchError, match=said):
        site.update(volume, labels={}, context=outdated)
    with pytest.raises(VersionMismatchError, match=said):
        site.delete(volume, context=outdated)

    assert site.everything() == before


def test_the_version_that_the_answer_shows_is_the_one_to_send_next(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=1)
    for size in (2, 3):
        version = int(str(site.get(volume).version))
        answer = site.update(volume, size_gib=size, context=site.context(if_version=version))
        assert answer.resource == site.get(volume)


def test_volumes_only_grow(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=5)
    with pytest.raises(InvalidSpecError, match="the volume has 5 GiB; volumes only grow"):
        site.update(volume, size_gib=4)
    site.update(volume, size_gib=7)
    assert site.used()["storage_gib"] == 7
    site.settle()
    assert site.get(volume).spec.size_gib == 7
    site.check_accounts()


@pytest.mark.parametrize(("limit", "error"), [("quota", QuotaExceededError), ("cluster", NoClusterError)])
def test_growth_needs_room(site: "TenantWorld", limit: str, error: type[Exception]) -> None:
    volume = site.made("volume", size_gib=5)
    if limit == "quota":
        site.limit("storage_gib", 6)
    else:
        site.execute("UPDATE cluster SET storage_gib_total = 6 WHERE id = :id", id=site.cluster_id)
    before, shown = site.everything(), site.get(volume)

    with pytest.raises(error):
        site.update(volume, size_gib=7)

    assert (site.everything(), site.get(volume)) == (before, shown)
    site.check_accounts()


def test_a_resize_comes_before_the_rest_of_the_change(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    large = site.add_flavor("large", 4, 4096, 20)
    site.update(machine, flavor=large, power="STOPPED")
    assert (site.used()["vcpus"], site.used()["storage_gib"]) == (4, 20)
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked))

    assert [(verb, spec["vcpus"], spec["root_gib"]) for verb, spec in asked] == [("resize", 4, 20), ("update", 4, 20)]
    made = site.get(machine)
    assert (made.spec.flavor, made.spec.vcpus, made.spec.memory_mib, made.spec.disk_gib) == (large, 4, 4096, 20)
    site.check_accounts()


def test_disks_do_not_shrink(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    with pytest.raises(InvalidSpecError, match="disks only grow"):
        site.update(machine, flavor=site.add_flavor("thin", 4, 4096, 9))


def test_a_resize_needs_a_cluster_that_can(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    large = site.add_flavor("large", 4, 4096, 20)
    site.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=site.cluster_id)

    with pytest.raises(FeatureUnsupportedError) as caught:
        site.update(machine, flavor=large)
    assert caught.value.payload() == {"feature": "resize", "cluster": site.cluster}
    site.update(machine, power="STOPPED")


def test_what_a_smaller_size_sets_free_is_given_back_when_it_is_free(site: "TenantWorld") -> None:
    large = site.add_flavor("large", 4, 4096, 10)
    machine = site.made("virtual_machine", flavor=large)
    site.update(machine, flavor=site.flavor)
    assert (site.used()["vcpus"], site.used()["memory_mib"]) == (4, 4096)
    site.check_accounts()

    site.settle()

    assert (site.used()["vcpus"], site.used()["memory_mib"]) == (1, 1024)
    site.check_accounts()


def test_a_failed_resize_leaves_the_machine_as_it_was(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="web")
    before = site.get(machine)
    change = site.update(machine, flavor=site.add_flavor("large", 4, 4096, 20), name="api", power="STOPPED")
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked, "update"))

    assert [(verb, spec["vcpus"], spec["power"], spec["name"]) for verb, spec in asked] == [
        ("resize", 4, "STOPPED", "api"), ("update", 4, "STOPPED", "api"),
        ("update", 1, "RUNNING", "web"), ("resize", 1, "RUNNING", "web"),
    ]  # fmt: skip
    after = site.get(machine)
    assert (after.name, after.status, after.spec) == (before.name, before.status, before.spec)
    assert after.detail == "no room"
    job = site.job(change)
    assert job.error is not None
    assert (job.state, job.error.code, job.error.step) == ("FAILED", "no_capacity_at_provider", "apply")
    assert site.used()["vcpus"] == 1
    site.check_accounts()


def test_what_cannot_be_undone_is_recorded(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    change = site.update(machine, power="STOPPED")

    site.settle(site.hand.recording([], "update", "update"))

    error = site.job(change).error
    assert error is not None
    assert error.leaks == ("apply",)


def test_a_failed_rename_keeps_the_new_name_when_the_old_one_was_taken_meanwhile(site: "TenantWorld") -> None:
    volume, other = site.made("volume", name="a", size_gib=1), site.made("volume", name="x", size_gib=1)
    rename, growth = site.update(volume, name="b"), site.update(other, size_gib=2)
    site.create("volume", name="a", size_gib=1)

    site.settle(lambda each: site.hand.failed(each) if each.spec.get("name") == "b" else site.hand.done(each))

    assert (site.job(rename).state, site.job(growth).state) == ("FAILED", "SUCCEEDED")
    assert (site.get(volume).name, site.get(volume).status) == ("b", "ACTIVE")


def test_a_new_name_must_be_free(site: "TenantWorld") -> None:
    volume = site.made("volume", name="a", size_gib=1)
    site.create("volume", name="b", size_gib=1)
    with pytest.raises(NameTakenError):
        site.update(volume, name="b")


def test_a_machine_can_be_stopped_on_a_drained_cluster_and_beside_a_lost_network(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    machine = site.made("virtual_machine", network_ids=[identifier(network)])
    site.execute("UPDATE cluster SET state = 'DRAINING', seen_at = NULL WHERE id = :id", id=site.cluster_id)
    site.execute("UPDATE resource SET status = 'LOST' WHERE id = :id", id=identifier(network))

    change = site.update(machine, power="STOPPED")
    site.settle()

    assert (site.job(change).state, site.get(machine).status) == ("SUCCEEDED", "STOPPED")


@pytest.mark.parametrize("status", ["DELETING", "FAILED", "LOST"])
def test_what_is_going_or_gone_wrong_cannot_be_changed(site: "TenantWorld", status: str) -> None:
    volume = site.made("volume", size_gib=1)
    site.execute("UPDATE resource SET status = :status WHERE id = :id", status=status, id=identifier(volume))

    with pytest.raises(StateConflictError, match=f"is {status}; it can only be deleted"):
        site.update(volume, size_gib=2)


def test_what_was_deleted_cannot_be_changed(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", name="web")
    site.delete(machine)
    site.settle()
    with pytest.raises(ResourceDeletedError, match=r"virtual machine web was deleted at .*; create another one"):
        site.update(machine, power="STOPPED")


def test_what_others_own_is_not_there(site: "TenantWorld", other_site: "TenantWorld") -> None:
    volume = other_site.made("volume", size_gib=1, cluster=other_site.cluster)
    neighbour = site.neighbour()
    near = neighbour.made("volume", size_gib=1, cluster=site.cluster)
    for foreign in (volume, near):
        for attempt in (site.get, site.update, site.delete):
            with pytest.raises(ResourceNotFoundError):
                attempt(foreign)


def test_a_machines_card_stays_the_same_through_every_change(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    machine = site.made("virtual_machine", network_ids=[identifier(network)])
    card = site.row(machine)["observed"]["addresses"][0]["mac"]
    asked: list[tuple[str, Any]] = []
    site.update(machine, power="STOPPED")
    site.settle(site.hand.recording(asked))

    assert asked[0][1]["interfaces"] == [{"network_uid": identifier(network), "mac": card}]
    assert UUID(asked[0][1]["uid"]) == UUID(identifier(machine))
