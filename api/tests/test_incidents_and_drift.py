# SPDX-License-Identifier: Apache-2.0
"""What operators see of incidents and drift on the wire; the client of these tests checks every answer's schema."""

import random
import uuid

import pytest

from stratoplane.errors import TransientError
from stratoplane.hookspecs import hookimpl
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.incidents.notifier import notify
from stratoplane_engine.plugins import Plugins

OPS = "/api/ops/v1"


class Refusing:
    """A plugin whose receiver is busy."""

    @hookimpl
    def stratoplane_notify(self, notification):
        raise TransientError(f"{notification.event}: busy")


@pytest.fixture
def reported(database, cluster):
    """The uid of an orphan on the one cluster, which is an incident."""
    uid = str(uuid.uuid4())
    finding = Finding(
        kind=IncidentKind.ORPHAN,
        severity=Severity.WARNING,
        key=f"orphan:{uid}",
        title=f"volume {uid} belongs to no resource",
        detail={"uid": uid},
        cluster_id=uuid.UUID(cluster.id),
    )
    with database.system() as connection:
        incident_rows.report(connection, finding)
    return uid


def found(operator, uid, query=""):
    items = operator("GET", f"{OPS}/incidents?limit=200{query}").json["items"]
    return [each for each in items if each["detail"].get("uid") == uid]


def test_an_incident_is_listed_with_its_cluster_and_times_in_utc(operator, reported, cluster):
    (listed,) = found(operator, reported)

    assert (listed["kind"], listed["severity"], listed["status"]) == ("orphan", "WARNING", "OPEN")
    assert (listed["cluster_id"], listed["cluster"], listed["resource_id"]) == (cluster.id, cluster.name, None)
    assert listed["opened_at"].endswith("Z")
    assert (listed["acknowledged_at"], listed["occurrences"], listed["escalation"]) == (None, 1, 0)


def test_filters_of_the_query_narrow_the_list(operator, reported, cluster):
    for query, count in (
        ("&kind=orphan", 1),
        ("&kind=leak", 0),
        ("&severity=WARNING", 1),
        ("&severity=CRITICAL", 0),
        (f"&cluster_id={cluster.id}", 1),
        (f"&cluster_id={uuid.uuid4()}", 0),
        ("&status=OPEN", 1),
        ("&status=RESOLVED", 0),
        ("&assignee=user:nobody", 0),
    ):
        assert len(found(operator, reported, query)) == count, query


def test_an_incident_is_moved_by_operators_and_keeps_its_history(operator, reported):
    (listed,) = found(operator, reported)
    at = f"{OPS}/incidents/{listed['id']}"
    for verb, body, status, assignee in (
        ("acknowledge", {"note": "on it"}, "ACKNOWLEDGED", "user:root"),
        ("assign", {"assignee": "root"}, "ACKNOWLEDGED", "user:root"),
        ("note", {"note": "a cable"}, "ACKNOWLEDGED", "user:root"),
        ("resolve", {}, "RESOLVED", "user:root"),
        ("reopen", {"note": "again"}, "OPEN", "user:root"),
    ):
        answer = operator("POST", f"{at}/{verb}", body)
        assert (answer.status_code, answer.json["status"], answer.json["assignee"]) == (200, status, assignee)
    whole = operator("GET", at).json

    assert [(each["action"], each["note"]) for each in whole["events"]] == [
        ("opened", ""),
        ("acknowledged", "on it"),
        ("assigned", ""),
        ("noted", "a cable"),
        ("resolved", ""),
        ("reopened", "again"),
    ]
    assert whole["events"][2]["detail"] == {"assignee": "user:root"}
    assert operator("POST", f"{at}/reopen", {}).json["code"] == "state_conflict"
    assert operator("GET", f"{OPS}/incidents/{uuid.uuid4()}").status_code == 404


def test_a_notification_that_was_refused_is_shown_and_sent_again(operator, database, reported):
    loaded = Plugins.load()
    loaded.manager.register(refusing := Refusing(), "refusing")
    notify(database, loaded, generator=random.Random(5))
    loaded.manager.unregister(refusing)
    (listed,) = found(operator, reported)
    (delivery,) = operator("GET", f"{OPS}/incidents/{listed['id']}").json["deliveries"]

    assert (delivery["plugin"], delivery["event"], delivery["state"]) == ("refusing", "opened", "PENDING")
    assert (delivery["attempts"], delivery["error"], delivery["finished_at"]) == (1, "opened: busy", None)
    again = operator("POST", f"{OPS}/incidents/{listed['id']}/deliveries/{delivery['id']}/redeliver").json
    assert (again["id"], again["attempts"], again["error"]) == (delivery["id"], 0, "")


def test_a_difference_and_an_orphan_are_listed(operator, database, tenant, make_cluster, ask):
    cluster = make_cluster()
    volume = tenant.make("volumes", name="data", size_gib=3, cluster=cluster.name)["volume"]
    cluster.work()
    orphan = str(uuid.uuid4())
    ask("UPDATE resource SET updated_at = updated_at - interval '1 minute' RETURNING 1")
    shown = [
        {"uid": volume["id"], "kind": "volume", "status": {"name": "data", "size_gib": 8}},
        {"uid": orphan, "kind": "volume", "status": {"name": "data", "size_gib": 8}},
    ]
    capacity = {"vcpus": 10_000, "memory_mib": 10_000_000, "storage_gib": 1_000_000}
    sent = cluster.agent("POST", "/inventory", {"kinds": ["volume"], "items": shown, "capacity": capacity})
    assert sent.status_code == 200, sent.data
    reconcile(database)

    (difference,) = operator("GET", f"{OPS}/drift?resource_id={volume['id']}").json["items"]
    assert (difference["field"], difference["desired"], difference["observed"]) == ("size_gib", 3, 8)
    assert (difference["policy"], difference["corrections"], difference["job_id"]) == ("alert", 0, None)
    assert (difference["cluster"], difference["name"]) == (cluster.name, "data")
    assert difference["found_at"].endswith("Z")
    assert difference["ended_at"] is None
    listed = operator("GET", f"{OPS}/orphans?limit=200").json["items"]
    assert [each["cluster"] for each in listed if each["uid"] == orphan] == [cluster.name]


def test_a_policy_is_set_listed_and_reset(operator):
    key = {"kind": "network", "field": "active", "driver": "mock"}
    made = operator("PUT", f"{OPS}/drift-policies", {**key, "policy": "alert"})
    assert made.json == {**key, "policy": "alert", "is_set": True, "allowed": ["correct", "alert"]}
    listed = operator("GET", f"{OPS}/drift-policies").json["items"]
    assert [each["policy"] for each in listed if each["field"] == "active"] == ["correct", "alert"]

    assert operator("POST", f"{OPS}/drift-policies/reset", key).status_code == 204
    assert operator("POST", f"{OPS}/drift-policies/reset", key).status_code == 404
    refused = operator("PUT", f"{OPS}/drift-policies", {**key, "policy": "adopt"}).json
    assert (refused["errors"][0]["pointer"], "correct, alert" in refused["detail"]) == ("/policy", True)


def test_checkpoints_of_the_trail_are_listed_with_their_signed_note(operator, database):
    from stratoplane_engine.audit_trail.sealer import seal

    seal(database)
    (newest,) = operator("GET", f"{OPS}/audit-checkpoints?limit=1").json["items"]

    assert newest["sealed_at"].endswith("Z")
    assert (len(bytes.fromhex(newest["root"])), f"\n{newest['size']}\n" in newest["note"]) == (32, True)
