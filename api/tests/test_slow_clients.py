# SPDX-License-Identifier: Apache-2.0
"""Clients that send nothing, half a request, a byte now and then, or far too much: they stop nobody, and are ended."""

import socket
import threading
from contextlib import suppress

import orjson
import pytest

from api.tests.conftest import COMMON
from api.tests.served_gateway import served_api

THREADS = 2
EACH = 20 * THREADS
HANG = 60
HALF_HEAD = f"POST {COMMON}/login HTTP/1.1\r\nHost: loc".encode()
HALF_BODY = f"POST {COMMON}/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode()


@pytest.fixture(scope="module")
def call(database_url, valkey_url):
    """Return the API, served by one process of two threads that waits two seconds for a body."""
    with served_api(database_url, valkey_url, "--workers=1", threads=THREADS, body_seconds=2) as served:
        yield served


def connect(call):
    return socket.create_connection(("127.0.0.1", call.port), timeout=HANG)


def everything(connection):
    """Return what comes until the server closes the connection, as it must."""
    pieces = []
    with suppress(ConnectionResetError):  # it was still being sent something
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def problem(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    document = orjson.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == document["request_id"]
    assert lines[0].split()[1] == str(document["status"])
    return document["status"], document["code"]


def test_silent_and_half_requests_stop_nobody_and_are_ended(call):
    silent, half_heads, half_bodies = ([connect(call) for _ in range(EACH)] for _ in range(3))
    for connection in half_heads:
        connection.sendall(HALF_HEAD)
    for connection in half_bodies:
        connection.sendall(HALF_BODY)

    statuses = {call("GET", f"{COMMON}/health")[0] for _ in range(20)}

    assert statuses == {200}
    assert {problem(everything(each)) for each in half_bodies} == {(408, "request_timeout")}
    assert {problem(everything(each)) for each in half_heads} == {(408, "request_timeout")}
    assert {everything(each) for each in silent} == {b""}
    for each in (*silent, *half_heads, *half_bodies):
        each.close()


@pytest.mark.parametrize("begin", [HALF_HEAD, HALF_BODY], ids=["head", "body"])
def test_a_byte_now_and_then_buys_no_more_time(call, begin):
    with connect(call) as connection:
        connection.sendall(begin)
        ended = threading.Event()

        def drip():
            while not ended.wait(0.2):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            answer = everything(connection)
        finally:
            ended.set()
            dripping.join()
    assert problem(answer) == (408, "request_timeout")


def test_the_second_request_of_a_connection_has_a_deadline_too(call):
    with connect(call) as connection:
        connection.sendall(f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HALF_HEAD)
        assert problem(everything(connection)) == (408, "request_timeout")


LONG = "x" * 9_000
TWO_LENGTHS = (
    f"POST {COMMON}/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("nonsense\r\n\r\n", (400, "malformed_request")),
        (f"GET /{LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, "uri_too_long")),
        (f"GET {COMMON}/health?{LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, "uri_too_long")),
        (f"GET /{LONG * 9}", (414, "uri_too_long")),
        (
            f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\n" + f"X-Long: {LONG}\r\n" * 4 + "\r\n",
            (431, "headers_too_large"),
        ),
        (
            f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n" * 9_000,
            (431, "headers_too_large"),
        ),
        (f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", (400, "malformed_request")),
        (
            TWO_LENGTHS,
            (400, "malformed_request"),
        ),
    ],
    ids=["no HTTP", "path", "query", "endless path", "header", "headers", "length", "two lengths"],
)
def test_the_server_itself_refuses_with_a_problem(call, request_text, expected):
    with connect(call) as connection:
        connection.sendall(request_text.encode())
        assert problem(everything(connection)) == expected


def test_a_body_beyond_every_limit_is_refused_by_its_length_and_by_what_comes(call):
    size = 2 * 1024 * 1024
    begin = f"POST {COMMON}/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for head, content in (
        (f"Content-Length: {size}", b" " * size),
        ("Transfer-Encoding: chunked", f"{size:x}\r\n".encode() + b" " * size + b"\r\n0\r\n\r\n"),
    ):
        with connect(call) as connection:
            connection.sendall(f"{begin}{head}\r\n\r\n".encode() + content)
            assert problem(everything(connection)) == (413, "body_too_large")


def test_a_header_with_an_underscore_does_not_pass_for_another(call):
    with connect(call) as connection:
        head = f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX_Request_Id: forged\r\n\r\n"
        connection.sendall(head.encode())
        assert b"forged" not in everything(connection)


GET_HEALTH = f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_NOTHING = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
OTHER = f"POST /{LONG} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nEVILX"
LOGIN = f"POST {COMMON}/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def answers(text):
    """Return the statuses of all answers in what a connection gave."""
    return [int(line.split()[1]) for line in text.decode().split("\r\n") if line.startswith("HTTP/1.1 ")]


@pytest.mark.parametrize(
    "behind",
    [
        GET_NOTHING,
        f"GET /{LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "nonsense\r\n\r\n",
        f"{LOGIN}Content-Length: 5\r\n\r\nEVILX",
        HALF_HEAD.decode(),
    ],
    ids=["a request", "one too long", "no HTTP", "a body", "half a head"],
)
def test_what_comes_behind_a_request_before_its_answer_is_not_read(call, behind):
    with connect(call) as connection:
        connection.sendall((GET_HEALTH + behind).encode())
        assert answers(everything(connection)) == [200]


def test_a_body_is_not_mixed_with_the_next_request(call):
    body = '{"username": "nobody", "password": "wrong password"}'
    with connect(call) as connection:
        begin = f"{LOGIN}Content-Length: {len(body)}\r\n\r\n{body}"
        connection.sendall((begin + OTHER).encode())
        answer = everything(connection)
    assert answers(answer) == [401]
    assert b"authentication_failed" in answer


@pytest.mark.parametrize(
    "head",
    [
        f"GET {COMMON}/health HTTP/1.1\r\n\r\n",
        f"GET {COMMON}/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        f"{LOGIN}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        f"POST {COMMON}/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"{LOGIN}Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer forged\r\n\r\n",
    ],
    ids=["no host", "two hosts", "two codings", "chunked in 1.0", "trailer"],
)
def test_what_programs_could_read_in_two_ways_is_refused(call, head):
    with connect(call) as connection:
        connection.sendall(head.encode())
        assert problem(everything(connection)) == (400, "malformed_request")


def test_an_upgrade_is_not_taken_and_ends_the_connection(call):
    upgrade = f"GET {COMMON}/health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connect(call) as connection:
        connection.sendall((upgrade + GET_NOTHING).encode())
        assert answers(everything(connection)) == [200]


def test_endless_chunks_are_ended(call):
    with connect(call) as connection:
        connection.sendall(f"{LOGIN}Transfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(b"1;" + b"x" * 65_000 + b"\r\nx\r\n")
        with suppress(ConnectionError):
            assert set(answers(everything(connection))) <= {413, 400}


def test_small_bodies_find_room_beside_many_large_ones(call):
    large = f"{LOGIN}Content-Length: 1048577\r\n\r\n".encode() + b" " * 1_048_576
    held = [connect(call) for _ in range(70)]
    try:
        for connection in held:
            with suppress(ConnectionError):
                connection.sendall(large)
        assert call("POST", f"{COMMON}/login", {"username": "nobody", "password": "wrong password"})[0] == 401
    finally:
        for connection in held:
            connection.close()
