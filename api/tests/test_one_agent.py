# SPDX-License-Identifier: Apache-2.0
"""A cluster has one agent, and an agent one process: a second one is refused and splits no work."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from api.tests.signing_agent import Agent
from stratoplane_engine.db import agent_keys
from stratoplane_engine.services import clusters

OPS = "/api/ops/v1"
HELLO = {"version": "1"}
POLL = {"maximum": 5, "wait_seconds": 0}
FIRST, SECOND, THIRD = "1" * 16, "2" * 16, "3" * 16


@pytest.fixture
def token_of(operator):
    """``token_of(cluster, **options)``: the text of a new join token."""
    return lambda cluster, **options: operator("POST", f"{OPS}/clusters/{cluster.id}/join-tokens", options).json[
        "token"
    ]


@pytest.fixture
def age(ask):
    """``age(agent)``: let the time pass after which both of two processes must be running."""

    def run(agent):
        seconds = agent_keys.GRACE_SECONDS + 2
        statement = "UPDATE agent SET process_since = process_since - make_interval(secs => :s) WHERE id = :id"
        ask(f"{statement} RETURNING 1", s=seconds, id=agent.id)

    return run


def incidents(ask, agent):
    return ask("SELECT severity, status FROM incident WHERE key = :key", key=f"agent-twice:{agent.id}")


def refused(answer, status, code):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    return answer.json["detail"]


def test_a_second_agent_is_refused_while_the_cluster_has_one_and_is_told_what_to_do(
    make_cluster, token_of, join, refusals, operator
):
    cluster = make_cluster()
    text, before = token_of(cluster), refusals().count("served")
    detail = refused(join(text)[0], 409, "state_conflict")

    assert cluster.agent.id in detail
    assert f"stratoplane cluster join-token {cluster.name} --replace" in detail
    assert f"stratoplane agent revoke {cluster.agent.id}" in detail
    assert refusals().count("served") == before + 1
    assert cluster.agent("POST", "/offers", POLL).status_code == 200
    # The token was not used up: it admits the next agent once the first is revoked.
    assert operator("POST", f"{OPS}/agents/{cluster.agent.id}/revoke").status_code == 200
    assert join(text)[0].status_code == 200


def test_a_token_that_replaces_ends_the_agent_before_and_is_on_record(make_cluster, token_of, join, agent_app, ask):
    cluster = make_cluster()
    enrolment, key = join(token_of(cluster, replace=True))
    agent = Agent(client=agent_app.test_client(), id=enrolment.json["agent_id"], key=key)

    assert enrolment.status_code == 200
    assert "revoked" in refused(cluster.agent("POST", "/offers", POLL), 401, "authentication_failed")
    assert agent("POST", "/hello", HELLO).status_code == 200
    events = ask(
        "SELECT detail ->> 'reason' FROM audit_event WHERE subject_id = :id AND action LIKE '%revoked'",
        id=cluster.agent.id,
    )
    assert events == [("replaced by another agent",)]


def test_of_agents_that_join_an_empty_cluster_at_once_one_is_admitted(operator, token_of, join):
    class Empty:
        id = operator("POST", f"{OPS}/clusters", {"name": f"race-{uuid.uuid4().hex[:8]}"}).json["id"]

    tokens = [token_of(Empty) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda text: join(text)[0].status_code, tokens))

    assert sorted(answers) == [200, 409, 409, 409]


def test_the_local_agent_replaces_one_that_is_silent_and_none_that_works(database, make_cluster, join, ask):
    cluster = make_cluster()
    beside = clusters.ensure_local_cluster(database, cluster.name).token
    refused(join(beside)[0], 409, "state_conflict")
    ask("UPDATE cluster SET seen_at = now() - interval '1 hour' WHERE id = :id RETURNING 1", id=cluster.id)

    assert join(clusters.ensure_local_cluster(database, cluster.name).token)[0].status_code == 200


def test_an_agent_that_restarts_goes_on_at_once_and_often(make_cluster, ask, age):
    agent = make_cluster().agent
    for number in range(30):
        agent.process = f"{number:016x}"
        assert agent("POST", "/hello", HELLO).status_code == 200
        assert agent("POST", "/offers", POLL).status_code == 200
        age(agent)

    assert incidents(ask, agent) == []


def test_what_the_process_before_sends_as_it_ends_is_refused_and_no_incident(make_cluster, ask):
    agent = replace(make_cluster().agent, process=FIRST)
    assert agent("POST", "/hello", HELLO).status_code == 200
    assert replace(agent, process=SECOND)("POST", "/hello", HELLO).status_code == 200

    refused(agent("POST", "/results", {"results": []}), 409, "state_conflict")
    assert incidents(ask, agent) == []


def test_of_two_processes_with_one_state_folder_the_later_works_and_operators_are_told(
    make_cluster, ask, age, refusals
):
    first = replace(make_cluster().agent, process=FIRST)
    second = replace(first, process=SECOND)
    assert first("POST", "/hello", HELLO).status_code == 200
    assert second("POST", "/hello", HELLO).status_code == 200
    age(first)

    for path, body in (("offers", POLL), ("hello", HELLO), ("results", {"results": []})):
        detail = refused(first("POST", f"/{path}", body), 409, "state_conflict")
        assert "its state folder was copied" in detail
    assert second("POST", "/offers", POLL).status_code == 200
    assert incidents(ask, first) == [("CRITICAL", "OPEN")]
    assert refusals(first.id) == ["replaced"]


def test_a_process_that_was_replaced_stays_so_whatever_comes_after(make_cluster, age):
    first = replace(make_cluster().agent, process=FIRST)
    second, third = replace(first, process=SECOND), replace(first, process=THIRD)
    for each in (first, second, third):
        assert each("POST", "/hello", HELLO).status_code == 200
    age(first)

    assert [each("POST", "/hello", HELLO).status_code for each in (first, second, third)] == [409, 409, 200]


def test_an_agent_that_names_no_process_works_before_and_after_one_that_does(make_cluster):
    older = make_cluster().agent
    newer = replace(older, process=FIRST)

    assert [each("POST", "/offers", POLL).status_code for each in (older, newer, older, newer)] == [200] * 4


def test_a_forged_process_moves_nothing(make_cluster, agent_app):
    agent = replace(make_cluster().agent, process=FIRST)
    assert agent("POST", "/hello", HELLO).status_code == 200
    headers = agent.headers("/hello", b"{}")
    forged = {**headers, "Signature-Input": headers["Signature-Input"].replace(FIRST, SECOND)}
    answer = agent_app.test_client().post("/api/agent/v1/hello", data=b"{}", headers=forged)

    refused(answer, 401, "authentication_failed")
    assert agent("POST", "/offers", POLL).status_code == 200


def test_processes_that_begin_side_by_side_are_each_counted_once(make_cluster, agent_app):
    agent = replace(make_cluster().agent, process=FIRST)
    with ThreadPoolExecutor(8) as pool:
        calls = [replace(agent, client=agent_app.test_client()) for _ in range(16)]
        answers = list(pool.map(lambda each: each("POST", "/offers", POLL).status_code, calls))

    # Requests of one process that come together must not take each other for the process before.
    assert set(answers) <= {200, 429}
    assert agent("POST", "/hello", HELLO).status_code == 200
