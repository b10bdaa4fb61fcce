# SPDX-License-Identifier: Apache-2.0
"""The agents' namespace: enrolment, polls that are woken, and messages that are not what they should be."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

AGENT, OPS = "/api/agent/v1", "/api/ops/v1"
NOBODY = "0199d2a5-0c28-7a00-8000-000000000000"


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    assert answer.mimetype == "application/problem+json"
    return answer.json


@pytest.fixture
def enrol(agent_app):
    client = agent_app.test_client()
    return lambda token, **more: client.post(
        f"{AGENT}/enrol", json={"join_token": token, "name": "a", "version": "1", **more}
    )


def test_a_join_token_enrols_one_agent_once(operator, enrol):
    cluster = operator("POST", f"{OPS}/clusters", {"name": f"once-{time.time_ns()}"}).json
    token = operator("POST", f"{OPS}/clusters/{cluster['id']}/join-tokens", {}).json["token"]
    enrolment = enrol(token)

    assert enrolment.json["cluster_id"] == cluster["id"]
    assert enrolment.json["credential"]
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


def test_a_poll_without_work_is_answered_when_its_time_has_passed(make_cluster):
    cluster = make_cluster()
    began = time.monotonic()

    assert cluster.offers(wait_seconds=0.3) == []
    assert 0.3 <= time.monotonic() - began < 3


def test_a_poll_is_woken_by_the_work_that_comes(make_cluster, make_tenant, drain_once):
    cluster, tenant = make_cluster(), make_tenant()
    cluster.offers()
    found = []
    poll = threading.Thread(target=lambda: found.append((cluster.offers(wait_seconds=20), time.monotonic())))
    poll.start()
    tenant.make("buckets", name="one", cluster=cluster.name)
    offered = time.monotonic()
    drain_once()
    poll.join(15)

    operations, woken = found[0]
    assert [each["verb"] for each in operations] == ["create"]
    assert woken - offered < 4


def test_an_agent_holds_a_bounded_number_of_polls(make_cluster, settings):
    cluster, other = make_cluster(), make_cluster()
    body = {"maximum": 1, "wait_seconds": 2}
    with ThreadPoolExecutor(settings.agent_polls + 1) as pool:
        polls = [pool.submit(cluster.agent, "POST", "/offers", body) for _ in range(settings.agent_polls + 1)]
        neighbour = other.agent("POST", "/offers", {"maximum": 1, "wait_seconds": 0})
        answers = [poll.result() for poll in polls]

    assert neighbour.status_code == 200
    assert sorted(answer.status_code for answer in answers) == [*[200] * settings.agent_polls, 429]
    assert next(each for each in answers if each.status_code == 429).headers["Retry-After"] == "1"


def test_an_agent_sees_and_ends_the_operations_of_its_own_cluster_only(make_cluster, make_tenant, drain_once):
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


def test_an_inventory_is_taken(make_cluster, operator):
    cluster = make_cluster()
    report = {"kinds": ["volume"], "items": [{"uid": NOBODY, "kind": "volume", "status": {"size_gib": 1}}]}

    assert cluster.agent("POST", "/inventory", report).status_code == 204


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
    refused(cluster.agent("POST", "/results", data=data, headers={"Content-Type": "application/json"}), status, code)


def test_a_report_may_be_large_and_not_boundless(cluster):
    text = "x" * (2 * 1024 * 1024)
    result = {"id": NOBODY, "epoch": 1, "outcome": "done", "status": {"text": text}}

    assert cluster.agent("POST", "/results", {"results": [result]}).json["stale"] == [NOBODY]
    result["status"]["text"] = "x" * (17 * 1024 * 1024)
    refused(cluster.agent("POST", "/results", {"results": [result]}), 413, "body_too_large")


def test_odd_polls_are_served_within_bounds(cluster):
    assert cluster.agent("POST", "/offers", {"maximum": -5, "wait_seconds": -1}).status_code == 200
    assert cluster.agent("POST", "/offers", {"maximum": 10**9, "wait_seconds": 0}).status_code == 200


def test_a_wrong_method_is_a_problem(cluster):
    answer = cluster.agent("GET", "/offers")

    refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
