# SPDX-License-Identifier: Apache-2.0
"""HTTP to the control plane: kept connections, and errors sorted by what the caller does next."""

import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from stratoplane_agent.identity import Anonymous
from stratoplane_agent.transport import (
    CredentialRefusedError,
    RefusedByControlPlaneError,
    Route,
    Transport,
    UnreachableControlPlaneError,
)

LAB = Path(__file__).parent / "lab"
# Seconds for an answer that comes: only a fault, never a busy machine, makes a test wait so long.
PATIENCE = 120.0


@contextmanager
def server(*answers: bytes | None, tls: ssl.SSLContext | None = None):
    """Answer each request with the next of ``answers``; after None the connection is closed. Yields URL and log."""
    listener = socket.create_server(("127.0.0.1", 0))
    log: list[tuple[int, bytes]] = []

    def serve() -> None:
        left, number = list(answers), 0
        while left:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over
                return
            number += 1
            try:
                connection = tls.wrap_socket(connection, server_side=True) if tls else connection
            except OSError:  # the client does not trust the certificate
                connection.close()
                continue
            with connection, connection.makefile("rb") as stream:
                while left and (request := _request(stream)):
                    log.append((number, request))
                    if (answer := left.pop(0)) is None:
                        break
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}", log
    finally:
        listener.close()


def _request(stream) -> bytes:
    """Read one request, head and body; nothing when the client has closed."""
    head = b"".join(iter(lambda: stream.readline().strip(b"\r\n") + b"\n", b"\n"))
    length = [line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length:")]
    return head + stream.read(int(length[0])) if length else head


def answer(status: str, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Renewing:
    """An identity that has another secret after a refusal."""

    def __init__(self) -> None:
        self.secrets = ["old", "new"]

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secrets[0]}"}

    def heard(self, headers) -> None:
        pass

    def check(self, status, body, headers, sent) -> None:
        pass

    def renew(self) -> bool:
        self.secrets.pop(0)
        return bool(self.secrets)


def post(url, identity=None, seconds=PATIENCE, route=None):
    return Transport(url, identity or Anonymous(), route).post("/x", b"{}", seconds=seconds)


def test_a_connection_is_kept():
    with server(answer("200 OK", b'{"a":1}'), answer("204 No Content", b"")) as (url, log):
        transport = Transport(url, Anonymous())

        assert transport.post("/x", b"{}", seconds=PATIENCE) == {"a": 1}
        assert transport.post("/x", b"{}", seconds=PATIENCE) is None
        assert [number for number, _ in log] == [1, 1]


def test_a_connection_that_the_server_closed_is_replaced_at_once():
    with server(answer("200 OK"), None, answer("200 OK", b'{"b":2}')) as (url, log):
        transport = Transport(url, Anonymous())
        transport.post("/x", b"{}", seconds=PATIENCE)

        assert transport.post("/x", b"{}", seconds=PATIENCE) == {"b": 2}
        assert [number for number, _ in log] == [1, 1, 2]


def test_an_enrolment_is_never_sent_twice():
    with server(None, answer("200 OK")) as (url, log):
        with pytest.raises(UnreachableControlPlaneError):
            Transport(url, Anonymous()).post_once("/enrol", b"{}", seconds=PATIENCE)

        assert len(log) == 1


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "words"),
    [
        ("503 Busy", b"", ["Retry-After: 7"], UnreachableControlPlaneError, "503"),
        ("429 Slow", b'{"code":"rate_limited"}', ["Retry-After: 7"], UnreachableControlPlaneError, "rate_limited"),
        ("401 No", b'{"code":"authentication_failed","detail":"gone"}', [], CredentialRefusedError, "gone"),
        ("422 Bad", b'{"code":"invalid_spec","detail":"protocol"}', [], RefusedByControlPlaneError, "protocol"),
        ("500 Oh", b"<html>", [], RefusedByControlPlaneError, "no reason given"),
        ("302 There", b"", ["Location: https://elsewhere/"], RefusedByControlPlaneError, "https://elsewhere/"),
        ("200 OK", b"<html>", [], UnreachableControlPlaneError, "is not JSON"),
    ],
)
def test_an_answer_is_sorted_by_what_comes_next(status, body, headers, kind, words):
    with server(answer(status, body, *headers)) as (url, _), pytest.raises(kind, match=words) as caught:
        post(url)

    assert type(caught.value) is kind
    assert getattr(caught.value, "retry_after", None) == (7.0 if headers and "Retry" in headers[0] else None)


def test_a_refused_credential_is_renewed_once():
    with server(answer("401 No"), answer("200 OK", b'{"c":3}')) as (url, log):
        assert post(url, Renewing()) == {"c": 3}
        assert [b"Bearer old" in request for _, request in log] == [True, False]


def test_a_silent_server_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnreachableControlPlaneError, match="timed out"):
            post(url, seconds=0.1)


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(UnreachableControlPlaneError, match="Connection refused"):
        post("http://127.0.0.1:1")


def test_a_proxy_is_used():
    with server(answer("200 OK", b'{"d":4}')) as (url, log):
        assert post("http://cloud.example:8701/sub", route=Route(proxy=url)) == {"d": 4}
        assert log[0][1].startswith(b"POST http://cloud.example:8701/sub/x HTTP/1.1")


@pytest.fixture
def tls():
    """Serve with a certificate for 127.0.0.1 that no system knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LAB / "certificate.pem", LAB / "key.pem")
    return context


def test_a_certificate_of_the_named_authority_is_trusted(tls):
    with server(answer("200 OK", b'{"e":5}'), tls=tls) as (url, _):
        assert post(url, route=Route(ca_file=LAB / "certificate.pem")) == {"e": 5}


def test_an_unknown_certificate_is_refused(tls):
    with (
        server(answer("200 OK"), tls=tls) as (url, log),
        pytest.raises(UnreachableControlPlaneError, match="certificate verify failed"),
    ):
        post(url)

    assert log == []


def test_a_certificate_of_another_name_is_refused(tls):
    with (
        server(answer("200 OK"), tls=tls) as (url, log),
        pytest.raises(UnreachableControlPlaneError, match="certificate is not valid for 'localhost'"),
    ):
        post(url.replace("127.0.0.1", "localhost"), route=Route(ca_file=LAB / "certificate.pem"))

    assert log == []
