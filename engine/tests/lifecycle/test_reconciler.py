# SPDX-License-Identifier: Apache-2.0
"""The reconciler compares what is desired with what clusters list, and acts on what has come to rest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from stratoplane.messages import Inventory, InventoryItem
from stratoplane_engine.db import drift
from stratoplane_engine.drift.reconciler import Comparison, reconcile, reconcile_in_turn
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.services import agents

if TYPE_CHECKING:
    from conftest import Site

PEACE = Comparison(corrected=0, lost=0, found=0, orphans=0)


def items(site: "Site", **changes: Mapping[str, object]) -> dict[UUID, tuple[str, Mapping[str, object]]]:
    """Return what a cluster holds that has everything as it was observed, with ``changes`` by name."""
    rows = site.rows(
        "SELECT id, kind, name, observed FROM resource WHERE cluster_id = :cluster AND deleted_at IS NULL",
        cluster=site.cluster_id,
    )
    return {row["id"]: (row["kind"], {**row["observed"], **changes.get(row["name"], {})}) for row in rows}


def age(site: "Site") -> None:
    """Let a minute pass since everything came to rest."""
    site.execute("UPDATE resource SET updated_at = updated_at - interval '1 minute'")


def uid(made: Accepted) -> UUID:
    return UUID(str(made.resource["id"]))


def drift_events(site: "Site") -> list[dict[str, Any]]:
    found = site.rows("SELECT subject_name, detail FROM audit_event WHERE action = 'engine:resource:drift-found'")
    return [{"name": row["subject_name"], **row["detail"]} for row in found]


def test_as_desired_means_nothing_to_do(fresh_site: "Site") -> None:
    for kind, body in (("network", {"cidr": "10.1.0.0/24"}), ("volume", {"size_gib": 1}), ("bucket", {})):
        fresh_site.made(kind, **body)
    fresh_site.made("virtual_machine")
    age(fresh_site)
    fresh_site.hand.list_inventory(items(fresh_site))

    assert reconcile(fresh_site.database) == PEACE
    assert drift_events(fresh_site) == []


def test_everything_is_compared_when_it_is_time_and_not_before(fresh_site: "Site") -> None:
    site = fresh_site
    assert reconcile_in_turn(site.database, full_seconds=60) == PEACE
    stray = uuid4()
    site.hand.list_inventory({stray: ("volume", {})})

    assert reconcile_in_turn(site.database, full_seconds=60).orphans == 0
    assert reconcile_in_turn(site.database, full_seconds=0).orphans == 1


def test_a_full_comparison_that_found_another_at_it_is_made_up_for_in_the_next_round(fresh_site: "Site") -> None:
    site = fresh_site
    site.hand.list_inventory({uuid4(): ("volume", {})})
    with site.database.system() as connection:
        assert drift.begin_round(connection)
        assert reconcile_in_turn(site.database, full_seconds=3600).orphans == 0

    assert reconcile_in_turn(site.database, full_seconds=3600).orphans == 1


def test_a_full_comparison_that_left_something_for_the_next_round_stays_due(fresh_site: "Site") -> None:
    site = fresh_site
    for name in ("web", "db"):
        site.made("virtual_machine", name=name)
    age(site)
    site.hand.list_inventory(items(site, web={"power": "STOPPED"}, db={"power": "STOPPED"}))
    assert reconcile(site.database, most_new=1).corrected == 1

    with site.database.system() as connection:
        assert drift.full_is_due(connection, 3600)
    assert reconcile_in_turn(site.database, full_seconds=3600).corrected == 1
    with site.database.system() as connection:
        assert not drift.full_is_due(connection, 3600)


def test_a_machine_whose_power_drifted_is_corrected(fresh_site: "Site") -> None:
    machine = fresh_site.made("virtual_machine", name="web")
    age(fresh_site)
    fresh_site.hand.list_inventory(items(fresh_site, web={"power": "STOPPED"}))

    assert reconcile(fresh_site.database).corrected == 1
    assert fresh_site.get(machine)["status"] == "UPDATING"
    assert reconcile(fresh_site.database) == PEACE
    asked: list[tuple[str, Any]] = []
    fresh_site.settle(fresh_site.hand.recording(asked))

    assert [(verb, spec["power"]) for verb, spec in asked] == [("update", "RUNNING")]
    assert fresh_site.get(machine)["status"] == "RUNNING"
    power = {"desired": "RUNNING", "observed": "STOPPED"}
    assert drift_events(fresh_site) == [
        {"name": "web", "kind": "virtual_machine", "power": power, "done": "correct"}
    ]  # fmt: skip
    assert reconcile(fresh_site.database) == PEACE


def test_a_correction_that_failed_is_tried_again_after_the_next_look(fresh_site: "Site") -> None:
    fresh_site.made("virtual_machine", name="web")
    age(fresh_site)
    fresh_site.hand.list_inventory(items(fresh_site, web={"power": "STOPPED"}))
    reconcile(fresh_site.database)
    fresh_site.settle(fresh_site.hand.failed)
    assert reconcile(fresh_site.database) == PEACE

    age(fresh_site)
    fresh_site.hand.list_inventory(items(fresh_site, web={"power": "STOPPED"}))

    assert reconcile(fresh_site.database).corrected == 1


def test_what_was_listed_before_a_change_came_to_rest_does_not_count(fresh_site: "Site") -> None:
    machine = fresh_site.made("virtual_machine", name="web")
    fresh_site.hand.list_inventory(items(fresh_site))
    fresh_site.update(machine, power="STOPPED")
    fresh_site.settle()
    fresh_site.hand.list_inventory(items(fresh_site, web={"power": "RUNNING"}))

    assert reconcile(fresh_site.database) == PEACE


def test_a_machine_that_a_job_works_on_is_left_to_the_job(fresh_site: "Site") -> None:
    machine = fresh_site.made("virtual_machine", name="web")
    fresh_site.act(machine, "reboot")
    age(fresh_site)
    fresh_site.hand.list_inventory(items(fresh_site, web={"power": "STOPPED"}))
    assert reconcile(fresh_site.database) == PEACE

    fresh_site.hand.list_inventory({})
    assert reconcile(fresh_site.database) == PEACE


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
    fresh_site: "Site", kind: str, body: dict[str, Any], status: str
) -> None:
    made = fresh_site.made(kind, name="web", **body)
    whole = items(fresh_site)
    age(fresh_site)
    fresh_site.hand.list_inventory({})

    assert reconcile(fresh_site.database).lost == 1
    assert reconcile(fresh_site.database) == PEACE
    assert fresh_site.get(made)["status"] == "LOST"
    assert fresh_site.get(made)["detail"] == "the cluster no longer has it; an operator must look"
    fresh_site.check_accounts()

    fresh_site.hand.list_inventory(whole)

    assert reconcile(fresh_site.database).found == 1
    assert (fresh_site.get(made)["status"], fresh_site.get(made)["detail"]) == (status, "")
    assert [event["done"] for event in drift_events(fresh_site)] == ["alert", "returned"]
    revisions = fresh_site.rows("SELECT status FROM resource_revision ORDER BY sequence")
    assert [row["status"] for row in revisions] == ["PENDING", status, "LOST", status]


def test_what_was_made_while_the_cluster_was_listed_is_not_lost(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=1)
    fresh_site.execute("UPDATE resource SET updated_at = clock_timestamp() - interval '20 seconds'")
    listing = Inventory(kinds=("volume",), items=(), age_seconds=30)
    agents.report_inventory(fresh_site.database, fresh_site.hand.identity, listing)
    assert reconcile(fresh_site.database) == PEACE

    listing = Inventory(kinds=("volume",), items=(), age_seconds=5)
    agents.report_inventory(fresh_site.database, fresh_site.hand.identity, listing)
    assert reconcile(fresh_site.database).lost == 1


def test_a_kind_that_could_not_be_listed_is_not_lost(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=1)
    fresh_site.made("virtual_machine")
    age(fresh_site)
    fresh_site.hand.list_inventory({}, "virtual_machine", "network")

    assert reconcile(fresh_site.database).lost == 1
    assert fresh_site.rows("SELECT kind FROM resource WHERE status = 'LOST'") == [{"kind": "virtual_machine"}]


def test_a_cluster_that_says_nothing_loses_nothing(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=1)
    age(fresh_site)
    assert reconcile(fresh_site.database) == PEACE


def test_what_another_cluster_lists_is_not_ours(fresh_site: "Site") -> None:
    made = fresh_site.made("volume", size_gib=1, cluster=fresh_site.cluster)
    elsewhere, _ = fresh_site.add_cluster()
    whole = items(fresh_site)
    age(fresh_site)
    fresh_site.hand.list_inventory({})
    fresh_site.hand_of(elsewhere).list_inventory(whole)

    assert reconcile(fresh_site.database) == Comparison(corrected=0, lost=1, found=0, orphans=1)
    assert reconcile(fresh_site.database).found == 0
    assert fresh_site.get(made)["status"] == "LOST"


def test_objects_of_nobody_are_found_and_left_alone(fresh_site: "Site") -> None:
    volume = fresh_site.made("volume", size_gib=1)
    present = items(fresh_site)
    fresh_site.hand.list_inventory({**present, uuid4(): ("virtual_machine", {"power": "RUNNING"})})
    assert reconcile(fresh_site.database).orphans == 1

    fresh_site.delete(volume)
    fresh_site.settle()
    fresh_site.hand.list_inventory(present)
    assert reconcile(fresh_site.database).orphans == 0
    fresh_site.execute("UPDATE resource SET deleted_at = deleted_at - interval '1 minute'")
    fresh_site.hand.list_inventory(present)
    assert reconcile(fresh_site.database).orphans == 1


def test_what_is_lost_can_be_deleted(fresh_site: "Site") -> None:
    volume = fresh_site.made("volume", size_gib=1)
    age(fresh_site)
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    fresh_site.delete(volume)
    fresh_site.settle()

    assert fresh_site.row(volume)["status"] == "DELETED"
    fresh_site.check_accounts()


def test_a_list_that_names_an_object_twice_or_has_a_strange_power_harms_nobody(fresh_site: "Site") -> None:
    machine = fresh_site.made("virtual_machine", name="web")
    age(fresh_site)
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    strange = InventoryItem(uid=uid(machine), kind="virtual_machine", status={"power": "BANANA"})
    listing = Inventory(kinds=("virtual_machine", "virtual_machine"), items=(strange, strange))
    agents.report_inventory(fresh_site.database, fresh_site.hand.identity, listing)

    assert reconcile(fresh_site.database).found == 1
    assert fresh_site.get(machine)["status"] == "STOPPED"


def test_capacity_is_what_the_cluster_said_last(fresh_site: "Site") -> None:
    from stratoplane.drivers import Capacity

    told = Inventory(kinds=(), items=(), capacity=Capacity(vcpus=7, memory_mib=8, storage_gib=9))
    agents.report_inventory(fresh_site.database, fresh_site.hand.identity, told)

    columns = "vcpus_total, memory_mib_total, storage_gib_total"
    assert fresh_site.rows(f"SELECT {columns} FROM cluster") == [  # noqa: S608  # constants
        {"vcpus_total": 7, "memory_mib_total": 8, "storage_gib_total": 9}
    ]
