# SPDX-License-Identifier: Apache-2.0
"""The applications as they are really served: threads in preloaded processes, and greenlets that hold many polls."""

import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import orjson
import pytest

from api.tests.served_gateway import PATIENCE, served_agents, served_api
from stratoplane_api.views.agent import LONGEST_POLL
from stratoplane_engine.db.statement import Statement

COMMON, TENANT, AGENT = "/api/common/v1", "/api/tenant/v1", "/api/agent/v1"
POLLS = 60


def test_preloaded_processes_with_threads_serve_requests_side_by_side(database_url, valkey_url, tenant, cluster):
    # As stratoplane-server starts it: a busy machine may need more than the default 2 s to send a request.
    arguments = ("--workers", "2", "--preload", "--keep-alive", "75")
    path = f"{TENANT}/projects/{tenant.project_id}/buckets"
    with served_api(database_url, valkey_url, *arguments) as call, ThreadPoolExecutor(16) as pool:
        assert call("GET", f"{COMMON}/health")[1]["status"] == "ok"
        login = {"username": tenant.username, "password": "a long pass phrase"}
        token = call("POST", f"{COMMON}/login", login)[1]["token"]
        bodies = [{"name": f"b-{number}"} for number in range(40)]
        answers = list(pool.map(lambda body: call("POST", path, body, token), bodies))
        status, listed = call("GET", f"{path}?limit=100", token=token)
    cluster.work()

    assert [answer for answer in answers if answer[0] != 202] == []
    assert status == 200
    assert {each["name"] for each in listed["items"]} == {body["name"] for body in bodies}


def test_one_process_with_greenlets_holds_many_polls_and_wakes_them(
    database_url, valkey_url, make_cluster, make_tenant, drain_once
):
    clusters, tenant = [make_cluster() for _ in range(POLLS)], make_tenant()
    # One that is not woken before its time has passed is answered with nothing.
    poll = {"maximum": 1, "wait_seconds": LONGEST_POLL}
    with (
        served_agents(database_url, valkey_url) as call,
        ThreadPoolExecutor(POLLS) as pool,
    ):
        polls = [pool.submit(call, "POST", f"{AGENT}/offers", poll, agent=each.agent) for each in clusters]
        status, _ = call("POST", f"{AGENT}/offers", {"maximum": 0, "wait_seconds": 0}, "stranger")
        assert status == 401
        for number, cluster in enumerate(clusters):
            kind, size = ("volumes", {"size_gib": 1}) if number % 2 else ("buckets", {})
            tenant.make(kind, name=f"it-{number}", cluster=cluster.name, **size)
        drain_once()
        answers = [each.result(PATIENCE) for each in polls]

    assert {status for status, _ in answers} == {200}
    offered = [operation["id"] for _, answer in answers for operation in answer["operations"]]
    assert len(offered) == len(set(offered)) == POLLS


def test_a_poll_whose_agent_was_killed_takes_no_offer(
    database, database_url, valkey_url, make_cluster, make_tenant, drain_once
):
    cluster, tenant = make_cluster(), make_tenant()
    body = orjson.dumps({"maximum": 10, "wait_seconds": 25})
    head = "".join(f"{name}: {value}\r\n" for name, value in cluster.agent.headers("/offers", body).items())
    with served_agents(database_url, valkey_url) as call:
        with socket.create_connection(("127.0.0.1", call.port)) as poll:
            begin = f"POST {AGENT}/offers HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n"
            before = nonces(database, cluster.agent.id)
            poll.sendall(begin.encode() + body)
            wait_until_admitted(database, cluster.agent.id, before)
        tenant.make("buckets", name="one", cluster=cluster.name)
        drain_once()
        status, answer = call("POST", f"{AGENT}/offers", {"maximum": 10, "wait_seconds": 20}, agent=cluster.agent)

    # An offer that nobody took comes with its first epoch; had the dead poll had it, it would come again with the next.
    assert status == 200
    assert [each["epoch"] for each in answer["operations"]] == [1]


def test_half_sent_requests_of_one_agent_delay_no_other(database_url, valkey_url, make_cluster):
    cluster = make_cluster()
    with served_agents(database_url, valkey_url) as call, ExitStack() as slow:
        # The first waits for the process to be ready, which says nothing about the others.
        call("POST", f"{AGENT}/offers", {"maximum": 1, "wait_seconds": 0}, agent=cluster.agent)
        lines = [slow.enter_context(socket.create_connection(("127.0.0.1", call.port))) for _ in range(300)]
        for line in lines:
            line.sendall(f"POST {AGENT}/results HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n".encode())
        for _ in range(20):
            status, _ = call("POST", f"{AGENT}/offers", {"maximum": 1, "wait_seconds": 0}, agent=cluster.agent)
            assert status == 200
        # Nothing was said to the half-sent ones meanwhile: the others were answered while the process waits for these.
        assert select.select(lines, [], [], 0)[0] == []


def nonces(database, agent_id):
    """Return how many requests of an agent were admitted lately."""
    statement = Statement("SELECT count(*) FROM agent_nonce WHERE agent_id = :id")
    with database.system() as connection:
        return connection.value(int, statement, {"id": agent_id})


def wait_until_admitted(database, agent_id, before):
    """Wait until more than ``before`` requests of an agent were admitted: the newest holds its poll."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if nonces(database, agent_id) > before:
            return
        time.sleep(0.02)
    pytest.fail("the poll was not admitted")
