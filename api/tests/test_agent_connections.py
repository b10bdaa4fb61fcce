# SPDX-License-Identifier: Apache-2.0
"""Connections of agents that send nothing, half a request or a byte now and then: they stop nobody, and are ended."""

import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from api.tests.served_gateway import served_agents
from api.tests.test_slow_clients import HANG, connect, everything, problem
from stratoplane_api.agent_connections import SLOWEST, AgentConnection, ConnectionsByAddress
from stratoplane_api.deadlines import BODY_SECONDS, HEAD_SECONDS
from stratoplane_api.request_errors import LateRequestError

AGENT = "/api/agent/v1"
MOST = 40
HALF_HEAD = f"POST {AGENT}/results HTTP/1.1\r\nHost: loc".encode()


@pytest.fixture(scope="module")
def call(database_url, valkey_url):
    """The agents' API, which takes 40 connections of one address."""
    with served_agents(database_url, valkey_url, STRATOPLANE_API_AGENT_CONNECTIONS=MOST) as served:
        yield served


def half_body(agent, path="/results"):
    """Return a request that is signed, and half of whose body is there."""
    body = b'{"results": []}' + b" " * 1000
    head = "".join(f"{name}: {value}\r\n" for name, value in agent.headers(path, body).items())
    begin = f"POST {AGENT}{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n"
    return begin.encode() + body[:7]


def unsigned_half_body():
    return f"POST {AGENT}/results HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{".encode()


@pytest.mark.long
def test_silent_half_and_dripping_requests_are_ended_and_a_held_poll_is_not(call, make_cluster):
    cluster, ended = make_cluster(), threading.Event()
    begins = {
        "silent": b"",
        "head": HALF_HEAD,
        "unsigned": unsigned_half_body(),
        "body": half_body(cluster.agent),
        "drip": half_body(cluster.agent),
    }
    with ExitStack() as open_ones:
        lines = {name: open_ones.enter_context(connect(call)) for name in begins}
        for name, begin in begins.items():
            lines[name].sendall(begin)
        held = []
        poll = {"maximum": 1, "wait_seconds": 2 * BODY_SECONDS}
        waiting = threading.Thread(
            target=lambda: held.append(call("POST", f"{AGENT}/offers", poll, agent=cluster.agent))
        )
        waiting.start()

        def drip():
            while not ended.wait(1):
                with suppress(OSError):
                    lines["drip"].sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answers = {name: everything(line) for name, line in lines.items()}
        ended.set()
        dripping.join(HANG)
        waiting.join(HANG)

    assert answers["silent"] == b""
    assert {problem(answers[name])[0] for name in ("head", "body", "drip")} == {408}
    assert problem(answers["unsigned"])[0] == 401
    assert [status for status, _ in held] == [200]


def test_an_address_that_has_all_its_connections_still_gets_another_and_loses_its_oldest_that_waits(call, make_cluster):
    agent = make_cluster().agent
    poll = {"maximum": 1, "wait_seconds": 0}
    with ExitStack() as open_ones:
        lines = []
        for _ in range(MOST):
            lines.append(open_ones.enter_context(connect(call)))
            lines[-1].sendall(HALF_HEAD)
        statuses = {call("POST", f"{AGENT}/offers", poll, agent=agent)[0] for _ in range(2 * MOST)}
        # Each of these took the place of the one that had waited longest, and gave it back when it was answered.
        cut = everything(lines[0])

    assert statuses == {200}
    assert cut == b""


# The rules, on a pair of sockets and a time that tests set.


class Asked:
    def __init__(self):
        self.closes = False

    def force_close(self):
        self.closes = True


class Time:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def pair(time):
    mine, other = socket.socketpair()
    connection = AgentConnection(mine, lambda: b"late", lambda: LateRequestError("late"), clock=time)
    yield connection, other
    mine.close()
    other.close()


def test_a_head_that_drips_has_the_time_of_one_that_does_not(pair, time):
    connection, other = pair
    for _ in range(9):
        other.sendall(b"x")
        assert connection.recv(10) == b"x"
        time.now += HEAD_SECONDS / 10
    other.sendall(b"x")
    time.now += HEAD_SECONDS / 5

    assert connection.recv(10) == b""
    assert other.recv(10) == b"late"


def test_who_never_began_is_told_nothing(pair, time):
    connection, other = pair
    time.now += HEAD_SECONDS

    assert connection.recv(10) == b""
    connection.close()
    assert other.recv(10) == b""


def test_a_body_has_a_second_more_for_what_comes_and_none_for_a_drip(pair, time):
    connection, other = pair
    asked = Asked()
    connection.serve(asked)
    time.now += BODY_SECONDS - 1
    other.sendall(b"x" * SLOWEST)
    received = 0
    while received < SLOWEST:
        received += len(connection.recv(SLOWEST))
    time.now += 1.5
    other.sendall(b"x")
    assert connection.recv(10) == b"x"
    time.now += 1

    with pytest.raises(LateRequestError):
        connection.recv(10)
    assert asked.closes
    # Who reads on, to swallow the rest, is not told again.
    assert connection.recv(10) == b""


def test_a_next_request_may_begin_late_and_must_then_come_in_time(pair, time):
    connection, other = pair
    connection.serve(Asked())
    connection.expect_next(75)
    time.now += 74
    other.sendall(b"GET")
    assert connection.recv(10) == b"GET"
    time.now += HEAD_SECONDS - 1
    other.sendall(b" /")
    assert connection.recv(10) == b" /"
    time.now += 2

    assert connection.recv(10) == b""


def test_a_look_whether_the_other_side_is_there_has_no_deadline(pair, time):
    connection, other = pair
    connection.serve(Asked())
    time.now += 10 * BODY_SECONDS
    other.sendall(b"x")

    assert connection.recv(1, socket.MSG_PEEK) == b"x"


class Taken:
    def __init__(self, since, *, is_reading=True):
        self.waits_since, self.is_reading, self.is_cut = since, is_reading, False

    def cut(self):
        self.is_cut = True


def test_what_is_worked_on_is_never_cut_and_other_addresses_lose_nothing():
    book = ConnectionsByAddress(3)
    held, old, young, other = Taken(1, is_reading=False), Taken(2), Taken(3), Taken(0)
    assert all(book.admit("a", each) for each in (held, old, young))
    assert book.admit("b", other)

    assert book.admit("a", Taken(4, is_reading=False))
    assert [each.is_cut for each in (held, old, young, other)] == [False, True, False, False]
    assert book.admit("a", Taken(5, is_reading=False))
    assert not book.admit("a", Taken(6))
    book.forget("a", held)
    assert book.admit("a", Taken(7))


def test_without_a_bound_every_connection_has_a_place():
    book = ConnectionsByAddress(0)

    assert all(book.admit("a", Taken(each, is_reading=False)) for each in range(5000))
