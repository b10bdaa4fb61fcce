# SPDX-License-Identifier: Apache-2.0
"""One mark on several objects is told of, and clusters that serve one provider are told of as what they are."""

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from engine.tests.lifecycle.fake_agent import fake_agent
from stratoplane.errors import StateConflictError
from stratoplane.ids import new_id
from stratoplane.messages import Inventory, InventoryItem
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.services import agents, bootstrap, orphans
from stratoplane_engine.services.orphans import OrphanAdoption

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def incidents(tenant: "TenantWorld") -> list[tuple[str, str, str]]:
    rows = tenant.rows("SELECT kind, status, title FROM incident ORDER BY kind, key")
    return [(row["kind"], row["status"], row["title"]) for row in rows]


def list_with_others(tenant: "TenantWorld", uid: UUID, *others: str) -> None:
    status = {"name": "data", "size_gib": 3, "provider_reference": "vol-a"}
    item = InventoryItem(uid=uid, kind="volume", status=status, others=others)
    agents.report_inventory(tenant.database, tenant.agent.identity, Inventory(kinds=("volume",), items=(item,)))


def test_one_mark_on_two_objects_of_a_cluster_is_an_incident_until_one_is_left(fresh_tenant: "TenantWorld") -> None:
    made = fresh_tenant.made("volume", name="data", size_gib=3)
    uid = made.resource.id
    list_with_others(fresh_tenant, uid, "vol-b")
    reconcile(fresh_tenant.database)
    ((kind, status, title),) = incidents(fresh_tenant)
    assert (kind, status) == ("duplicate", "OPEN")
    assert f"several objects carry the mark {uid}: vol-a, vol-b on {fresh_tenant.cluster}" in title
    list_with_others(fresh_tenant, uid)
    reconcile(fresh_tenant.database)
    assert [each[:2] for each in incidents(fresh_tenant)] == [("duplicate", "RESOLVED")]


def test_an_orphan_that_is_several_objects_is_not_adopted(fresh_tenant: "TenantWorld") -> None:
    bootstrap.bootstrap(fresh_tenant.database)
    uid = new_id()
    list_with_others(fresh_tenant, uid, "vol-b")
    wanted = OrphanAdoption(
        cluster_id=fresh_tenant.cluster_id, uid=uid, project_id=fresh_tenant.project_id, name="data"
    )
    with pytest.raises(StateConflictError, match="is several objects"):
        orphans.adopt_orphan(fresh_tenant.database, fresh_tenant.plugins, fresh_tenant.operator(), wanted)


def test_two_clusters_with_one_provider_are_one_incident_and_neither_duplicates_nor_orphans(
    fresh_tenant: "TenantWorld",
) -> None:
    tenant = fresh_tenant
    for name in ("one", "two"):
        tenant.made("volume", name=name, size_gib=3, cluster=tenant.cluster)
    tenant.list_objects()
    elsewhere, name = tenant.add_cluster()
    other = fake_agent(tenant.database, elsewhere)
    rows = {row["uid"]: (row["kind"], row["status"]) for row in tenant.rows("SELECT * FROM inventory")}
    other.list_inventory(rows)
    assert reconcile(tenant.database).orphans == 0
    ((kind, status, title),) = incidents(tenant)
    assert (kind, status) == ("shared-provider", "OPEN")
    assert "list the same 2 objects: both serve one provider" in title
    assert tenant.cluster in title
    assert name in title

    other.list_inventory({})
    reconcile(tenant.database)
    assert [each[:2] for each in incidents(tenant)] == [("shared-provider", "RESOLVED")]
