# SPDX-License-Identifier: Apache-2.0
"""Every difference is recorded, and corrected, adopted or told of, as its policy says."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from engine.tests.lifecycle.fake_agent import fake_agent
from stratoplane.compared_fields import ComparedField
from stratoplane.messages import Outcome
from stratoplane_engine.db import drift
from stratoplane_engine.drift.policies import adopt
from stratoplane_engine.drift.reconciler import ReconcilerRound, reconcile, reconcile_changes
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.kinds.compared import compared_kinds
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

PEACE = ReconcilerRound()
BODIES: Mapping[str, Mapping[str, Any]] = {
    "virtual_machine": {},
    "network": {"cidr": "10.1.0.0/24"},
    "volume": {"size_gib": 3},
    "bucket": {},
}
# What an object shows when it differs in the field.
STRANGE: Mapping[str, Any] = {
    "power": "STOPPED",
    "name": "renamed",
    "vcpus": 31,
    "memory_mib": 7,
    "volumes": ["0199d2a4-7d30-7a00-8000-d3f4f3448b0c"],
    "size_gib": 8,
    "cidr": "10.9.0.0/24",
    "gateway": "10.9.0.9",
    "mode": "ISOLATED",
    "active": False,
}
MEMBER = {"volumes": "volume_uids"}


def drifts(tenant: "TenantWorld") -> list[dict[str, Any]]:
    found = tenant.rows("SELECT * FROM drift ORDER BY found_at")
    return [{**row, "open": row["ended_at"] is None} for row in found]


def incidents(tenant: "TenantWorld") -> list[tuple[str, str]]:
    return [(row["kind"], row["status"]) for row in tenant.rows("SELECT kind, status FROM incident ORDER BY kind")]


def set_policy(tenant: "TenantWorld", kind: str, field: str, policy: str) -> None:
    insert = "INSERT INTO drift_policy (kind, field, driver, policy) VALUES (:kind, :field, '*', :policy)"
    tenant.execute(insert, kind=kind, field=field, policy=policy)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field, id=f"{kind}-{field.name}")
        for kind, described in BUILTIN_KINDS.items()
        for field in described.compared
    ],
)
def test_a_difference_in_every_field_is_found_recorded_and_dealt_with(
    fresh_tenant: "TenantWorld", kind: str, field: ComparedField
) -> None:
    made = fresh_tenant.made(kind, name="it", **BODIES[kind])
    fresh_tenant.list_objects(**{MEMBER.get(field.name, field.name): STRANGE[field.name]})

    outcome = reconcile(fresh_tenant.database)
    (row,) = drifts(fresh_tenant)
    assert (row["field"], row["observed"], row["policy"], row["open"]) == (
        field.name,
        STRANGE[field.name],
        field.policies[0],
        True,
    )
    if field.policies[0] == "correct":
        assert (outcome.corrected, row["corrections"], incidents(fresh_tenant)) == (1, 1, [])
        fresh_tenant.settle()
        assert fresh_tenant.get(made).status in {"ACTIVE", "RUNNING"}
    else:
        assert (outcome.alerted, incidents(fresh_tenant)) == (1, [("drift", "OPEN")])

    fresh_tenant.list_objects()
    assert reconcile(fresh_tenant.database).ended == 1
    assert [row["open"] for row in drifts(fresh_tenant)] == [False]
    assert incidents(fresh_tenant) in ([], [("drift", "RESOLVED")])


def test_several_differences_of_one_resource_are_corrected_by_one_job(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("virtual_machine", name="it")
    fresh_tenant.list_objects(power="STOPPED", name="renamed")
    assert reconcile(fresh_tenant.database).corrected == 1
    (job,) = fresh_tenant.rows("SELECT priority, input FROM job WHERE actor = 'reconciler'")
    assert (job["priority"], sorted(job["input"]["drift"])) == (-10, ["name", "power"])


def test_what_operators_set_goes_before_the_default(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "virtual_machine", "power", "alert")
    fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(power="STOPPED")
    assert reconcile(fresh_tenant.database) == ReconcilerRound(alerted=1)


def test_what_is_set_for_a_driver_counts_for_its_clusters_only(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.execute(
        "INSERT INTO provider (cluster_id, interface, driver, status) VALUES (:id, 'compute', 'mock', 'READY')",
        id=fresh_tenant.cluster_id,
    )
    set_policy(fresh_tenant, "virtual_machine", "power", "correct")
    fresh_tenant.execute("INSERT INTO drift_policy VALUES ('virtual_machine', 'power', 'mock', 'alert')")
    fresh_tenant.execute("INSERT INTO drift_policy VALUES ('virtual_machine', 'power', 'other', 'adopt')")
    fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(power="STOPPED")
    assert reconcile(fresh_tenant.database).alerted == 1


def test_adopted_power_becomes_what_is_desired(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "virtual_machine", "power", "adopt")
    machine = fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(power="STOPPED")

    assert reconcile(fresh_tenant.database).adopted == 1
    assert (fresh_tenant.get(machine).status, fresh_tenant.row(machine)["spec"]["power"]) == ("STOPPED", "STOPPED")
    fresh_tenant.list_objects(power="STOPPED")
    assert reconcile(fresh_tenant.database) == PEACE
    assert [row["open"] for row in drifts(fresh_tenant)] == [False]


def test_an_adopted_size_is_charged(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "volume", "size_gib", "adopt")
    volume = fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects(size_gib=8)

    assert reconcile(fresh_tenant.database).adopted == 1
    assert fresh_tenant.row(volume)["spec"]["size_gib"] == 8
    assert fresh_tenant.used()["storage_gib"] == 8
    fresh_tenant.check_accounts()
    revisions = fresh_tenant.rows("SELECT spec->>'size_gib' AS size FROM resource_revision ORDER BY sequence")
    assert revisions[-1] == {"size": "8"}


def test_a_correction_that_does_not_hold_is_given_up_and_told_of(fresh_tenant: "TenantWorld") -> None:
    machine = fresh_tenant.made("virtual_machine")
    outcomes = []
    for _ in range(5):
        fresh_tenant.list_objects(power="STOPPED")
        outcome = reconcile(fresh_tenant.database)
        outcomes.append((outcome.corrected, outcome.alerted))
        fresh_tenant.settle()
    assert outcomes == [(1, 0), (1, 0), (1, 0), (0, 1), (0, 1)]
    assert incidents(fresh_tenant) == [("drift", "OPEN")]
    assert fresh_tenant.get(machine).status == "STOPPED"


def test_flapping_is_counted_over_the_hour(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("virtual_machine")
    corrected = []
    for _ in range(4):
        fresh_tenant.list_objects(power="STOPPED")
        corrected.append(reconcile(fresh_tenant.database).corrected)
        fresh_tenant.settle()
        fresh_tenant.list_objects()
        reconcile(fresh_tenant.database)
    assert corrected == [1, 1, 1, 0]


def test_two_reconcilers_at_once_do_the_work_once(fresh_tenant: "TenantWorld") -> None:
    for number in range(5):
        fresh_tenant.made("volume", size_gib=1, name=f"it-{number}")
    fresh_tenant.list_objects(name="renamed")
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: reconcile(fresh_tenant.database), range(4)))
    assert sum(outcome.corrected for outcome in outcomes) == 5
    assert fresh_tenant.rows("SELECT count(*)::int AS n FROM job WHERE actor = 'reconciler'") == [{"n": 5}]


def test_between_full_comparisons_what_has_changed_is_compared(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects()
    assert reconcile(fresh_tenant.database) == PEACE
    fresh_tenant.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    fresh_tenant.list_objects(size_gib=8)
    assert reconcile_changes(fresh_tenant.database).alerted == 1

    fresh_tenant.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    assert reconcile_changes(fresh_tenant.database) == PEACE
    assert incidents(fresh_tenant) == [("drift", "OPEN")]
    fresh_tenant.list_objects()
    assert reconcile_changes(fresh_tenant.database).ended == 1


def test_many_lasting_differences_hold_up_no_other(fresh_tenant: "TenantWorld") -> None:
    volumes = [fresh_tenant.made("volume", size_gib=3, name=f"it-{number}") for number in range(5)]
    fresh_tenant.list_objects(size_gib=8)
    assert reconcile(fresh_tenant.database, page=2).alerted == 5
    machine = fresh_tenant.made("virtual_machine")
    fresh_tenant.list_objects(size_gib=8, power="STOPPED")
    outcome = reconcile_changes(fresh_tenant.database, page=2)
    assert (outcome.corrected, outcome.alerted) == (1, 0)
    fresh_tenant.settle()
    assert fresh_tenant.get(machine).status == "RUNNING"
    assert len(volumes) == sum(row["open"] for row in drifts(fresh_tenant) if row["field"] == "size_gib")


def test_more_new_differences_than_a_round_takes_are_found_by_the_next(fresh_tenant: "TenantWorld") -> None:
    for number in range(5):
        fresh_tenant.made("volume", size_gib=3, name=f"it-{number}")
    fresh_tenant.list_objects(size_gib=8)
    found = [reconcile_changes(fresh_tenant.database, page=2, most_new=2).alerted for _ in range(4)]
    assert found == [2, 2, 1, 0]
    fresh_tenant.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    fresh_tenant.list_objects()
    assert reconcile_changes(fresh_tenant.database, page=2, most_new=2).ended == 5
    assert set(incidents(fresh_tenant)) == {("drift", "RESOLVED")}


def test_an_incident_that_was_resolved_too_early_opens_again(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects(size_gib=8)
    reconcile(fresh_tenant.database)
    fresh_tenant.execute("UPDATE incident SET status = 'RESOLVED', resolved_at = clock_timestamp()")
    assert reconcile(fresh_tenant.database).alerted == 1
    assert incidents(fresh_tenant) == [("drift", "OPEN")]


def test_what_is_adopted_after_an_alert_ends_the_alert_on_record(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects(size_gib=8)
    reconcile(fresh_tenant.database)
    set_policy(fresh_tenant, "volume", "size_gib", "adopt")
    assert reconcile(fresh_tenant.database).adopted == 1
    assert incidents(fresh_tenant) == [("drift", "RESOLVED")]
    audited = fresh_tenant.rows("SELECT action, detail FROM audit_event WHERE actor = 'reconciler' ORDER BY id")
    assert [row["action"].rpartition(":")[2] for row in audited] == ["drift-found", "drift-adopted"]
    assert audited[1]["detail"]["size_gib"] == {"desired": 3, "observed": 8}


def test_a_volume_that_shrank_is_not_adopted(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "volume", "size_gib", "adopt")
    volume = fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects(size_gib=1)
    outcome = reconcile(fresh_tenant.database)
    assert (outcome.adopted, outcome.alerted) == (0, 1)
    assert fresh_tenant.row(volume)["spec"]["size_gib"] == 3
    assert incidents(fresh_tenant) == [("drift", "OPEN")]


def test_a_size_that_is_not_a_number_is_left_to_a_person(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "volume", "size_gib", "adopt")
    volume = fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects(size_gib="big")
    outcome = reconcile(fresh_tenant.database)
    assert (outcome.adopted, outcome.alerted) == (0, 1)
    assert fresh_tenant.row(volume)["spec"]["size_gib"] == 3


def test_two_fields_of_one_resource_are_adopted_one_after_the_other(fresh_tenant: "TenantWorld") -> None:
    for field in ("power", "vcpus"):
        set_policy(fresh_tenant, "virtual_machine", field, "adopt")
    machine = fresh_tenant.made("virtual_machine")
    left = []
    for _ in range(3):
        fresh_tenant.list_objects(power="STOPPED", vcpus=31)
        adopted = reconcile(fresh_tenant.database).adopted
        left.append((adopted, sum(row["open"] for row in drifts(fresh_tenant))))
    assert left == [(1, 1), (1, 0), (0, 0)]
    spec = fresh_tenant.row(machine)["spec"]
    assert (spec["power"], spec["vcpus"]) == ("STOPPED", 31)


def test_the_incident_of_a_lost_resource_ends_when_it_is_deleted(fresh_tenant: "TenantWorld") -> None:
    volume = fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects()
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("resource-lost", "OPEN")]
    fresh_tenant.delete(volume)
    fresh_tenant.settle()
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("resource-lost", "RESOLVED")]


def test_what_is_lost_is_an_incident_until_it_is_back(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=3)
    fresh_tenant.list_objects()
    whole = {row["uid"]: (row["kind"], row["status"]) for row in fresh_tenant.rows("SELECT * FROM inventory")}
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("resource-lost", "OPEN")]
    fresh_tenant.agent.list_inventory(whole)
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("resource-lost", "RESOLVED")]


def test_an_object_of_nobody_is_an_incident_until_it_is_gone(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.agent.list_inventory({uuid4(): ("volume", {"name": "x"})})
    for _ in range(2):
        reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("orphan", "OPEN")]
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("orphan", "RESOLVED")]


def test_one_mark_on_two_clusters_is_an_incident(fresh_tenant: "TenantWorld") -> None:
    fresh_tenant.made("volume", size_gib=3, cluster=fresh_tenant.cluster)
    fresh_tenant.list_objects()
    elsewhere, _ = fresh_tenant.add_cluster()
    (item,) = fresh_tenant.rows("SELECT uid, kind, status FROM inventory")
    fake_agent(fresh_tenant.database, elsewhere).list_inventory(
        {item["uid"]: (item["kind"], {**item["status"], "provider_reference": "copy"})}
    )
    reconcile(fresh_tenant.database)
    assert incidents(fresh_tenant) == [("duplicate", "OPEN")]
    fake_agent(fresh_tenant.database, elsewhere).list_inventory({})
    reconcile(fresh_tenant.database)
    assert ("duplicate", "RESOLVED") in incidents(fresh_tenant)


def leave_behind(tenant: "TenantWorld") -> ChangeResult:
    """Let a create fail that cannot be taken back."""
    volume = tenant.create("volume", size_gib=3)
    answers = {"create": Outcome.UNCERTAIN, "delete": Outcome.PERMANENT}
    tenant.settle(lambda operation: tenant.agent.failed(operation, answers[operation.verb]))
    return volume


def test_a_leak_closes_when_its_cluster_does_not_show_it(fresh_tenant: "TenantWorld") -> None:
    volume = leave_behind(fresh_tenant)
    uid = volume.resource.id
    fresh_tenant.execute("UPDATE leak SET found_at = found_at - interval '1 minute'")
    fresh_tenant.agent.list_inventory({uid: ("volume", {"name": "x"})})
    reconcile(fresh_tenant.database)
    assert fresh_tenant.rows("SELECT resolved_by FROM leak") == [{"resolved_by": ""}]
    fresh_tenant.agent.list_inventory({})
    reconcile(fresh_tenant.database)
    assert fresh_tenant.rows("SELECT resolved_by FROM leak") == [{"resolved_by": "reconciler"}]
    assert ("leak", "RESOLVED") in incidents(fresh_tenant)


def test_of_several_differences_the_adopted_field_and_no_other_is_written(fresh_tenant: "TenantWorld") -> None:
    set_policy(fresh_tenant, "virtual_machine", "vcpus", "adopt")
    set_policy(fresh_tenant, "virtual_machine", "power", "alert")
    machine = fresh_tenant.made("virtual_machine")
    before = fresh_tenant.row(machine)
    fresh_tenant.list_objects(power="STOPPED", vcpus=31)
    with fresh_tenant.database.system() as connection:
        began = drift.begin_round(connection)
        assert began is not None
        drift.record(connection, compared_kinds(connection.kinds), since=None, limit=100)
        assert adopt(connection, drift.lasting(connection, began=began, after=None, limit=100)[1:]).count == 1
    after = fresh_tenant.row(machine)
    assert after["spec"] == {**before["spec"], "vcpus": 31}
    assert after["observed"] == {**before["observed"], "vcpus": 31}
    assert after["status"] == "RUNNING"
