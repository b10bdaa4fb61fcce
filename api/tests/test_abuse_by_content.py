# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken agents, what they say and how much: A10 to A16 of the list."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from stratoplane.join_tokens import pin_of, read_join_token, server_proof
from stratoplane.messages import AGENT_PROTOCOL, LONGEST_PROVIDER_TEXT, OLDEST_PROTOCOL
from stratoplane.signatures import BadSignatureError, check_answer
from stratoplane_api.settings import ApiSettings
from stratoplane_api.views.agent import LONGEST_POLL
from stratoplane_embedded.processes import wait_until
from stratoplane_engine import signing_keys as keys

AGENT, OPS = "/api/agent/v1", "/api/ops/v1"
# Only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 60
PATHS = ("hello", "offers", "acknowledgements", "results", "inventory", "keys")
BODIES = {
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


# A10: the agent's side is in its own tests; here is what it goes by


def test_an_answer_is_signed_for_the_one_request_that_it_answers(make_cluster, agent_app, database):
    agent, client = make_cluster().agent, agent_app.test_client()
    body = orjson.dumps(BODIES["offers"])
    asked, other = agent.headers("/offers", body), agent.headers("/offers", body)
    answer = client.post(f"{AGENT}/offers", data=body, headers=asked)
    public = client.post(f"{AGENT}/challenge", json={"nonce": "n"}).json["public_key"]

    def check(content, request):
        verify = lambda signature, base: keys.verifies(public, signature, base)  # noqa: E731  # short and local
        check_answer(answer.status_code, content, answer.headers, request, verify)

    check(answer.data, asked)
    for content, request in ((answer.data + b" ", asked), (answer.data, other)):
        with pytest.raises(BadSignatureError):
            check(content, request)


# A11


def test_a_newer_poll_of_an_agent_replaces_its_older_ones(make_cluster):
    cluster = make_cluster()
    began = time.monotonic()
    first = threading.Thread(target=lambda: cluster.offers(wait_seconds=LONGEST_POLL))
    first.start()
    # A poll that nothing replaces is held for 0.8 of its time at least.
    while time.monotonic() - began < 0.8 * LONGEST_POLL and first.is_alive():
        cluster.offers(wait_seconds=0.2)

    assert not first.is_alive()


def test_a_flood_of_polls_of_one_agent_is_turned_away_and_leaves_the_others_alone(make_cluster):
    flooding, other = make_cluster(), make_cluster()
    body, statuses, over = {"maximum": 1, "wait_seconds": 5}, set(), threading.Event()

    def flood():
        while not over.is_set():
            statuses.add(flooding.agent("POST", "/offers", body).status_code)

    with ThreadPoolExecutor(25) as pool:
        for _ in range(24):
            pool.submit(flood)
        calm = {"maximum": 1, "wait_seconds": 0}
        served = pool.submit(lambda: [other.agent("POST", "/offers", calm).status_code for _ in range(10)])
        try:
            assert served.result(PATIENCE) == [200] * 10
            assert wait_until(lambda: statuses == {200, 429}, PATIENCE)
        finally:
            over.set()


# A12


@pytest.mark.parametrize("path", PATHS)
def test_a_body_beyond_its_bounds_is_refused_before_it_is_read(make_cluster, path):
    agent = make_cluster().agent

    refused(agent("POST", f"/{path}", data=b"x" * (17 * 1024 * 1024)), 413, "body_too_large")


@pytest.mark.parametrize("path", PATHS)
def test_deep_json_is_refused(make_cluster, path):
    agent = make_cluster().agent

    refused(agent("POST", f"/{path}", data=b'{"a":' * 99 + b"1" + b"}" * 99), 400, "json_too_deep")


def test_an_error_text_is_kept_within_bounds_and_commands_no_terminal(working, ask):
    cluster, operation = working()
    nasty = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\x9b31m\n" + "x" * 1_000_000
    result = result_of(operation, outcome="permanent", code="c" * 999, detail=nasty, provider_text=nasty)
    assert cluster.agent("POST", "/results", {"results": [result]}).json["accepted"] == [operation["id"]]
    ((_, _, kept),) = state_of(ask, operation)

    assert len(kept["code"]) <= 64
    assert len(kept["detail"]) <= 4_000
    assert len(kept["provider_text"]) <= LONGEST_PROVIDER_TEXT
    assert not set(kept["detail"] + kept["provider_text"]) & set("\x1b\x07\x9b")


# A13


@pytest.mark.parametrize("protocol", [AGENT_PROTOCOL, AGENT_PROTOCOL - 1, AGENT_PROTOCOL - 2])
def test_agents_of_this_and_the_two_protocols_before_are_served(make_cluster, protocol):
    cluster = make_cluster()
    greeting = {"version": "1", "protocol": protocol, "added_by_a_later_version": {"a": [1]}}

    assert cluster.agent("POST", "/hello", greeting).status_code == 200


@pytest.mark.parametrize(
    ("protocol", "who"), [(AGENT_PROTOCOL + 1, "control plane first"), (OLDEST_PROTOCOL - 1, "the agent")]
)
def test_agents_of_other_protocols_are_told_who_is_to_be_updated(make_cluster, token, join, refusals, protocol, who):
    agent = make_cluster().agent

    assert f"update the {who.removeprefix('the ')}" in refused(
        agent("POST", "/hello", {"version": "9", "protocol": protocol}), 422, "invalid_spec"
    )
    assert "update the" in refused(join(token["token"], protocol=protocol)[0], 422, "invalid_spec")
    assert refusals(agent.id) == ["protocol"]
    assert join(token["token"])[0].status_code == 200


# A14: agents go by the control plane's clock; the window is what they rely on


@pytest.mark.parametrize("error", [3600, -3600, 70, -70])
def test_a_moment_outside_the_window_is_refused_with_the_time_by_this_clock(make_cluster, error):
    agent = make_cluster().agent
    agent.clock_error = error
    refused(agent("POST", "/offers", BODIES["offers"]))
    agent.clock_error = 0

    assert agent("POST", "/offers", BODIES["offers"]).status_code == 200


# A15: a restored backup; that the agent refuses lower epochs is in its own tests


def test_a_key_that_a_restored_backup_does_not_know_is_told_to_enrol_again(make_cluster):
    agent = make_cluster().agent
    agent.generation = 7

    assert "enrol the agent again" in refused(agent("POST", "/hello", BODIES["hello"]))


# A16: that the agent says nothing to another is in its own tests


def test_the_control_plane_proves_the_key_that_the_token_names(token, agent_app):
    nonce = "a nonce of the agent"
    proved = agent_app.test_client().post(f"{AGENT}/challenge", json={"nonce": nonce}).json

    assert pin_of(base64.b64decode(proved["public_key"])) == read_join_token(token["token"]).server_pin
    assert keys.verifies(proved["public_key"], base64.b64decode(proved["proof"]), server_proof(nonce))


def test_a_join_token_carries_the_fingerprint_of_the_certificate_that_is_configured(tmp_path, database_url):
    file = tmp_path / "certificate.pem"
    file.write_text(f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'DER').decode()}\n-----END CERTIFICATE-----\n")
    settings = ApiSettings(database_url=database_url, agent_certificate=file)

    assert settings.agent_certificate_pin == pin_of(b"DER")
