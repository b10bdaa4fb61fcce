# SPDX-License-Identifier: Apache-2.0
"""Every difference is recorded, and corrected, adopted or told of, as its policy says."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratoplane.messages import Outcome
from stratoplane_engine.drift.fields import COMPARABLE
from stratoplane_engine.drift.reconciler import Comparison, reconcile
from stratoplane_engine.model.change import Accepted

if TYPE_CHECKING:
    from conftest import Site

PEACE = Comparison(corrected=0, lost=0, found=0, orphans=0)
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


def drifts(site: "Site") -> list[dict[str, Any]]:
    found = site.rows("SELECT * FROM drift ORDER BY found_at")
    return [{**row, "open": row["ended_at"] is None} for row in found]


def incidents(site: "Site") -> list[tuple[str, str]]:
    return [(row["kind"], row["status"]) for row in site.rows("SELECT kind, status FROM incident ORDER BY kind")]


def set_policy(site: "Site", kind: str, field: str, policy: str) -> None:
    insert = "INSERT INTO drift_policy (kind, field, driver, policy) VALUES (:kind, :field, '*', :policy)"
    site.execute(insert, kind=kind, field=field, policy=policy)


@pytest.mark.parametrize("each", COMPARABLE, ids=lambda each: f"{each.kind}-{each.field}")
def test_a_difference_in_every_field_is_found_recorded_and_dealt_with(fresh_site: "Site", each: Any) -> None:
    made = fresh_site.made(each.kind, name="it", **BODIES[each.kind])
    fresh_site.list_objects(**{MEMBER.get(each.field, each.field): STRANGE[each.field]})

    outcome = reconcile(fresh_site.database)
    (row,) = drifts(fresh_site)
    assert (row["field"], row["observed"], row["policy"], row["open"]) == (
        each.field,
        STRANGE[each.field],
        each.policies[0],
        True,
    )
    if each.policies[0] == "correct":
        assert (outcome.corrected, row["corrections"], incidents(fresh_site)) == (1, 1, [])
        fresh_site.settle()
        assert fresh_site.get(made)["status"] in {"ACTIVE", "RUNNING"}
    else:
        assert (outcome.alerted, incidents(fresh_site)) == (1, [("drift", "OPEN")])

    fresh_site.list_objects()
    assert reconcile(fresh_site.database).ended == 1
    assert [row["open"] for row in drifts(fresh_site)] == [False]
    assert incidents(fresh_site) in ([], [("drift", "RESOLVED")])


def test_several_differences_of_one_resource_are_corrected_by_one_job(fresh_site: "Site") -> None:
    fresh_site.made("virtual_machine", name="it")
    fresh_site.list_objects(power="STOPPED", name="renamed")
    assert reconcile(fresh_site.database).corrected == 1
    (job,) = fresh_site.rows("SELECT priority, input FROM job WHERE actor = 'reconciler'")
    assert (job["priority"], sorted(job["input"]["drift"])) == (-10, ["name", "power"])


def test_what_operators_set_goes_before_the_default(fresh_site: "Site") -> None:
    set_policy(fresh_site, "virtual_machine", "power", "alert")
    fresh_site.made("virtual_machine")
    fresh_site.list_objects(power="STOPPED")
    assert reconcile(fresh_site.database) == Comparison(corrected=0, lost=0, found=0, orphans=0, alerted=1)


def test_what_is_set_for_a_driver_counts_for_its_clusters_only(fresh_site: "Site") -> None:
    fresh_site.execute(
        "INSERT INTO provider (cluster_id, interface, driver, status) VALUES (:id, 'compute', 'mock', 'READY')",
        id=fresh_site.cluster_id,
    )
    set_policy(fresh_site, "virtual_machine", "power", "correct")
    fresh_site.execute("INSERT INTO drift_policy VALUES ('virtual_machine', 'power', 'mock', 'alert')")
    fresh_site.execute("INSERT INTO drift_policy VALUES ('virtual_machine', 'power', 'other', 'adopt')")
    fresh_site.made("virtual_machine")
    fresh_site.list_objects(power="STOPPED")
    assert reconcile(fresh_site.database).alerted == 1


def test_adopted_power_becomes_what_is_desired(fresh_site: "Site") -> None:
    set_policy(fresh_site, "virtual_machine", "power", "adopt")
    machine = fresh_site.made("virtual_machine")
    fresh_site.list_objects(power="STOPPED")

    assert reconcile(fresh_site.database).adopted == 1
    assert (fresh_site.get(machine)["status"], fresh_site.get(machine)["power"]) == ("STOPPED", "STOPPED")
    fresh_site.list_objects(power="STOPPED")
    assert reconcile(fresh_site.database) == PEACE
    assert [row["open"] for row in drifts(fresh_site)] == [False]


def test_an_adopted_size_is_charged(fresh_site: "Site") -> None:
    set_policy(fresh_site, "volume", "size_gib", "adopt")
    volume = fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects(size_gib=8)

    assert reconcile(fresh_site.database).adopted == 1
    assert fresh_site.get(volume)["size_gib"] == 8
    assert fresh_site.used()["storage_gib"] == 8
    fresh_site.check_accounts()
    revisions = fresh_site.rows("SELECT spec->>'size_gib' AS size FROM resource_revision ORDER BY sequence")
    assert revisions[-1] == {"size": "8"}


def test_a_correction_that_does_not_hold_is_given_up_and_told_of(fresh_site: "Site") -> None:
    machine = fresh_site.made("virtual_machine")
    outcomes = []
    for _ in range(5):
        fresh_site.list_objects(power="STOPPED")
        outcome = reconcile(fresh_site.database)
        outcomes.append((outcome.corrected, outcome.alerted))
        fresh_site.settle()
    assert outcomes == [(1, 0), (1, 0), (1, 0), (0, 1), (0, 1)]
    assert incidents(fresh_site) == [("drift", "OPEN")]
    assert fresh_site.get(machine)["status"] == "RUNNING"


def test_flapping_is_counted_over_the_hour(fresh_site: "Site") -> None:
    fresh_site.made("virtual_machine")
    corrected = []
    for _ in range(4):
        fresh_site.list_objects(power="STOPPED")
        corrected.append(reconcile(fresh_site.database).corrected)
        fresh_site.settle()
        fresh_site.list_objects()
        reconcile(fresh_site.database)
    assert corrected == [1, 1, 1, 0]


def test_two_reconcilers_at_once_do_the_work_once(fresh_site: "Site") -> None:
    for number in range(5):
        fresh_site.made("volume", size_gib=1, name=f"it-{number}")
    fresh_site.list_objects(name="renamed")
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: reconcile(fresh_site.database), range(4)))
    assert sum(outcome.corrected for outcome in outcomes) == 5
    assert fresh_site.rows("SELECT count(*)::int AS n FROM job WHERE actor = 'reconciler'") == [{"n": 5}]


def test_between_full_comparisons_what_has_changed_is_compared(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects()
    assert reconcile(fresh_site.database) == PEACE
    fresh_site.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    fresh_site.list_objects(size_gib=8)
    assert reconcile(fresh_site.database, full=False).alerted == 1

    fresh_site.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    assert reconcile(fresh_site.database, full=False) == PEACE
    assert incidents(fresh_site) == [("drift", "OPEN")]
    fresh_site.list_objects()
    assert reconcile(fresh_site.database, full=False).ended == 1


def test_many_lasting_differences_hold_up_no_other(fresh_site: "Site") -> None:
    volumes = [fresh_site.made("volume", size_gib=3, name=f"it-{number}") for number in range(5)]
    fresh_site.list_objects(size_gib=8)
    assert reconcile(fresh_site.database, page=2).alerted == 5
    machine = fresh_site.made("virtual_machine")
    fresh_site.list_objects(size_gib=8, power="STOPPED")
    outcome = reconcile(fresh_site.database, full=False, page=2)
    assert (outcome.corrected, outcome.alerted) == (1, 0)
    fresh_site.settle()
    assert fresh_site.get(machine)["status"] == "RUNNING"
    assert len(volumes) == sum(row["open"] for row in drifts(fresh_site) if row["field"] == "size_gib")


def test_more_new_differences_than_a_round_takes_are_found_by_the_next(fresh_site: "Site") -> None:
    for number in range(5):
        fresh_site.made("volume", size_gib=3, name=f"it-{number}")
    fresh_site.list_objects(size_gib=8)
    found = [reconcile(fresh_site.database, full=False, page=2, most_new=2).alerted for _ in range(4)]
    assert found == [2, 2, 1, 0]
    fresh_site.execute("UPDATE inventory SET changed_at = changed_at - interval '1 hour'")
    fresh_site.list_objects()
    assert reconcile(fresh_site.database, full=False, page=2, most_new=2).ended == 5
    assert set(incidents(fresh_site)) == {("drift", "RESOLVED")}


def test_an_incident_that_was_resolved_too_early_opens_again(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects(size_gib=8)
    reconcile(fresh_site.database)
    fresh_site.execute("UPDATE incident SET status = 'RESOLVED', resolved_at = clock_timestamp()")
    assert reconcile(fresh_site.database).alerted == 1
    assert incidents(fresh_site) == [("drift", "OPEN")]


def test_what_is_adopted_after_an_alert_ends_the_alert_on_record(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects(size_gib=8)
    reconcile(fresh_site.database)
    set_policy(fresh_site, "volume", "size_gib", "adopt")
    assert reconcile(fresh_site.database).adopted == 1
    assert incidents(fresh_site) == [("drift", "RESOLVED")]
    audited = fresh_site.rows("SELECT action, detail FROM audit_event WHERE actor = 'reconciler' ORDER BY id")
    assert [row["action"].rpartition(":")[2] for row in audited] == ["drift-found", "drift-adopted"]
    assert audited[1]["detail"]["size_gib"] == {"desired": 3, "observed": 8}


def test_a_volume_that_shrank_is_not_adopted(fresh_site: "Site") -> None:
    set_policy(fresh_site, "volume", "size_gib", "adopt")
    volume = fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects(size_gib=1)
    outcome = reconcile(fresh_site.database)
    assert (outcome.adopted, outcome.alerted) == (0, 1)
    assert fresh_site.get(volume)["size_gib"] == 3
    assert incidents(fresh_site) == [("drift", "OPEN")]


def test_the_incident_of_a_lost_resource_ends_when_it_is_deleted(fresh_site: "Site") -> None:
    volume = fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects()
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("resource-lost", "OPEN")]
    fresh_site.delete(volume)
    fresh_site.settle()
    reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("resource-lost", "RESOLVED")]


def test_what_is_lost_is_an_incident_until_it_is_back(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=3)
    fresh_site.list_objects()
    whole = {row["uid"]: (row["kind"], row["status"]) for row in fresh_site.rows("SELECT * FROM inventory")}
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("resource-lost", "OPEN")]
    fresh_site.hand.list_inventory(whole)
    reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("resource-lost", "RESOLVED")]


def test_an_object_of_nobody_is_an_incident_until_it_is_gone(fresh_site: "Site") -> None:
    fresh_site.hand.list_inventory({uuid4(): ("volume", {"name": "x"})})
    for _ in range(2):
        reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("orphan", "OPEN")]
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    assert incidents(fresh_site) == [("orphan", "RESOLVED")]


def test_one_mark_on_two_clusters_is_an_incident(fresh_site: "Site") -> None:
    fresh_site.made("volume", size_gib=3, cluster=fresh_site.cluster)
    fresh_site.list_objects()
    elsewhere, _ = fresh_site.add_cluster()
    (item,) = fresh_site.rows("SELECT uid, kind, status FROM inventory")
    fresh_site.hand_of(elsewhere).list_inventory({item["uid"]: (item["kind"], item["status"])})
    reconcile(fresh_site.database)
    assert ("duplicate", "OPEN") in incidents(fresh_site)
    fresh_site.hand_of(elsewhere).list_inventory({})
    reconcile(fresh_site.database)
    assert ("duplicate", "RESOLVED") in incidents(fresh_site)


def leave_behind(site: "Site") -> Accepted:
    """Let a create fail that cannot be taken back."""
    volume = site.create("volume", size_gib=3)
    answers = {"create": Outcome.UNCERTAIN, "delete": Outcome.PERMANENT}
    site.settle(lambda operation: site.hand.failed(operation, answers[operation.verb]))
    return volume


def test_a_leak_closes_when_its_cluster_does_not_show_it(fresh_site: "Site") -> None:
    volume = leave_behind(fresh_site)
    uid = UUID(str(volume.resource["id"]))
    fresh_site.execute("UPDATE leak SET found_at = found_at - interval '1 minute'")
    fresh_site.hand.list_inventory({uid: ("volume", {"name": "x"})})
    reconcile(fresh_site.database)
    assert fresh_site.rows("SELECT resolved_by FROM leak") == [{"resolved_by": ""}]
    fresh_site.hand.list_inventory({})
    reconcile(fresh_site.database)
    assert fresh_site.rows("SELECT resolved_by FROM leak") == [{"resolved_by": "reconciler"}]
    assert ("leak", "RESOLVED") in incidents(fresh_site)


VALUES = {
    "power": st.sampled_from(["RUNNING", "STOPPED"]),
    "vcpus": st.integers(1, 3),
    "memory_mib": st.sampled_from([512, 1024]),
    "volume_uids": st.lists(st.sampled_from([str(UUID(int=n)) for n in range(3)]), unique=True),
    "name": st.sampled_from(["it", "other"]),
}


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(observed=st.fixed_dictionaries({}, optional=VALUES), desired=st.fixed_dictionaries(VALUES))
def test_the_statement_finds_what_a_plain_comparison_finds(
    fresh_site: "Site", observed: dict[str, Any], desired: dict[str, Any]
) -> None:
    fresh_site.execute("DELETE FROM drift")
    fresh_site.execute("DELETE FROM job WHERE actor = 'reconciler'")
    known = fresh_site.rows("SELECT id FROM resource WHERE kind = 'virtual_machine'")
    identifier = known[0]["id"] if known else UUID(str(fresh_site.made("virtual_machine").resource["id"]))
    spec = {name: value for name, value in desired.items() if name not in {"volume_uids", "name"}}
    fresh_site.execute(
        "UPDATE resource SET name = :name, status = 'RUNNING', updated_at = clock_timestamp() - interval '1 minute',"
        " spec = spec || CAST(:spec AS jsonb) WHERE id = :id",
        name=desired["name"],
        spec=orjson.dumps({**spec, "volume_ids": desired["volume_uids"]}).decode(),
        id=identifier,
    )
    fresh_site.hand.list_inventory({identifier: ("virtual_machine", observed)})
    reconcile(fresh_site.database)

    def plain(values: dict[str, Any], name: str) -> Any:
        return sorted(values[name]) if name == "volume_uids" else values[name]

    expected = {name for name in observed if plain(observed, name) != plain(desired, name)}
    assert {row["field"] for row in drifts(fresh_site)} == {
        "volumes" if name == "volume_uids" else name for name in expected
    }
