# SPDX-License-Identifier: Apache-2.0
"""An orphan is deleted, or becomes a resource under its own id, by a job; what is in the way is said."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from engine.tests.lifecycle.fake_agent import FakeAgent
from stratoplane.errors import (
    InvalidSpecError,
    NoClusterError,
    PermissionDeniedError,
    QuotaExceededError,
    ResourceNotFoundError,
    StateConflictError,
    StratoplaneError,
)
from stratoplane.ids import new_id
from stratoplane.messages import Operation, OperationResult, Outcome
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.model.change import ChangeResult, IdempotencyKey, JobResult
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import bootstrap, job_control, orphans
from stratoplane_engine.services.orphans import OrphanAdoption, OrphanDeletion

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

STATUS: Mapping[str, Mapping[str, Any]] = {
    "virtual_machine": {"vcpus": 1, "memory_mib": 1024, "power": "RUNNING", "addresses": [], "volume_uids": []},
    "network": {"cidr": "10.7.0.0/24", "gateway": "10.7.0.1", "mode": "NAT", "active": True},
    "volume": {"size_gib": 40},
    "bucket": {},
}


@pytest.fixture
def world(fresh_tenant: "TenantWorld") -> "TenantWorld":
    """A tenant of an installation that was bootstrapped."""
    bootstrap.bootstrap(fresh_tenant.database)
    return fresh_tenant


def show(tenant: "TenantWorld", kind: str = "volume", uid: UUID | None = None, **status: Any) -> UUID:
    """Let the cluster list one object that nobody knows, and the reconciler find it."""
    uid = uid or new_id()
    tenant.agent.list_inventory({uid: (kind, {"name": "stray", **STATUS[kind], **status})})
    reconcile(tenant.database)
    return uid


def delete(tenant: "TenantWorld", uid: UUID, name: str = "stray", **changes: Any) -> JobResult:
    wanted = OrphanDeletion(cluster_id=changes.pop("cluster_id", tenant.cluster_id), uid=uid, name=name)
    return orphans.delete_orphan(tenant.database, replace(tenant.operator(), **changes), wanted)


def adopt(tenant: "TenantWorld", uid: UUID, **more: Any) -> ChangeResult:
    context = more.pop("context", None) or tenant.operator()
    usual = {"cluster_id": tenant.cluster_id, "project_id": tenant.project_id, "name": "kept"}
    wanted = OrphanAdoption(uid=uid, **{**usual, **more})
    return orphans.adopt_orphan(tenant.database, tenant.plugins, context, wanted)


def listed(tenant: "TenantWorld") -> list[UUID]:
    return [each.uid for each in orphans.list_orphans(tenant.database, tenant.operator(), Page(limit=50)).items]


def incidents(tenant: "TenantWorld") -> list[str]:
    return [row["status"] for row in tenant.rows("SELECT status FROM incident WHERE kind = 'orphan'")]


def last_job(tenant: "TenantWorld") -> dict[str, Any]:
    return tenant.rows("SELECT kind, state, error, epoch FROM job ORDER BY id DESC LIMIT 1")[0]


@pytest.mark.parametrize("kind", STATUS)
def test_an_orphan_of_every_kind_is_deleted_by_a_job_that_closes_its_incident(world: "TenantWorld", kind: str) -> None:
    uid = show(world, kind)
    assert (listed(world), incidents(world)) == ([uid], ["OPEN"])
    accepted = delete(world, uid)
    assert (accepted.job.kind, accepted.job.resource_id, listed(world)) == (f"{kind}.clear", uid, [uid])
    asked: list[tuple[str, Any]] = []
    world.settle(world.agent.recording(asked))

    assert asked == [("delete", {})]
    assert last_job(world)["state"] == "SUCCEEDED"
    assert (listed(world), incidents(world)) == ([], ["RESOLVED"])
    audited = {row["action"] for row in world.rows("SELECT action FROM audit_event WHERE subject_id = :id", id=uid)}
    assert audited == {"operations:orphan:delete-accepted", "engine:job:succeeded"}
    reconcile(world.database)
    assert incidents(world) == ["RESOLVED"]
    world.check_accounts()


def test_an_orphan_that_is_still_there_after_all_is_one_again(world: "TenantWorld") -> None:
    uid = show(world)
    delete(world, uid)
    world.settle(world.agent.failed)
    job = last_job(world)
    assert (job["state"], listed(world), incidents(world)) == ("FAILED", [uid], ["OPEN"])

    delete(world, uid)
    world.settle()
    world.execute("UPDATE resource SET deleted_at = deleted_at - interval '1 minute' WHERE id = :id", id=uid)
    show(world, uid=uid)
    assert (listed(world), incidents(world)) == ([uid], ["OPEN"])


def test_an_object_whose_deleted_resource_is_known_is_deleted_in_its_own_project(world: "TenantWorld") -> None:
    made = world.made("volume", size_gib=3)
    world.delete(made)
    world.settle()
    world.execute("UPDATE resource SET deleted_at = deleted_at - interval '1 minute'")
    uid = show(world, uid=made.resource.id)
    accepted = delete(world, uid)
    assert (accepted.job.organization_id, accepted.job.project_id) == (world.organization_id, world.project_id)
    world.settle()
    assert listed(world) == []


def test_the_project_of_orphans_is_made_again_after_it_was_deleted(world: "TenantWorld") -> None:
    first = delete(world, show(world)).job.project_id
    world.settle()
    world.execute("UPDATE project SET deleted_at = clock_timestamp() WHERE id = :id", id=first)
    second = delete(world, show(world)).job.project_id

    assert second != first
    assert world.rows("SELECT name, deleted_at FROM project WHERE id = :id", id=second) == [
        {"name": "orphans", "deleted_at": None}
    ]


def test_what_stands_in_the_way_of_a_deletion_is_said(world: "TenantWorld") -> None:
    uid = show(world)
    with pytest.raises(InvalidSpecError, match="the object is called stray, not other"):
        delete(world, uid, "other")
    with pytest.raises(ResourceNotFoundError, match="lists no orphan"):
        delete(world, uuid4())
    with pytest.raises(ResourceNotFoundError, match="lists no orphan"):
        delete(world, uid, cluster_id=uuid4())
    with pytest.raises(PermissionDeniedError):
        orphans.delete_orphan(
            world.database, world.context(), OrphanDeletion(cluster_id=world.cluster_id, uid=uid, name="stray")
        )
    before = world.everything()
    delete(world, uid, dry_run=True)
    assert world.everything() == before
    world.agent.list_inventory({})
    with pytest.raises(ResourceNotFoundError, match="lists no orphan"):
        delete(world, uid)


def test_the_same_key_gets_the_same_job_and_another_one_a_refusal(world: "TenantWorld") -> None:
    uid = show(world)
    key = IdempotencyKey(key="k", fingerprint="f")
    first, again = delete(world, uid, idempotency=key), delete(world, uid, idempotency=key)
    assert (again.job.id, again.replayed) == (first.job.id, True)
    with pytest.raises(StateConflictError, match=r"works on volume .* already"):
        delete(world, uid)
    with pytest.raises(StateConflictError, match=r"works on volume .* already"):
        adopt(world, uid)


@pytest.mark.parametrize("actions", [(delete, delete), (adopt, adopt), (delete, adopt)])
def test_of_two_operators_at_once_one_gets_the_orphan(world: "TenantWorld", actions: tuple[Any, Any]) -> None:
    uid = show(world)

    def clear(act: Any) -> StratoplaneError | None:
        try:
            act(world, uid)
        except (StateConflictError, ResourceNotFoundError) as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        refused = list(pool.map(clear, actions))
    assert sum(each is None for each in refused) == 1
    assert len(world.rows("SELECT FROM job")) == 1
    world.settle()
    world.check_accounts()


def test_an_orphan_of_a_cluster_that_is_away_waits_for_its_agent_and_can_be_called_off(world: "TenantWorld") -> None:
    uid = show(world)
    world.execute("UPDATE cluster SET seen_at = clock_timestamp() - interval '1 day'")
    with pytest.raises(NoClusterError, match="has no agent connected"):
        adopt(world, uid)
    accepted = delete(world, uid)
    world.drain()
    assert last_job(world)["state"] in ("PENDING", "RUNNING")
    job_control.cancel_any(world.database, world.operator(), accepted.job.id)
    world.drain()
    assert (last_job(world)["state"], listed(world), incidents(world)) == ("CANCELLED", [uid], ["OPEN"])


def test_an_object_whose_resource_lives_on_another_cluster_is_not_touched(world: "TenantWorld") -> None:
    made = world.made("volume", size_gib=3, name="data")
    elsewhere, _ = world.add_cluster()
    agent: FakeAgent = world.hand_of(elsewhere)
    agent.list_inventory({made.resource.id: ("volume", {"name": "data", "size_gib": 3})})
    with pytest.raises(StateConflictError, match=f"is that of a resource on cluster {world.cluster}"):
        delete(world, made.resource.id, "data", cluster_id=elsewhere)
    with pytest.raises(StateConflictError, match="is that of a resource"):
        adopt(world, made.resource.id, cluster_id=elsewhere)


@pytest.mark.parametrize("kind", STATUS)
def test_an_adopted_orphan_is_a_resource_under_its_own_id(world: "TenantWorld", kind: str) -> None:
    uid = show(world, kind)
    words = {"flavor": world.flavor, "image": world.image} if kind == "virtual_machine" else {}
    accepted = adopt(world, uid, **words)
    assert accepted.resource.id == uid
    assert listed(world) == []
    asked: list[tuple[str, Any]] = []
    world.settle(world.agent.recording(asked))

    assert [verb for verb, _ in asked] == ["observe", "update"]
    assert (asked[1][1]["uid"], asked[1][1]["name"]) == (str(uid), "kept")
    resource = world.get(accepted)
    assert (resource.name, resource.status in ("ACTIVE", "RUNNING")) == ("kept", True)
    assert incidents(world) == ["RESOLVED"]
    assert world.used()[f"{kind}s"] == 1
    world.check_accounts()
    world.delete(accepted)
    world.settle()
    assert world.used() == {}


def test_a_machine_is_recovered_with_what_it_uses_and_as_its_flavor_says(world: "TenantWorld") -> None:
    network, volume = world.made("network", cidr="10.1.0.0/24"), world.made("volume", size_gib=3)
    card = {"network_uid": str(network.resource.id), "mac": "02:00:00:00:00:01", "address": "10.1.0.2"}
    uses: dict[str, Any] = {"addresses": [card], "volume_uids": [str(volume.resource.id)]}
    uid = show(world, "virtual_machine", **uses)
    with pytest.raises(InvalidSpecError, match="name the flavor"):
        adopt(world, uid)
    big = world.add_flavor("big", 8, 4096, 40)
    with pytest.raises(InvalidSpecError, match="vcpus of the object is 1, not 8"):
        adopt(world, uid, flavor=big, image=world.image)
    machine = adopt(world, uid, flavor=world.flavor, image=world.image)
    world.settle()
    spec = world.row(machine)["spec"]
    assert (spec["network_ids"], spec["volume_ids"]) == ([str(network.resource.id)], [str(volume.resource.id)])
    assert world.used()["storage_gib"] == 13
    links = world.rows("SELECT role FROM resource_link WHERE source_id = :id ORDER BY role", id=uid)
    assert [row["role"] for row in links] == ["interface", "volume"]


def test_an_orphan_that_vanished_is_not_made_again(world: "TenantWorld") -> None:
    uid = show(world)
    adopt(world, uid)

    def vanished(operation: Operation) -> OperationResult:
        assert operation.verb == "observe"
        return OperationResult(id=operation.id, epoch=operation.epoch, outcome=Outcome.DONE)

    world.settle(vanished)
    job = last_job(world)
    assert (job["state"], "no longer has the object" in job["error"]["detail"]) == ("FAILED", True)
    assert world.rows("SELECT status FROM resource") == [{"status": "DELETED"}]
    assert world.used() == {}
    world.check_accounts()


def test_what_could_not_be_adopted_can_be_adopted_later_in_the_same_project_or_deleted(world: "TenantWorld") -> None:
    uid = show(world)
    adopt(world, uid)
    world.settle(world.agent.failed)
    world.execute("UPDATE resource SET deleted_at = deleted_at - interval '1 minute'")
    show(world, uid=uid)
    assert listed(world) == [uid]
    with pytest.raises(StateConflictError, match="on record as deleted in project"):
        adopt(world, uid, project_id=world.neighbour().project_id)
    again = adopt(world, uid)
    world.settle()
    assert (world.get(again).status, world.row(again)["generation"]) == ("ACTIVE", 2)
    world.check_accounts()


def test_what_cannot_be_adopted_is_said_and_nothing_is_written(world: "TenantWorld") -> None:
    uid = show(world)
    before = world.everything()
    with pytest.raises(ResourceNotFoundError, match="there is no project"):
        adopt(world, uid, project_id=uuid4())
    world.limit("storage_gib", 39)
    with pytest.raises(QuotaExceededError):
        adopt(world, uid)
    assert world.everything() == before
    blind = new_id()
    world.agent.list_inventory({blind: ("volume", {"name": "blind"})})
    with pytest.raises(InvalidSpecError, match=r"size_gib.* is missing"):
        adopt(world, blind)
