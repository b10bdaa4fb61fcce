# SPDX-License-Identifier: Apache-2.0
"""A process that is told to stop answers all that it holds, says that it drains, and cuts nothing off."""

import http.client
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from api.tests.served_gateway import PATIENCE, served_agents, served_api
from stratoplane_engine.db.statement import Statement

COMMON, TENANT, AGENT = "/api/common/v1", "/api/tenant/v1", "/api/agent/v1"
HELD = 6
# One process holds four until a job ends.
CREATES = 3
# A tenth of it is how long connections without a request stay: no busy machine makes that pass.
STOP_SECONDS = "300"


class Kept:
    """A connection that is kept open, as those of a load balancer are."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __call__(self, method, path, body=None, headers=None):
        data = None if body is None else orjson.dumps(body)
        self.connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, orjson.loads(content) if content else None


def count(database, query, **values):
    with database.system() as connection:
        return connection.value(int, Statement(query), values)


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            pytest.fail(what)
        time.sleep(0.02)


def test_held_requests_are_answered_with_what_is_known_when_the_api_stops(database, database_url, valkey_url, tenant):
    path = f"{TENANT}/projects/{tenant.project_id}/buckets"
    # One process: it has begun to stop once it answers what it held.
    arguments = ("--workers", "1", "--preload", "--keep-alive", "75", "--graceful-timeout", STOP_SECONDS)
    with served_api(database_url, valkey_url, *arguments, threads=16) as call, ThreadPoolExecutor(CREATES + 1) as pool:
        login = {"username": tenant.username, "password": "a long pass phrase"}
        token = {"Authorization": f"Bearer {call('POST', f'{COMMON}/login', login)[1]['token']}"}
        idle = [Kept(call.port) for _ in range(4)]
        assert [each("GET", f"{COMMON}/ready")[0] for each in idle] == [200] * 4
        half = socket.create_connection(("127.0.0.1", call.port), timeout=PATIENCE)
        half.sendall(f"GET {COMMON}/version HTTP/1.1\r\nHost: local".encode())

        waits = token | {"Prefer": "wait=25"}
        creates = [pool.submit(Kept(call.port), "POST", path, {"name": f"b-{n}"}, waits) for n in range(CREATES)]
        made = "SELECT count(*) FROM job j WHERE j.project_id = :project"
        wait_for(lambda: count(database, made, project=tenant.project_id) == CREATES, "the creates were not accepted")
        job = tenant("GET", "/jobs").json["items"][0]["id"]
        look = f"{TENANT}/projects/{tenant.project_id}/jobs/{job}?wait=25"
        looks = [pool.submit(Kept(call.port), "GET", look, None, token)]
        wait_for(lambda: all(each.running() for each in looks), "the requests were not sent")
        call.process.send_signal(signal.SIGTERM)
        answers = [each.result(PATIENCE) for each in creates]
        looked = [each.result(PATIENCE) for each in looks]
        late = [each("GET", f"{COMMON}/ready") for each in idle]
        half.sendall(b"host\r\n\r\n")
        rest = read_all(half)
        assert call.process.wait(PATIENCE) == 0

    assert [status for status, _, _ in answers] == [202] * CREATES
    assert {body["job"]["state"] for _, _, body in answers} == {"PENDING"}
    assert {headers["Connection"] for _, headers, _ in [*answers, *looked, *late]} == {"close"}
    assert [status for status, _, _ in looked] == [200]
    # What was not held as long as was asked is not said to have been.
    assert {headers["Preference-Applied"] for _, headers, _ in answers} == {None}
    assert {(status, body["detail"]) for status, _, body in late} == {
        (503, "this process is draining; other processes serve")
    }
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in rest.lower()


def read_all(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_no_request_over_a_kept_connection_is_cut_off_when_the_api_stops(database_url, valkey_url):
    arguments = ("--workers", "2", "--preload", "--keep-alive", "75", "--graceful-timeout", STOP_SECONDS)
    begun = threading.Barrier(HELD + 1, timeout=PATIENCE)
    with served_api(database_url, valkey_url, *arguments) as call, ThreadPoolExecutor(HELD) as pool:

        def ask_until_told_to_close():
            kept = Kept(call.port)
            kept("GET", f"{COMMON}/version")
            begun.wait()
            while kept("GET", f"{COMMON}/version")[1]["Connection"] != "close":
                pass
            return "told"

        clients = [pool.submit(ask_until_told_to_close) for _ in range(HELD)]
        begun.wait()
        call.process.send_signal(signal.SIGTERM)
        assert [each.result(PATIENCE) for each in clients] == ["told"] * HELD
        assert call.process.wait(PATIENCE) == 0


def test_held_polls_are_answered_with_nothing_when_the_agents_api_stops(
    database, database_url, valkey_url, make_cluster
):
    agents = [make_cluster().agent for _ in range(HELD)]
    with (
        served_agents(database_url, valkey_url, "--graceful-timeout", STOP_SECONDS) as call,
        ThreadPoolExecutor(HELD) as pool,
    ):

        def poll(agent, kept):
            body = {"maximum": 10, "wait_seconds": 25}
            return kept("POST", f"{AGENT}/offers", body, agent.headers("/offers", orjson.dumps(body)))

        idle, busy = Kept(call.port), Kept(call.port)
        assert idle("GET", f"{AGENT}/ready")[0] == 200
        admitted = "SELECT count(*) FROM agent_nonce"
        before = count(database, admitted)
        polls = [pool.submit(poll, each, Kept(call.port)) for each in agents]
        wait_for(lambda: count(database, admitted) == before + HELD, "the polls were not admitted")
        # The process comes to this request after what it has to do for those.
        assert busy("GET", f"{AGENT}/ready")[0] == 200
        call.process.send_signal(signal.SIGTERM)
        answers = [each.result(PATIENCE) for each in polls]
        late, again = idle("GET", f"{AGENT}/ready"), poll(agents[0], busy)
        assert call.process.wait(PATIENCE) == 0

    assert [status for status, _, _ in answers] == [200] * HELD
    assert [body["operations"] for _, _, body in answers] == [[]] * HELD
    assert {headers["Connection"] for _, headers, _ in [*answers, late, again]} == {"close"}
    assert late[0] == 503
    assert late[2]["detail"] == "this process is draining; other processes serve"
    # Answered with nothing it would be sent again at once.
    assert again[0] == 503
    assert int(again[1]["Retry-After"]) >= 1
