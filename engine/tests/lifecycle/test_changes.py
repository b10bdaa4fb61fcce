# SPDX-License-Identifier: Apache-2.0
"""Changes of what exists: what is accepted, what the driver is asked, and what becomes of a change that fails."""

from dataclasses import replace
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


def test_power_is_changed_by_one_update(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    accepted = tenant.update(machine, power="STOPPED")
    assert accepted.resource.status == "UPDATING"
    assert accepted.job is not None
    assert accepted.job.kind == "virtual_machine.stop"
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked))

    assert [(verb, spec["power"]) for verb, spec in asked] == [("update", "STOPPED")]
    assert tenant.get(machine).status == tenant.get(machine).spec.power == "STOPPED"


def test_without_a_difference_nothing_happens(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="web", labels={"env": "prod"})
    before, shown = tenant.everything(), tenant.get(machine)

    patches: list[dict[str, Any]] = [
        {},
        {"name": "web"},
        {"power": "RUNNING"},
        {"flavor": tenant.flavor},
        {"labels": {"env": "prod"}},
    ]
    for patch in patches:
        answer = tenant.update(machine, **patch)
        assert (answer.resource, answer.job) == (shown, None)

    assert tenant.everything() == before


def test_labels_are_changed_at_once_without_a_job(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    answer = tenant.update(volume, labels={"env": "prod"})

    assert answer.job is None
    assert answer.resource.version == volume_version(tenant, volume)
    assert tenant.get(volume).labels == {"env": "prod"}
    assert (tenant.get(volume).status, tenant.get(volume).generation) == ("ACTIVE", 1)


def volume_version(tenant: "TenantWorld", volume: ChangeResult) -> int:
    return int(tenant.get(volume).version)


def test_a_version_that_was_read_too_long_ago(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    version = volume_version(tenant, volume)
    tenant.update(volume, labels={"env": "prod"}, context=tenant.context(if_version=version))
    before = tenant.everything()

    outdated, said = tenant.context(if_version=version), f"is at version {version + 1}, you read {version}"
    with pytest.raises(VersionMismatchError, match=said):
        tenant.update(volume, labels={}, context=outdated)
    with pytest.raises(VersionMismatchError, match=said):
        tenant.delete(volume, context=outdated)

    assert tenant.everything() == before


def test_the_version_that_the_answer_shows_is_the_one_to_send_next(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    for size in (2, 3):
        version = int(str(tenant.get(volume).version))
        answer = tenant.update(volume, size_gib=size, context=tenant.context(if_version=version))
        # What its job waits for is told when somebody looks.
        assert answer.resource == replace(tenant.get(volume), detail=answer.resource.detail)


def test_volumes_only_grow(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=5)
    with pytest.raises(InvalidSpecError, match="the volume has 5 GiB; volumes only grow"):
        tenant.update(volume, size_gib=4)
    tenant.update(volume, size_gib=7)
    assert tenant.used()["storage_gib"] == 7
    tenant.settle()
    assert tenant.get(volume).spec.size_gib == 7
    tenant.check_accounts()


@pytest.mark.parametrize(("limit", "error"), [("quota", QuotaExceededError), ("cluster", NoClusterError)])
def test_growth_needs_room(tenant: "TenantWorld", limit: str, error: type[Exception]) -> None:
    volume = tenant.made("volume", size_gib=5)
    if limit == "quota":
        tenant.limit("storage_gib", 6)
    else:
        tenant.execute("UPDATE cluster SET storage_gib_total = 6 WHERE id = :id", id=tenant.cluster_id)
    before, shown = tenant.everything(), tenant.get(volume)

    with pytest.raises(error):
        tenant.update(volume, size_gib=7)

    assert (tenant.everything(), tenant.get(volume)) == (before, shown)
    tenant.check_accounts()


def test_a_resize_comes_before_the_rest_of_the_change(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    large = tenant.add_flavor("large", 4, 4096, 20)
    tenant.update(machine, flavor=large, power="STOPPED")
    assert (tenant.used()["vcpus"], tenant.used()["storage_gib"]) == (4, 20)
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked))

    assert [(verb, spec["vcpus"], spec["root_gib"]) for verb, spec in asked] == [("resize", 4, 20), ("update", 4, 20)]
    made = tenant.get(machine)
    assert (made.spec.flavor, made.spec.vcpus, made.spec.memory_mib, made.spec.disk_gib) == (large, 4, 4096, 20)
    tenant.check_accounts()


def test_disks_do_not_shrink(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    with pytest.raises(InvalidSpecError, match="disks only grow"):
        tenant.update(machine, flavor=tenant.add_flavor("thin", 4, 4096, 9))


def test_a_resize_needs_a_cluster_that_can(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    large = tenant.add_flavor("large", 4, 4096, 20)
    tenant.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=tenant.cluster_id)

    with pytest.raises(FeatureUnsupportedError) as caught:
        tenant.update(machine, flavor=large)
    assert caught.value.payload() == {"feature": "resize", "cluster": tenant.cluster}
    tenant.update(machine, power="STOPPED")


def test_what_a_smaller_size_sets_free_is_given_back_when_it_is_free(tenant: "TenantWorld") -> None:
    large = tenant.add_flavor("large", 4, 4096, 10)
    machine = tenant.made("virtual_machine", flavor=large)
    tenant.update(machine, flavor=tenant.flavor)
    assert (tenant.used()["vcpus"], tenant.used()["memory_mib"]) == (4, 4096)
    tenant.check_accounts()

    tenant.settle()

    assert (tenant.used()["vcpus"], tenant.used()["memory_mib"]) == (1, 1024)
    tenant.check_accounts()


def test_a_failed_resize_leaves_the_machine_as_it_was(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="web")
    before = tenant.get(machine)
    change = tenant.update(machine, flavor=tenant.add_flavor("large", 4, 4096, 20), name="api", power="STOPPED")
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked, "update"))

    assert [(verb, spec["vcpus"], spec["power"], spec["name"]) for verb, spec in asked] == [
        ("resize", 4, "STOPPED", "api"), ("update", 4, "STOPPED", "api"),
        ("update", 1, "RUNNING", "web"), ("resize", 1, "RUNNING", "web"),
    ]  # fmt: skip
    after = tenant.get(machine)
    assert (after.name, after.status, after.spec) == (before.name, before.status, before.spec)
    assert after.detail == "the provider has not enough room; choose a smaller size or another cluster"
    job = tenant.job(change)
    assert job.error is not None
    assert (job.state, job.error.code, job.error.step) == ("FAILED", "no_capacity_at_provider", "apply")
    assert tenant.used()["vcpus"] == 1
    tenant.check_accounts()


def test_what_cannot_be_undone_is_recorded(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    change = tenant.update(machine, power="STOPPED")

    tenant.settle(tenant.agent.recording([], "update", "update"))

    error = tenant.job(change).error
    assert error is not None
    assert error.leaks == ("stop",)


def test_a_failed_rename_keeps_the_new_name_when_the_old_one_was_taken_meanwhile(tenant: "TenantWorld") -> None:
    volume, other = tenant.made("volume", name="a", size_gib=1), tenant.made("volume", name="x", size_gib=1)
    rename, growth = tenant.update(volume, name="b"), tenant.update(other, size_gib=2)
    tenant.create("volume", name="a", size_gib=1)

    tenant.settle(lambda each: tenant.agent.failed(each) if each.spec.get("name") == "b" else tenant.agent.done(each))

    assert (tenant.job(rename).state, tenant.job(growth).state) == ("FAILED", "SUCCEEDED")
    assert (tenant.get(volume).name, tenant.get(volume).status) == ("b", "ACTIVE")


def test_a_new_name_must_be_free(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", name="a", size_gib=1)
    tenant.create("volume", name="b", size_gib=1)
    with pytest.raises(NameTakenError):
        tenant.update(volume, name="b")


def test_a_machine_can_be_stopped_on_a_drained_cluster_and_beside_a_lost_network(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    machine = tenant.made("virtual_machine", network_ids=[identifier(network)])
    tenant.execute("UPDATE cluster SET state = 'DRAINING', seen_at = NULL WHERE id = :id", id=tenant.cluster_id)
    tenant.execute("UPDATE resource SET status = 'LOST' WHERE id = :id", id=identifier(network))

    change = tenant.update(machine, power="STOPPED")
    tenant.settle()

    assert (tenant.job(change).state, tenant.get(machine).status) == ("SUCCEEDED", "STOPPED")


@pytest.mark.parametrize(
    ("status", "instead"),
    [("DELETING", "cancel the job that"), ("FAILED", "retry the job that failed"), ("LOST", "wait until it is found")],
)
def test_what_is_going_or_gone_wrong_says_what_can_be_done(tenant: "TenantWorld", status: str, instead: str) -> None:
    volume = tenant.made("volume", size_gib=1)
    tenant.execute("UPDATE resource SET status = :status WHERE id = :id", status=status, id=identifier(volume))

    with pytest.raises(StateConflictError, match=f"is {status}; {instead}"):
        tenant.update(volume, size_gib=2)


def test_what_was_deleted_cannot_be_changed(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="web")
    tenant.delete(machine)
    tenant.settle()
    with pytest.raises(ResourceDeletedError, match=r"virtual machine web was deleted at .*; create another one"):
        tenant.update(machine, power="STOPPED")


def test_what_others_own_is_not_there(tenant: "TenantWorld", other_tenant: "TenantWorld") -> None:
    volume = other_tenant.made("volume", size_gib=1, cluster=other_tenant.cluster)
    neighbour = tenant.neighbour()
    near = neighbour.made("volume", size_gib=1, cluster=tenant.cluster)
    for foreign in (volume, near):
        for attempt in (tenant.get, tenant.update, tenant.delete):
            with pytest.raises(ResourceNotFoundError):
                attempt(foreign)


def test_a_machines_card_stays_the_same_through_every_change(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    machine = tenant.made("virtual_machine", network_ids=[identifier(network)])
    card = tenant.row(machine)["observed"]["addresses"][0]["mac"]
    asked: list[tuple[str, Any]] = []
    tenant.update(machine, power="STOPPED")
    tenant.settle(tenant.agent.recording(asked))

    assert asked[0][1]["interfaces"] == [{"network_uid": identifier(network), "mac": card}]
    assert UUID(asked[0][1]["uid"]) == UUID(identifier(machine))
