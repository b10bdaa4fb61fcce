# SPDX-License-Identifier: Apache-2.0
"""A foreign object becomes a resource of a project, or stays as foreign as it was."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from stratoplane.drivers import Capacity
from stratoplane.errors import (
    FeatureUnsupportedError,
    InvalidSpecError,
    NameTakenError,
    PermissionDeniedError,
    QuotaExceededError,
    ResourceNotFoundError,
    StateConflictError,
)
from stratoplane.messages import ForeignItem, Inventory, Operation, OperationResult, Outcome
from stratoplane_engine.model.change import ChangeResult, IdempotencyKey
from stratoplane_engine.services import adoption, agents

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

NETWORK = {"cidr": "10.7.0.0/24", "gateway": "10.7.0.1", "mode": "NAT"}


@pytest.fixture
def able_tenant(fresh_tenant: "TenantWorld") -> "TenantWorld":
    """A tenant whose cluster can import."""
    fresh_tenant.execute("UPDATE cluster SET features = array_append(features, 'import')")
    return fresh_tenant


def show(tenant: "TenantWorld", kind: str = "volume", reference: str = "vol-1", **status: Any) -> None:
    """Let the agent list one foreign object."""
    item = ForeignItem(reference=reference, name="Old Backup", status=status or {"size_gib": 40})
    room = Capacity(vcpus=100, memory_mib=100_000, storage_gib=100_000)
    message = Inventory(kinds=(kind,), items=(), capacity=room, snapshot=uuid4(), foreign=(item,))
    agents.report_inventory(tenant.database, tenant.agent.identity, message)


def adopt(tenant: "TenantWorld", kind: str = "volume", reference: str = "vol-1", **more: Any) -> ChangeResult:
    context = more.pop("context", None) or tenant.operator()
    usual = {"cluster_id": tenant.cluster_id, "project_id": tenant.project_id, "name": "old-backup"}
    draft = adoption.AdoptionDraft(kind=kind, reference=reference, **{**usual, **more})
    return adoption.adopt_foreign_object(tenant.database, tenant.plugins, context, draft)


@pytest.mark.parametrize(("kind", "status"), [("volume", {"size_gib": 40}), ("network", NETWORK)])
def test_an_adopted_object_is_a_resource_of_the_project(
    able_tenant: "TenantWorld", kind: str, status: dict[str, Any]
) -> None:
    show(able_tenant, kind, **status)
    accepted = adopt(able_tenant, kind)
    asked: list[tuple[str, Any]] = []
    able_tenant.settle(able_tenant.agent.recording(asked))
    mark = {"uid": str(accepted.resource.id), "project_id": str(able_tenant.project_id)}
    assert asked == [("adopt", {**mark, "name": "old-backup", "reference": "vol-1"})]

    resource = able_tenant.get(accepted)
    assert (resource.status, resource.name) == ("ACTIVE", "old-backup")
    assert {name: getattr(resource.spec, name) for name in status} == status
    able_tenant.check_accounts()


def test_what_is_adopted_is_charged_and_on_record(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    adopt(able_tenant)
    assert able_tenant.used()["storage_gib"] == 40
    (event,) = able_tenant.rows("SELECT * FROM audit_event WHERE action = 'operations:foreign-object:adopt-accepted'")
    assert (event["project_id"], event["detail"]["reference"]) == (able_tenant.project_id, "vol-1")


def test_an_object_that_could_not_be_adopted_leaves_nothing_behind(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    accepted = adopt(able_tenant)
    asked: list[tuple[str, Any]] = []
    able_tenant.settle(able_tenant.agent.recording(asked, "adopt"))
    (row,) = able_tenant.rows("SELECT status, deleted_at FROM resource WHERE id = :id", id=accepted.resource.id)
    assert [verb for verb, _ in asked] == ["adopt", "release"]
    assert (row["status"], row["deleted_at"] is not None) == ("DELETED", True)
    assert able_tenant.used().get("storage_gib", 0) == 0
    able_tenant.check_accounts()


def test_a_doubtful_adoption_is_taken_back_and_never_deleted(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    adopt(able_tenant)
    verbs = set()

    def answer(operation: Operation) -> OperationResult:
        verbs.add(operation.verb)
        if operation.verb == "adopt":
            return able_tenant.agent.failed(operation, Outcome.UNCERTAIN)
        return able_tenant.agent.done(operation)

    able_tenant.settle(answer)
    assert verbs == {"adopt", "release"}
    assert able_tenant.rows("SELECT state FROM job") == [{"state": "FAILED"}]
    assert able_tenant.rows("SELECT status FROM resource") == [{"status": "DELETED"}]
    assert able_tenant.rows("SELECT FROM leak") == []


def test_what_could_not_be_taken_back_is_a_leak_and_an_incident(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    adopt(able_tenant)
    outcomes = {"adopt": Outcome.UNCERTAIN, "release": Outcome.PERMANENT}
    able_tenant.settle(lambda operation: able_tenant.agent.failed(operation, outcomes[operation.verb]))
    assert len(able_tenant.rows("SELECT FROM leak")) == 1
    assert able_tenant.rows("SELECT kind FROM incident") == [{"kind": "leak"}]


def test_an_object_is_adopted_once_at_a_time(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    adopt(able_tenant)
    with pytest.raises(StateConflictError, match="adopts vol-1 already"):
        adopt(able_tenant, name="other")


def test_asked_again_with_the_same_key_the_answer_is_the_same(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    key = replace(able_tenant.operator(), idempotency=IdempotencyKey(key="k", fingerprint="f"))
    first, again = adopt(able_tenant, context=key), adopt(able_tenant, context=key)
    assert (again.job, again.replayed) == (first.job, True)


def test_a_dry_run_adopts_nothing(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    assert adopt(able_tenant, context=replace(able_tenant.operator(), dry_run=True)).job is not None
    assert able_tenant.rows("SELECT FROM resource") == able_tenant.rows("SELECT FROM job") == []


def test_what_does_not_fit_is_refused_and_nothing_is_written(able_tenant: "TenantWorld") -> None:
    show(able_tenant)
    with pytest.raises(ResourceNotFoundError, match="shows no foreign volume"):
        adopt(able_tenant, reference="vol-2")
    with pytest.raises(ResourceNotFoundError, match="there is no project"):
        adopt(able_tenant, project_id=uuid4())
    with pytest.raises(PermissionDeniedError):
        adopt(able_tenant, context=able_tenant.context())
    able_tenant.create("volume", name="old-backup", size_gib=1)
    with pytest.raises(NameTakenError):
        adopt(able_tenant)
    show(able_tenant, size_gib=10**9)
    with pytest.raises(QuotaExceededError):
        adopt(able_tenant, name="huge")
    show(able_tenant, "virtual_machine", "vm-1", vcpus=1)
    with pytest.raises(InvalidSpecError, match="cannot be adopted"):
        adopt(able_tenant, "virtual_machine", "vm-1")
    assert len(able_tenant.rows("SELECT FROM resource")) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({**NETWORK, "gateway": "10.7.0.9"}, "not the first address"),
        ({**NETWORK, "cidr": "8.8.8.0/24"}, "is not private"),
        ({"cidr": "10.7.0.0/24"}, "'gateway' is missing"),
    ],
)
def test_a_network_that_the_platform_could_not_have_made_stays(
    able_tenant: "TenantWorld", status: dict[str, Any], words: str
) -> None:
    show(able_tenant, "network", "net-1", **status)
    with pytest.raises(InvalidSpecError, match=words):
        adopt(able_tenant, "network", "net-1")


def test_a_cluster_whose_driver_cannot_import_says_so(fresh_tenant: "TenantWorld") -> None:
    show(fresh_tenant)
    with pytest.raises(FeatureUnsupportedError, match="cannot do import"):
        adopt(fresh_tenant)
