# SPDX-License-Identifier: Apache-2.0
"""The agents' namespace: enrolment, polls that are woken, and messages that are not what they should be."""

import threading
import time
import uuid
from dataclasses import replace

import pytest

from stratoplane_api.agent_gateway import agent_gateway, install
from stratoplane_api.app import create_agent_app
from stratoplane_api.poll_fallback import PollFallback
from stratoplane_engine.db.statement import Statement

AGENT, OPS = "/api/agent/v1", "/api/ops/v1"
NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"
# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 60


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    assert answer.mimetype == "application/problem+json"
    return answer.json


@pytest.fixture
def enrol(join):
    return lambda token, **more: join(token, "a", **more)[0]


def test_a_join_token_enrols_one_agent_once(operator, enrol):
    cluster = operator("POST", f"{OPS}/clusters", {"name": f"once-{time.time_ns()}"}).json
    token = operator("POST", f"{OPS}/clusters/{cluster['id']}/join-tokens", {}).json["token"]
    enrolment = enrol(token)

    assert enrolment.json["cluster_id"] == cluster["id"]
    assert "credential" not in enrolment.json
    refused(enrol(token), 401, "authentication_failed")
    refused(enrol("spt_join_nonsense"), 401, "authentication_failed")
    refused(enrol(token, protocol=99), 422, "invalid_spec")


@pytest.mark.parametrize("path", ["hello", "offers", "acknowledgements", "results", "inventory"])
def test_an_agents_route_is_closed_to_strangers_and_to_people(agent_app, operator, path):
    client = agent_app.test_client()

    refused(client.post(f"{AGENT}/{path}", json={}), 401, "authentication_failed")
    headers = {"Authorization": f"Bearer {operator.token}"}
    refused(client.post(f"{AGENT}/{path}", json={}, headers=headers), 401, "authentication_failed")


def test_a_deleted_cluster_ends_its_agents_credential(operator, make_cluster):
    cluster = make_cluster()
    operator("DELETE", f"{OPS}/clusters/{cluster.id}")

    refused(cluster.agent("POST", "/hello", {"version": "1"}), 401, "authentication_failed")


def test_a_poll_without_work_is_answered_when_its_time_has_passed_or_a_little_before(make_cluster):
    cluster = make_cluster()
    began = time.monotonic()

    assert cluster.offers(wait_seconds=1.0) == []
    assert 0.8 <= time.monotonic() - began < PATIENCE


class NeverLooks(PollFallback):
    """Leaves it to the notification alone to wake a poll: who misses it is answered with nothing, when time is up."""

    def ensure(self):
        pass


def test_a_poll_is_woken_by_the_work_that_comes(make_cluster, make_tenant, drain_once, database, settings):
    cluster, tenant, app = make_cluster(), make_tenant(), create_agent_app(database, settings)
    with app.app_context():
        parts = agent_gateway()
    install(app, replace(parts, poll_fallback=NeverLooks(database, parts.waiters)))
    agent = replace(cluster.agent, client=app.test_client())
    found = []
    body = {"maximum": 100, "wait_seconds": 50}
    poll = threading.Thread(target=lambda: found.append(agent("POST", "/offers", body)))
    poll.start()
    tenant.make("buckets", name="one", cluster=cluster.name)
    drain_once()
    poll.join(PATIENCE)

    assert [each["verb"] for each in found[0].json["operations"]] == ["create"]


def test_an_agent_sees_and_ends_the_endpoints_of_its_own_cluster_only(make_cluster, make_tenant, drain_once):
    mine, other, tenant = make_cluster(), make_cluster(), make_tenant()
    tenant.make("buckets", name="one", cluster=mine.name)
    drain_once()

    assert other.offers() == []
    [operation] = mine.offers()
    named = {"operations": [{"id": operation["id"], "epoch": operation["epoch"]}]}
    done = {"results": [{"id": operation["id"], "epoch": operation["epoch"], "outcome": "done", "status": {}}]}
    assert other.agent("POST", "/acknowledgements", named).json == {"accepted": [], "refused": [operation["id"]]}
    assert other.agent("POST", "/results", done).json == {"accepted": [], "stale": [operation["id"]]}
    assert mine.agent("POST", "/acknowledgements", named).json == {"accepted": [operation["id"]], "refused": []}
    assert mine.agent("POST", "/results", done).json == {"accepted": [operation["id"]], "stale": []}


def inventory(agent, sequence, items, gone=(), snapshot=NOBODY):
    shown = [{"uid": uid, "kind": "volume", "status": {"size_gib": size}} for uid, size in items]
    report = {"kinds": ["volume"], "items": shown, "gone": list(gone), "snapshot": snapshot, "sequence": sequence}
    return agent("POST", "/inventory", report).json["wanted"]


def kept(database, cluster):
    statement = "SELECT uid, status ->> 'size_gib' AS size, changed_at FROM inventory WHERE cluster_id = :id"
    with database.system() as connection:
        rows = connection.documents(Statement(statement), {"id": cluster.id})
    return {str(row["uid"]): (int(row["size"]), row["changed_at"]) for row in rows}


def test_an_inventory_is_a_snapshot_and_then_what_changed(make_cluster, database):
    cluster = make_cluster()
    one, two, three = (str(uuid.uuid4()) for _ in range(3))
    assert inventory(cluster.agent, 0, [(one, 1), (two, 1)]) == []
    before = kept(database, cluster)
    assert inventory(cluster.agent, 1, [(two, 2), (three, 3)], gone=[one]) == []
    assert inventory(cluster.agent, 1, [(two, 2), (three, 3)], gone=[one]) == []
    after = kept(database, cluster)

    assert {uid: size for uid, (size, _) in after.items()} == {two: 2, three: 3}
    assert after[two][1] > before[two][1]


def test_an_inventory_that_changed_nothing_touches_nothing(make_cluster, database):
    cluster = make_cluster()
    one = str(uuid.uuid4())
    inventory(cluster.agent, 0, [(one, 1)])
    before = kept(database, cluster)
    inventory(cluster.agent, 0, [(one, 1)], snapshot=str(uuid.uuid4()))
    inventory(cluster.agent, 1, [])

    assert kept(database, cluster) == before


def test_a_delta_that_continues_nothing_is_not_taken_and_a_snapshot_is_asked_for(make_cluster, database):
    cluster = make_cluster()
    one = str(uuid.uuid4())
    assert inventory(cluster.agent, 1, [(one, 1)]) == ["volume"]
    assert inventory(cluster.agent, 0, [(one, 1)]) == []
    assert inventory(cluster.agent, 2, [], gone=[one]) == ["volume"]
    assert inventory(cluster.agent, 1, [], gone=[one], snapshot=str(uuid.uuid4())) == ["volume"]

    assert set(kept(database, cluster)) == {one}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("offers", {}, "/maximum"),
        ("offers", {"maximum": "5", "wait_seconds": 0}, "/maximum"),
        ("offers", {"maximum": 5, "wait_seconds": None}, "/wait_seconds"),
        ("offers", [], ""),
        ("acknowledgements", {"operations": [{"id": "x", "epoch": 1}]}, "/operations/0/id"),
        ("results", {"results": [{"id": NOBODY, "epoch": 1, "outcome": "perhaps"}]}, "/results/0/outcome"),
        ("inventory", {"kinds": "volume", "items": []}, "/kinds"),
        ("hello", {"version": 1}, "/version"),
    ],
)
def test_a_message_that_is_not_what_it_should_be_is_pointed_at(cluster, path, body, pointer):
    problem = refused(cluster.agent("POST", f"/{path}", body), 422, "invalid_spec")

    assert [each["pointer"] for each in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [(b"", 400, "malformed_json"), (b"{", 400, "malformed_json"), (b"[" * 99 + b"]" * 99, 400, "json_too_deep")],
)
def test_a_body_that_is_no_message_is_refused(cluster, data, status, code):
    refused(cluster.agent("POST", "/results", data=data), status, code)


def test_a_report_may_be_large_and_not_boundless(cluster):
    text = "x" * (2 * 1024 * 1024)
    result = {"id": NOBODY, "epoch": 1, "outcome": "done", "status": {"text": text}}

    assert cluster.agent("POST", "/results", {"results": [result]}).json["stale"] == [NOBODY]
    larger = {**result, "status": {"text": "x" * (17 * 1024 * 1024)}}
    refused(cluster.agent("POST", "/results", {"results": [larger]}), 413, "body_too_large")


def test_odd_polls_are_served_within_bounds(cluster):
    assert cluster.agent("POST", "/offers", {"maximum": -5, "wait_seconds": -1}).status_code == 200
    assert cluster.agent("POST", "/offers", {"maximum": 10**9, "wait_seconds": 0}).status_code == 200


def test_a_wrong_method_is_a_problem(cluster):
    answer = cluster.agent("GET", "/offers")

    refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
