# SPDX-License-Identifier: Apache-2.0
"""The reconciler compares what is desired with what clusters list, and acts on what has come to rest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from engine.tests.lifecycle.fake_agent import fake_agent
from stratoplane.messages import Inventory, InventoryItem
from stratoplane_engine.db import drift
from stratoplane_engine.drift.reconciler import ReconcilerRound, reconcile, reconcile_in_turn
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services import agents

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

PEACE = ReconcilerRound()


def items(tenant: "TenantWorld", **changes: Mapping[str, object]) -> dict[UUID, tuple[str, Mapping[str, object]]]:
    """Return what a cluster holds that has everything as it was observed, with ``changes`` by name."""
    rows = tenant.rows(
        "SELECT id, kind, name, observed FROM resource WHERE cluster_id = :cluster AND deleted_at IS NULL",
        cluster=tenant.cluster_id,
    )
    return {row["id"]: (row["kind"], {**row["observed"], **changes.get(row["name"], {})}) for row in rows}


def age(tenant: "TenantWorld") -> None:
    """Let a minute pass since everything came to rest."""
    tenant.execute("UPDATE resource SET updated_at = updated_at - interval '1 minute'")


def uid(made: ChangeResult) -> UUID:
    return made.resource.id


def drift_events(tenant: "TenantWorld") -> list[dict[str, Any]]:
    found = tenant.rows("SELECT subject_name, detail FROM audit_event WHERE action = 'engine:resource:drift-found'")
    return [{"name": row["subject_name"], **row["detail"]} for row in found]


def test_as_desired_means_nothing_to_do(fresh_tenant: "TenantWorld") -> None:
    for kind, body in (("network", {"cidr": "10.1.0.0/24"}), ("volume", {"size_gib": 1}), ("bucket", {})):
        fresh_tenant.made(kind, **body)
    fresh_tenant.made("virtual_machine")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory(items(fresh_tenant))

    assert reconcile(fresh_tenant.database) == PEACE
    assert drift_events(fresh_tenant) == []


def test_everything_is_compared_when_it_is_time_and_not_before(fresh_tenant: "TenantWorld") -> None:
    tenant = fresh_tenant
    assert reconcile_in_turn(tenant.database, full_seconds=60) == PEACE
    stray = uuid4()
    tenant.agent.list_inventory({stray: ("volume", {})})

    assert reconcile_in_turn(tenant.database, full_seconds=60).orphans == 0
    assert reconcile_in_turn(tenant.database, full_seconds=0).orphans == 1


def test_a_full_comparison_that_another_held_up_is_made_up_for_in_the_next_round(fresh_tenant: "TenantWorld") -> None:
    tenant = fresh_tenant
    tenant.agent.list_inventory({uuid4(): ("volume", {})})
    with tenant.database.system() as connection:
        assert drift.begin_round(connection)
        assert reconcile_in_turn(tenant.database, full_seconds=3600).orphans == 0

    assert reconcile_in_turn(tenant.database, full_seconds=3600).orphans == 1


def test_a_full_comparison_that_left_something_for_the_next_round_stays_due(fresh_tenant: "TenantWorld") -> None:
    tenant = fresh_tenant
    for name in ("web", "db"):
        tenant.made("virtual_machine", name=name)
    age(tenant)
    tenant.agent.list_inventory(items(tenant, web={"power": "STOPPED"}, db={"power": "STOPPED"}))
    assert reconcile(tenant.database, most_new=1).corrected == 1

    with tenant.database.system() as connection:
        assert drift.is_full_due(connection, 3600)
    assert reconcile_in_turn(tenant.database, full_seconds=3600).corrected == 1
    with tenant.database.system() as connection:
        assert not drift.is_full_due(connection, 3600)


def test_a_machine_whose_power_drifted_is_corrected(fresh_tenant: "TenantWorld") -> None:
    machine = fresh_tenant.made("virtual_machine", name="web")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory(items(fresh_tenant, web={"power": "STOPPED"}))

    assert reconcile(fresh_tenant.database).corrected == 1
    assert fresh_tenant.get(machine).status == "UPDATING"
    assert reconcile(fresh_tenant.database) == PEACE
    asked: list[tuple[str, Any]] = []
    fresh_tenant.settle(fresh_tenant.agent.recording(asked))

    assert [(verb, spec["power"]) for verb, spec in asked] == [("update", "RUNNING")]
    assert fresh_tenant.get(machine).status == "RUNNING"
    power = {"desired": "RUNNING", "observed": "STOPPED"}
    assert drift_events(fresh_tenant) == [
        {"name": "web", "kind": "virtual_machine", "power": power, "done": "correct"}
    ]  # fmt: skip
    assert reconcile(fresh_tenant.database) == PEACE


def test_a_correction_that_failed_is_tried_again_after_the_next_look(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("virtual_machine", name="web")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory(items(fresh_tenant, web={"power": "STOPPED"}))
    reconcile(fresh_tenant.database)
    fresh_tenant.settle(fresh_tenant.agent.failed)
    assert reconcile(fresh_tenant.database) == PEACE

    age(fresh_tenant)
    fresh_tenant.agent.list_inventory(items(fresh_tenant, web={"power": "STOPPED"}))

    assert reconcile(fresh_tenant.database).corrected == 1


def test_what_was_listed_before_a_change_came_to_rest_does_not_count(fresh_tenant: "TenantWorld") -> None:
    machine = fresh_tenant.made("virtual_machine", name="web")
    fresh_tenant.agent.list_inventory(items(fresh_tenant))
    fresh_tenant.update(machine, power="STOPPED")
    fresh_tenant.settle()
    fresh_tenant.agent.list_inventory(items(fresh_tenant, web={"power": "RUNNING"}))

    assert reconcile(fresh_tenant.database) == PEACE


def test_a_machine_that_a_job_works_on_is_left_to_the_job(fresh_tenant: "TenantWorld") -> None:
    machine = fresh_tenant.made("virtual_machine", name="web")
    fresh_tenant.act(machine, "reboot")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory(items(fresh_tenant, web={"power": "STOPPED"}))
    assert reconcile(fresh_tenant.database) == PEACE

    fresh_tenant.agent.list_inventory({})
    assert reconcile(fresh_tenant.database) == PEACE


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("virtual_machine", {}, "RUNNING"),
        ("virtual_machine", {"power": "STOPPED"}, "STOPPED"),
        ("network", {"cidr": "10.1.0.0/24"}, "ACTIVE"),
        ("volume", {"size_gib": 1}, "ACTIVE"),
        ("bucket", {}, "ACTIVE"),
    ],
)
def test_what_is_missing_is_lost_and_comes_back_when_it_is_seen_again(
    fresh_tenant: "TenantWorld", kind: str, body: dict[str, Any], status: str
) -> None:
    made = fresh_tenant.made(kind, name="web", **body)
    whole = items(fresh_tenant)
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory({})

    assert reconcile(fresh_tenant.database).lost == 1
    assert reconcile(fresh_tenant.database) == PEACE
    assert fresh_tenant.get(made).status == "LOST"
    assert fresh_tenant.get(made).detail == "the cluster no longer has it; an operator must look"
    fresh_tenant.check_accounts()

    fresh_tenant.agent.list_inventory(whole)

    assert reconcile(fresh_tenant.database).found == 1
    assert (fresh_tenant.get(made).status, fresh_tenant.get(made).detail) == (status, "")
    assert [event["done"] for event in drift_events(fresh_tenant)] == ["alert", "returned"]
    revisions = fresh_tenant.rows("SELECT status FROM resource_revision ORDER BY sequence")
    assert [row["status"] for row in revisions] == ["PENDING", status, "LOST", status]


def test_what_was_made_while_the_cluster_was_listed_is_not_lost(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=1)
    fresh_tenant.execute("UPDATE resource SET updated_at = clock_timestamp() - interval '20 seconds'")
    listing = Inventory(kinds=("volume",), items=(), age_seconds=30)
    agents.report_inventory(fresh_tenant.database, fresh_tenant.agent.identity, listing)
    assert reconcile(fresh_tenant.database) == PEACE

    listing = Inventory(kinds=("volume",), items=(), age_seconds=5)
    agents.report_inventory(fresh_tenant.database, fresh_tenant.agent.identity, listing)
    assert reconcile(fresh_tenant.database).lost == 1


def test_a_kind_that_could_not_be_listed_is_not_lost(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=1)
    fresh_tenant.made("virtual_machine")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory({}, "virtual_machine", "network")

    assert reconcile(fresh_tenant.database).lost == 1
    assert fresh_tenant.rows("SELECT kind FROM resource WHERE status = 'LOST'") == [{"kind": "virtual_machine"}]


def test_a_cluster_that_says_nothing_loses_nothing(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=1)
    age(fresh_tenant)
    assert reconcile(fresh_tenant.database) == PEACE


def test_what_another_cluster_lists_is_not_ours(fresh_tenant: "TenantWorld") -> None:
    made = fresh_tenant.made("volume", size_gib=1, cluster=fresh_tenant.cluster)
    elsewhere, _ = fresh_tenant.add_cluster()
    whole = items(fresh_tenant)
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory({})
    fake_agent(fresh_tenant.database, elsewhere).list_inventory(whole)

    assert reconcile(fresh_tenant.database) == ReconcilerRound(lost=1, orphans=1)
    assert reconcile(fresh_tenant.database).found == 0
    assert fresh_tenant.get(made).status == "LOST"


def test_objects_of_nobody_are_found_and_left_alone(fresh_tenant: "TenantWorld") -> None:
    volume = fresh_tenant.made("volume", size_gib=1)
    present = items(fresh_tenant)
    fresh_tenant.agent.list_inventory({**present, uuid4(): ("virtual_machine", {"power": "RUNNING"})})
    assert reconcile(fresh_tenant.database).orphans == 1

    fresh_tenant.delete(volume)
    fresh_tenant.settle()
    fresh_tenant.agent.list_inventory(present)
    assert reconcile(fresh_tenant.database).orphans == 0
    fresh_tenant.execute("UPDATE resource SET deleted_at = deleted_at - interval '1 minute'")
    fresh_tenant.agent.list_inventory(present)
    assert reconcile(fresh_tenant.database).orphans == 1


def test_what_is_lost_can_be_deleted(fresh_tenant: "TenantWorld") -> None:
    volume = fresh_tenant.made("volume", size_gib=1)
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    fresh_tenant.delete(volume)
    fresh_tenant.settle()

    assert fresh_tenant.row(volume)["status"] == "DELETED"
    fresh_tenant.check_accounts()


def test_a_list_that_names_an_object_twice_or_has_a_strange_power_harms_nobody(fresh_tenant: "TenantWorld") -> None:
    machine = fresh_tenant.made("virtual_machine", name="web")
    age(fresh_tenant)
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    strange = InventoryItem(uid=uid(machine), kind="virtual_machine", status={"power": "BANANA"})
    listing = Inventory(kinds=("virtual_machine", "virtual_machine"), items=(strange, strange))
    agents.report_inventory(fresh_tenant.database, fresh_tenant.agent.identity, listing)

    assert reconcile(fresh_tenant.database).found == 1
    assert fresh_tenant.get(machine).status == "STOPPED"


def test_capacity_is_what_the_cluster_said_last(fresh_tenant: "TenantWorld") -> None:
    from stratoplane.drivers import Capacity

    told = Inventory(kinds=(), items=(), capacity=Capacity(vcpus=7, memory_mib=8, storage_gib=9))
    agents.report_inventory(fresh_tenant.database, fresh_tenant.agent.identity, told)

    columns = "vcpus_total, memory_mib_total, storage_gib_total"
    assert fresh_tenant.rows(f"SELECT {columns} FROM cluster") == [  # noqa: S608  # constants
        {"vcpus_total": 7, "memory_mib_total": 8, "storage_gib_total": 9}
    ]
