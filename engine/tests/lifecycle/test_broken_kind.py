# SPDX-License-Identifier: Apache-2.0
"""A kind that cannot say what its objects mean is an incident, and every other kind is compared as before."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.kinds import Observed
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Database
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.kinds.volume import VolumeKind

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


class ShelfVolumeKind(VolumeKind):
    """Volumes of a plugin that reads a member which its driver may not show."""

    def status(self, observed: Observed) -> Any:
        return {"full": ResourceStatus.ACTIVE, "odd": ResourceStatus.LOST}[str(observed["shelf"])]


def with_shelf(tenant: "TenantWorld") -> "TenantWorld":
    others = Kinds(kind for kind in BUILTIN_KINDS.values() if kind.name != "volume")
    kinds = others.with_plugins({"shelf": (ShelfVolumeKind(),)})
    return replace(tenant, database=Database(tenant.database.url, kinds=kinds))


def incidents(tenant: "TenantWorld") -> list[dict[str, Any]]:
    return tenant.rows("SELECT status, title, detail FROM incident WHERE kind = 'kind-broken'")


@pytest.mark.parametrize(("shelf", "reason"), [({}, "KeyError"), ({"shelf": "odd"}, "not one of ACTIVE")])
def test_a_kind_that_breaks_holds_up_no_other(
    fresh_tenant: "TenantWorld", shelf: dict[str, object], reason: str
) -> None:
    volume = fresh_tenant.made("volume", size_gib=1)
    machine = fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(power="STOPPED", more=1, **shelf)
    tenant = with_shelf(fresh_tenant)

    done = reconcile(tenant.database, most_new=1)
    assert (done.broken, done.corrected) == (frozenset({"volume"}), 1)
    assert (tenant.get(machine).status, tenant.get(volume).status) == ("UPDATING", "ACTIVE")
    (incident,) = incidents(tenant)
    assert (incident["status"], incident["detail"]["plugin"], incident["detail"]["kind"]) == ("OPEN", "shelf", "volume")
    assert incident["title"].startswith("plugin shelf cannot say the status of volume")
    assert reason in incident["title"]

    fresh_tenant.settle()
    fresh_tenant.list_objects(shelf="full")
    assert reconcile(tenant.database).broken == frozenset()
    assert [each["status"] for each in incidents(tenant)] == ["RESOLVED"]
    tenant.database.close()


def test_what_is_lost_and_cannot_be_read_when_it_is_back_stays_lost_and_alone(fresh_tenant: "TenantWorld") -> None:
    volume, network = fresh_tenant.made("volume", size_gib=1), fresh_tenant.made("network", cidr="10.1.0.0/24")
    fresh_tenant.list_objects()
    back = {row["uid"]: (row["kind"], row["status"]) for row in fresh_tenant.rows("SELECT * FROM inventory")}
    fresh_tenant.agent.list_inventory({})
    tenant = with_shelf(fresh_tenant)
    assert reconcile(tenant.database).lost == 2
    tenant.agent.list_inventory(back)
    done = reconcile(tenant.database)
    assert (done.found, done.broken) == (1, frozenset({"volume"}))
    assert (tenant.get(network).status, tenant.get(volume).status) == ("ACTIVE", "LOST")
    tenant.database.close()


def test_a_difference_that_a_broken_kind_shall_adopt_stays_and_others_are_adopted(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.execute("INSERT INTO drift_policy VALUES ('volume', 'size_gib', '*', 'adopt')")
    fresh_tenant.execute("INSERT INTO drift_policy VALUES ('virtual_machine', 'vcpus', '*', 'adopt')")
    fresh_tenant.made("volume", size_gib=1)
    machine = fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(size_gib=3, vcpus=31)
    tenant = with_shelf(fresh_tenant)
    done = reconcile(tenant.database)
    assert (done.adopted, done.broken) == (1, frozenset({"volume"}))
    assert tenant.row(machine)["spec"]["vcpus"] == 31
    tenant.check_accounts()
    tenant.database.close()
