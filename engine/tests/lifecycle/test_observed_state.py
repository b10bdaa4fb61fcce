# SPDX-License-Identifier: Apache-2.0
"""A resource is shown as it was observed, beside what is desired, and every verb acts on what was observed."""

from typing import TYPE_CHECKING, Any

import pytest

from engine.tests.lifecycle.test_drift import set_policy
from stratoplane.errors import StateConflictError
from stratoplane_engine.drift.reconciler import reconcile, reconcile_changes
from stratoplane_engine.kinds.compared import differences

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld
    from stratoplane_engine.model.change import ChangeResult


def seen(tenant: "TenantWorld", made: "ChangeResult") -> list[tuple[str, Any, Any]]:
    kind = tenant.database.kinds[made.resource.kind]
    return [(each.field, each.desired, each.observed) for each in differences(kind, tenant.get(made))]


def switched_off(tenant: "TenantWorld") -> "ChangeResult":
    """Return a machine that was switched off behind the platform's back, which nothing corrects."""
    set_policy(tenant, "virtual_machine", "power", "alert")
    made = tenant.made("virtual_machine", name="it")
    tenant.list_objects(power="STOPPED")
    reconcile(tenant.database)
    return made


def test_a_machine_that_was_switched_off_is_shown_stopped_beside_what_is_desired(fresh_tenant: "TenantWorld") -> None:
    made = switched_off(fresh_tenant)
    assert fresh_tenant.get(made).status == "STOPPED"
    assert seen(fresh_tenant, made) == [("power", "RUNNING", "STOPPED")]
    recorded = fresh_tenant.rows("SELECT status FROM resource_revision ORDER BY sequence DESC LIMIT 1")
    assert recorded == [{"status": "STOPPED"}]

    fresh_tenant.list_objects()
    reconcile_changes(fresh_tenant.database)
    assert (fresh_tenant.get(made).status, seen(fresh_tenant, made)) == ("RUNNING", [])


def test_start_begins_a_job_for_a_machine_that_is_observed_stopped(fresh_tenant: "TenantWorld") -> None:
    made = switched_off(fresh_tenant)
    started = fresh_tenant.update(made, power="RUNNING")
    assert started.job is not None
    asked: list[tuple[str, Any]] = []
    fresh_tenant.settle(fresh_tenant.agent.recording(asked))
    assert [(verb, spec["power"]) for verb, spec in asked] == [("update", "RUNNING")]
    assert (fresh_tenant.get(made).status, seen(fresh_tenant, made)) == ("RUNNING", [])
    assert fresh_tenant.update(made, power="RUNNING").job is None


def test_stop_of_a_machine_that_is_observed_stopped_makes_that_desired(fresh_tenant: "TenantWorld") -> None:
    made = switched_off(fresh_tenant)
    fresh_tenant.update(made, power="STOPPED")
    fresh_tenant.settle()
    assert (fresh_tenant.get(made).status, seen(fresh_tenant, made)) == ("STOPPED", [])


def test_reboot_is_refused_with_what_is_observed(fresh_tenant: "TenantWorld") -> None:
    made = switched_off(fresh_tenant)
    with pytest.raises(StateConflictError, match="it is STOPPED; reboot needs it to be RUNNING"):
        fresh_tenant.reboot(made)


def test_another_change_leaves_what_it_does_not_ask_for(fresh_tenant: "TenantWorld") -> None:
    made = switched_off(fresh_tenant)
    assert fresh_tenant.update(made, labels={"tier": "web"}).job is None


def test_a_resize_to_the_desired_size_acts_on_the_observed_one(fresh_tenant: "TenantWorld") -> None:
    made = fresh_tenant.made("virtual_machine", name="it")
    fresh_tenant.list_objects(vcpus=31)
    reconcile(fresh_tenant.database)
    assert seen(fresh_tenant, made) == [("vcpus", 1, 31)]
    fresh_tenant.update(made, flavor=fresh_tenant.flavor)
    asked: list[tuple[str, Any]] = []
    fresh_tenant.settle(fresh_tenant.agent.recording(asked))
    assert [(verb, spec["vcpus"]) for verb, spec in asked] == [("resize", 1)]
    assert seen(fresh_tenant, made) == []


@pytest.mark.parametrize(
    ("kind", "body", "shown", "asked"),
    [
        ("volume", {"size_gib": 3}, {"size_gib": 8}, {"size_gib": 3}),
        ("volume", {"size_gib": 3}, {"name": "renamed"}, {"name": "it"}),
        ("network", {"cidr": "10.1.0.0/24"}, {"cidr": "10.9.0.0/24"}, None),
        ("network", {"cidr": "10.1.0.0/24"}, {"active": False}, None),
        ("bucket", {}, {"name": "renamed"}, {"name": "it"}),
    ],
)
def test_every_field_of_every_kind_is_shown_as_observed(
    fresh_tenant: "TenantWorld", kind: str, body: Any, shown: Any, asked: Any
) -> None:
    (field,) = shown
    for policy in ("name", "active"):
        set_policy(fresh_tenant, kind, policy, "alert")
    made = fresh_tenant.made(kind, name="it", **body)
    fresh_tenant.list_objects(**shown)
    reconcile(fresh_tenant.database)
    assert [(name, observed) for name, _, observed in seen(fresh_tenant, made)] == [(field, shown[field])]
    if asked is not None:
        assert fresh_tenant.update(made, **asked).job is not None


def test_a_resource_with_a_job_is_left_to_it(fresh_tenant: "TenantWorld") -> None:
    made = fresh_tenant.made("virtual_machine", name="it")
    fresh_tenant.update(made, power="STOPPED")
    fresh_tenant.list_objects(power="STOPPED")
    reconcile(fresh_tenant.database)
    assert fresh_tenant.get(made).status == "UPDATING"
