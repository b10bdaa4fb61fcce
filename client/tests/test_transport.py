# SPDX-License-Identifier: Apache-2.0
"""What is sent with every call, and what answers become."""

import http.server
import re
import socket
import threading
from pathlib import Path

import pytest

from client.tests.contract_server import Contract, Fault
from client.tests.contract_server.fixtures import Connect
from stratoplane_client import (
    NO_RETRIES,
    AccessDeniedError,
    ApiError,
    Client,
    ConnectionFailedError,
    DeletedError,
    InUseError,
    InvalidRequestError,
    InvalidSettingError,
    NotAuthenticatedError,
    NotFoundError,
    Options,
    QuotaFullError,
    RateLimitedError,
    ServerError,
    UnavailableError,
    UnexpectedAnswerError,
    VersionConflictError,
)
from stratoplane_client.errors import api_error
from stratoplane_client.transport import Attempt


def test_each_call_names_itself_and_its_trace(contract: Contract, connect: Connect) -> None:
    client = connect(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", user_agent="demo/1")
    client.version()
    client.version()

    first, second = contract.requests
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert re.fullmatch(r"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", first.headers["traceparent"])
    assert first.headers["user-agent"].startswith("demo/1 stratoplane-client/")
    assert first.headers["authorization"].startswith("Bearer ")


def test_without_a_trace_of_the_caller_each_call_is_one_of_its_own(contract: Contract, client: Client) -> None:
    client.version()
    client.version()

    traces = {each.headers["traceparent"].split("-")[1] for each in contract.requests}
    assert len(traces) == 2


def test_a_login_gives_the_token_and_a_logout_ends_it(contract: Contract, connect: Connect) -> None:
    client = connect(None)
    session = client.login("alice", "a long pass phrase")

    assert session.user.username == "alice"
    assert session.token not in repr(session)
    assert client.me().organization.name == "acme"
    client.logout()
    with pytest.raises(NotAuthenticatedError) as caught:
        Client(contract.url, token=session.token).me()
    assert caught.value.request_id == contract.requests[-1].headers["x-request-id"]
    assert caught.value.trace_id == contract.requests[-1].headers["traceparent"].split("-")[1]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", InvalidRequestError),
        (401, "authentication_failed", NotAuthenticatedError),
        (403, "permission_denied", AccessDeniedError),
        (403, "quota_exceeded", QuotaFullError),
        (404, "resource_not_found", NotFoundError),
        (409, "resource_in_use", InUseError),
        (410, "resource_deleted", DeletedError),
        (412, "version_mismatch", VersionConflictError),
        (422, "invalid_spec", InvalidRequestError),
        (428, "precondition_required", VersionConflictError),
        (429, "rate_limited", RateLimitedError),
        (500, "internal_error", ServerError),
        (503, "service_unavailable", UnavailableError),
        (418, "a_code_of_the_future", ApiError),
        (599, "a_code_of_the_future", ServerError),
    ],
)
def test_a_problem_becomes_the_error_that_says_what_to_do_next(
    contract: Contract, connect: Connect, status: int, code: str, kind: type[ApiError]
) -> None:
    client = connect(retries=NO_RETRIES)
    contract.faults.append(Fault(status=status, document={"status": status, "code": code, "detail": "words"}))

    with pytest.raises(ApiError, match="words") as caught:
        client.version()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, code)


def test_what_is_wrong_is_told_member_by_member(client: Client, project: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.networks(project)._create({"name": "x", "colour": "red"}, None)

    assert [each.pointer for each in caught.value.errors] == ["/colour", "/cidr"]
    assert str(caught.value) == "the content cannot be accepted (colour: is not known here; cidr: is required)"


def test_an_error_page_of_a_proxy_is_an_error_too(contract: Contract, connect: Connect) -> None:
    client = connect(retries=NO_RETRIES)
    contract.faults.append(Fault(status=502, raw=b"<html><h1>Bad\n  gateway</h1></html>"))

    with pytest.raises(UnavailableError, match="HTTP status 502: <html><h1>Bad gateway") as caught:
        client.version()
    assert caught.value.code == "http_502"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=200, raw=b"<html>hello</html>"), "not JSON.*hello"),
        (Fault(status=200, document={}), "has no member 'user'"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example/"}), "redirects to https://elsewhere"),
    ],
)
def test_what_is_no_stratoplane_server_is_told_apart(
    contract: Contract, client: Client, fault: Fault, words: str
) -> None:
    contract.faults.append(fault)

    with pytest.raises(UnexpectedAnswerError, match=words):
        client.me()


def test_a_server_that_is_not_there(pauses: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}", options=Options(sleep=pauses.append))

    with pytest.raises(ConnectionFailedError, match=f"cannot connect to http://127.0.0.1:{port}: Connection refused"):
        client.version()
    assert len(pauses) == 6


def test_a_name_that_nobody_knows() -> None:
    client = Client("http://nowhere.invalid", options=Options(retries=NO_RETRIES))

    with pytest.raises(ConnectionFailedError, match=r"cannot connect to http://nowhere.invalid") as caught:
        client.version()
    assert not caught.value.sent


def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Client(url, options=Options(timeout=0.1, retries=NO_RETRIES))

        with pytest.raises(ConnectionFailedError, match=r"did not answer within 0\.1 s") as caught:
            client.version()
    assert caught.value.sent


@pytest.mark.parametrize(
    "url", ["cloud.example", "ftp://cloud.example", "http://", "http://h:x", "http://u:p@h", "http://h/?a=b", ""]
)
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(InvalidSettingError):
        Client(url)


def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingError, match="cannot read the certificates"):
        Client("https://cloud.example", options=Options(ca_file=str(tmp_path / "none.pem")))


def test_a_proxy_of_the_environment_is_used_and_left_out_as_it_says(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(UnavailableError):
            Client("http://cloud.example", options=Options(retries=NO_RETRIES)).version()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert Client(contract.url).version().version == "0.1.0"
        proxy.shutdown()

    assert asked == ["http://cloud.example/api/common/v1/version"]


@pytest.mark.parametrize("identifier", ["../projects", "a/b", "a?b=c", "ä"])
def test_no_id_leads_elsewhere(contract: Contract, client: Client, identifier: str) -> None:
    with pytest.raises(NotFoundError):
        client.users.get(identifier)

    assert contract.requests[-1].path.count("/") == 5
    assert contract.requests[-1].query == {}


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_what_can_be_no_id_is_not_sent(contract: Contract, client: Client, identifier: str) -> None:
    with pytest.raises(InvalidSettingError):
        client.users.delete(identifier)

    assert contract.requests == []


def test_one_who_watches_hears_of_every_try(contract: Contract, connect: Connect) -> None:
    seen: list[Attempt] = []
    client = connect(observe=seen.append)
    seen.clear()
    contract.faults.append(Fault(status=503, document={"code": "service_unavailable"}))

    client.version()

    assert [(each.number, each.status, each.pause is None) for each in seen] == [(1, 503, False), (2, 200, True)]
    assert seen[0].call.path == "/api/common/v1/version"


def test_what_the_detail_says_already_is_not_said_twice() -> None:
    errors = [{"pointer": "/cidr", "detail": "has host bits set"}, {"pointer": "", "detail": "too much\nof it"}]
    error = api_error(422, {"code": "invalid_spec", "detail": "/cidr has host bits set", "errors": errors})

    assert str(error) == "/cidr has host bits set (too much of it)"
