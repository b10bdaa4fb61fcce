# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken agents: each gets a clear refusal, an audit event, and changes nothing. A1 to A9."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from stratoplane.messages import AGENT_PROTOCOL
from stratoplane_api.routes import endpoints_of
from stratoplane_api.views.agent import LONGEST_POLL
from stratoplane_embedded.processes import wait_until
from stratoplane_engine import signing_keys as keys
from stratoplane_engine.db import agent_keys

AGENT, OPS = "/api/agent/v1", "/api/ops/v1"
PATHS = ("hello", "offers", "acknowledgements", "results", "inventory", "keys")
BODIES: dict[str, dict[str, object]] = {
    "hello": {"version": "1"},
    "offers": {"maximum": 5, "wait_seconds": 0},
    "acknowledgements": {"operations": []},
    "results": {"results": []},
    "inventory": {"kinds": [], "items": []},
    "keys": {"generation": 2, "public_key": "", "proof": ""},
}


def refused(answer, status=401, code="authentication_failed"):
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.data
    return answer.json["detail"]


def result_of(operation, **more):
    return {"id": operation["id"], "epoch": operation["epoch"], "outcome": "done", "status": {}, **more}


def state_of(ask, operation):
    return ask("SELECT state, epoch, result FROM operation WHERE id = :id", id=operation["id"])


# A1


def test_a_join_token_that_was_used_is_refused_and_on_record(token, join, refusals):
    before = len(refusals())
    assert join(token["token"])[0].status_code == 200

    refused(join(token["token"])[0])
    assert len(refusals()) == before + 1


def test_a_join_token_whose_time_is_over_is_refused_and_on_record(token, join, ask, refusals):
    ask("UPDATE join_token SET expires_at = now() - interval '1 second' WHERE id = :id RETURNING id", id=token["id"])
    before = len(refusals())

    refused(join(token["token"])[0])
    assert len(refusals()) == before + 1


def test_a_join_token_opens_its_own_cluster_whatever_the_request_says(token, join, make_cluster):
    answer, _ = join(token["token"], cluster_id=make_cluster().id)

    assert answer.json["cluster_id"] == token["cluster_id"]


def test_an_enrolment_that_another_key_signed_is_refused_and_spends_no_token(token, join):
    refused(join(token["token"], public_key=keys.public_key_of(keys.new_private_key()))[0])

    assert join(token["token"])[0].status_code == 200


# A2


def test_of_two_agents_that_race_for_one_token_one_wins(token, join, ask):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: join(token["token"])[0].status_code, range(8)))

    assert sorted(answers) == [200, *[401] * 7]
    assert ask("SELECT count(*) FROM agent WHERE cluster_id = :id", id=token["cluster_id"]) == [(1,)]


# A3


def test_an_agent_changes_nothing_of_another_cluster_by_any_route(working, make_cluster, ask):
    (cluster, operation), stranger = working(), make_cluster()
    held = "SELECT * FROM inventory WHERE cluster_id = :id"
    before = (state_of(ask, operation), ask(held, id=cluster.id))
    item = {"uid": str(uuid.uuid4()), "kind": "volume", "status": {}}
    named = {"id": operation["id"], "epoch": operation["epoch"]}
    foreign = {"cluster_id": cluster.id, "cluster": cluster.name, "agent_id": cluster.agent.id}
    bodies = BODIES | {
        "acknowledgements": {"operations": [named]},
        "results": {"results": [result_of(operation)]},
        "inventory": {"kinds": ["volume"], "items": [item]},
    }
    answers = {path: stranger.agent("POST", f"/{path}", bodies[path] | foreign) for path in PATHS}

    assert answers["offers"].json["operations"] == []
    assert answers["acknowledgements"].json["accepted"] == []
    assert answers["results"].json["accepted"] == []
    assert (state_of(ask, operation), ask(held, id=cluster.id)) == before
    assert cluster.agent("POST", "/results", {"results": [result_of(operation)]}).json["accepted"] == [operation["id"]]


def test_the_list_of_agents_routes_that_are_tried_is_whole(agent_app):
    served = {operation.path for operation in endpoints_of(agent_app).values()}

    assert served == {f"/{path}" for path in (*PATHS, "challenge", "enrol", "live", "ready")}


# A4


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_was_captured_opens_nothing_a_second_time(make_cluster, agent_app, path, refusals):
    agent = make_cluster().agent
    body = orjson.dumps(BODIES[path])
    headers = agent.headers(f"/{path}", body)
    client = agent_app.test_client()
    first = client.post(f"{AGENT}/{path}", data=body, headers=headers)
    again = client.post(f"{AGENT}/{path}", data=body, headers=headers)

    assert first.status_code in (200, 422)
    assert "sent before" in refused(again)
    assert refusals(agent.id) == ["replay"]


def test_a_captured_request_opens_nothing_with_another_body_path_method_or_query(make_cluster, agent_app):
    agent, client = make_cluster().agent, agent_app.test_client()
    body = orjson.dumps(BODIES["offers"])
    sent = [
        client.post(f"{AGENT}/offers", data=body + b" ", headers=agent.headers("/offers", body)),
        client.post(f"{AGENT}/hello", data=body, headers=agent.headers("/offers", body)),
        client.post(f"{AGENT}/offers?a=1", data=body, headers=agent.headers("/offers", body)),
    ]

    for answer in sent:
        refused(answer)


def test_a_request_of_long_ago_is_refused(make_cluster, refusals):
    agent = make_cluster().agent
    agent.clock_error = -360

    assert "from this clock" in refused(agent("POST", "/hello", BODIES["hello"]))
    assert refusals(agent.id) == ["clock"]


def test_a_flood_of_refused_requests_is_one_event_a_minute(make_cluster, ask, refusals):
    agent = make_cluster().agent
    agent.clock_error = 600
    for _ in range(20):
        refused(agent("POST", "/hello", BODIES["hello"]))

    assert len(refusals(agent.id)) <= 2


def test_a_request_signed_by_another_key_is_refused_and_uses_up_no_nonce(make_cluster, ask, refusals):
    agent = make_cluster().agent
    before = ask("SELECT count(*) FROM agent_nonce WHERE agent_id = :id AND nonce NOT LIKE 'refusal:%'", id=agent.id)
    agent.key = keys.new_private_key()

    refused(agent("POST", "/hello", BODIES["hello"]))
    after = ask("SELECT count(*) FROM agent_nonce WHERE agent_id = :id AND nonce NOT LIKE 'refusal:%'", id=agent.id)
    assert (after, refusals(agent.id)) == (before, ["signature"])


# A5


def test_a_result_of_an_older_epoch_changes_nothing(working, ask):
    cluster, operation = working()
    ask("UPDATE operation SET offered_until = now() - interval '1 s' WHERE id = :id RETURNING id", id=operation["id"])
    (newer,) = cluster.offers()
    before = state_of(ask, operation)
    answer = cluster.agent("POST", "/results", {"results": [result_of(operation)]})

    assert newer["epoch"] == operation["epoch"] + 1
    assert answer.json == {"accepted": [], "stale": [operation["id"]]}
    assert state_of(ask, operation) == before


# A6


def test_a_copied_agent_is_locked_within_one_rotation(make_cluster, ask, refusals):
    agent = make_cluster().agent
    stolen, fresh = (agent.key, agent.generation), keys.new_private_key()
    assert agent.rotate(fresh).json == {"generation": 2}
    agent.use(fresh)
    assert agent("POST", "/hello", BODIES["hello"]).status_code == 200
    ask(
        "UPDATE agent_key SET used_at = used_at - make_interval(secs => :s) WHERE agent_id = :id RETURNING 1",
        s=agent_keys.GRACE_SECONDS + 2,
        id=agent.id,
    )
    honest = (agent.key, agent.generation)
    agent.key, agent.generation = stolen
    assert "locked" in refused(agent("POST", "/hello", BODIES["hello"]))
    agent.key, agent.generation = honest

    assert "locked" in refused(agent("POST", "/hello", BODIES["hello"]))
    assert set(refusals(agent.id)) == {"copied", "locked"}
    assert ask("SELECT kind, severity FROM incident WHERE key = :key", key=f"agent-locked:{agent.id}") == [
        ("agent-locked", "CRITICAL")
    ]
    events = ask("SELECT action FROM audit_event WHERE subject_id = :id AND action LIKE '%locked'", id=agent.id)
    assert events == [("engine:agent:locked",)]


def test_two_copies_that_bring_two_next_keys_are_both_locked_out(make_cluster):
    agent = make_cluster().agent
    assert agent.rotate(keys.new_private_key()).status_code == 200

    assert "locked" in refused(agent.rotate(keys.new_private_key()))
    refused(agent("POST", "/hello", BODIES["hello"]))


def test_a_rotation_whose_answer_was_lost_is_repeated(make_cluster):
    agent, fresh = make_cluster().agent, keys.new_private_key()
    answers = [agent.rotate(fresh) for _ in range(3)]
    agent.use(fresh)

    assert [answer.json for answer in answers] == [{"generation": 2}] * 3
    assert agent("POST", "/hello", BODIES["hello"]).status_code == 200
    assert agent.rotate(keys.new_private_key()).json == {"generation": 3}


def test_what_was_signed_just_before_a_rotation_still_counts(make_cluster, agent_app):
    agent, fresh = make_cluster().agent, keys.new_private_key()
    body = orjson.dumps(BODIES["results"])
    under_way = agent.headers("/results", body)
    agent.rotate(fresh)
    agent.use(fresh)
    assert agent("POST", "/hello", BODIES["hello"]).status_code == 200

    late = agent_app.test_client().post(f"{AGENT}/results", data=body, headers=under_way)
    assert late.status_code == 200


def test_a_next_key_must_be_of_the_next_generation_and_prove_itself(make_cluster):
    agent = make_cluster().agent
    body = {"generation": 2, "public_key": keys.public_key_of(keys.new_private_key()), "proof": "AAAA"}

    refused(agent.rotate(keys.new_private_key(), 3), 422, "invalid_spec")
    refused(agent("POST", "/keys", body), 422, "invalid_spec")
    assert agent("POST", "/hello", BODIES["hello"]).status_code == 200


# A7


def test_a_revoked_agents_open_poll_is_cut_before_its_time_and_its_next_call_refused(
    make_cluster, operator, ask, refusals
):
    cluster = make_cluster()
    cluster.offers()
    answers = []
    # A poll whose time has passed is answered with what was last found, so that a refusal shows that it was woken.
    body = {"maximum": 1, "wait_seconds": LONGEST_POLL}
    poll = threading.Thread(target=lambda: answers.append(cluster.agent("POST", "/offers", body)))
    waits = "SELECT count(*) FROM agent_nonce WHERE agent_id = :id"
    before = ask(waits, id=cluster.agent.id)
    poll.start()
    assert wait_until(lambda: ask(waits, id=cluster.agent.id) != before, LONGEST_POLL), "the poll is not admitted"
    answer = operator("POST", f"{OPS}/agents/{cluster.agent.id}/revoke")
    poll.join(2 * LONGEST_POLL)

    assert (answer.status_code, answer.json["state"]) == (200, "REVOKED")
    refused(answers[0])
    refused(cluster.agent("POST", "/hello", BODIES["hello"]))
    assert "revoked" in refusals(cluster.agent.id)
    assert ask("SELECT count(*) FROM audit_event WHERE action = 'operations:agent:revoked' AND subject_id = :id",
               id=cluster.agent.id) == [(1,)]  # fmt: skip


def test_operators_see_agents_and_revoke_twice_alike(make_cluster, operator, tenant):
    cluster = make_cluster()
    listed = operator("GET", f"{OPS}/agents?cluster_id={cluster.id}").json["items"]
    answers = [operator("POST", f"{OPS}/agents/{cluster.agent.id}/revoke").status_code for _ in range(2)]

    assert [(each["id"], each["state"], each["protocol"]) for each in listed] == [
        (cluster.agent.id, "ACTIVE", AGENT_PROTOCOL)
    ]
    assert answers == [200, 200]
    assert operator("GET", f"{OPS}/agents?cluster_id={cluster.id}").json["items"][0]["state"] == "REVOKED"
    refused(operator("POST", f"{OPS}/agents/{uuid.uuid4()}/revoke"), 404, "resource_not_found")
    refused(tenant.admin("POST", f"{OPS}/agents/{cluster.agent.id}/revoke"), 403, "permission_denied")


# A8


@pytest.mark.parametrize("path", PATHS)
def test_a_client_certificate_in_headers_is_not_believed(make_cluster, agent_app, path):
    agent = make_cluster().agent
    forged = {
        "X-Client-Cert": agent.id,
        "X-SSL-Client-Verify": "SUCCESS",
        "X-SSL-Client-S-DN": f"CN={agent.id}",
        "X-Forwarded-Client-Cert": f"Subject=CN={agent.id}",
        "X-Forwarded-User": agent.id,
    }

    refused(agent_app.test_client().post(f"{AGENT}/{path}", json=BODIES[path], headers=forged))


# A9


def test_a_persons_token_opens_no_agents_route_and_is_on_record(agent_app, operator, ask, refusals):
    ask("DELETE FROM agent_nonce WHERE nonce LIKE 'refusal:%' RETURNING 1")
    before = refusals().count("unsigned")
    for path in PATHS:
        headers = {"Authorization": f"Bearer {operator.token}"}
        refused(agent_app.test_client().post(f"{AGENT}/{path}", json=BODIES[path], headers=headers))

    assert refusals().count("unsigned") in (before + 1, before + 2)
