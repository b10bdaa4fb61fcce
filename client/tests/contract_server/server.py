# SPDX-License-Identifier: Apache-2.0
"""The contract server on real HTTP/1.1, with faults on request."""

import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

# Importing the handlers enters them into the table.
from client.tests.contract_server import nouns, resources, upkeep  # noqa: F401
from client.tests.contract_server.document import Json, Operation, document, new_id
from client.tests.contract_server.exchange import HANDLERS, Answer, Call, Refusal, checked
from client.tests.contract_server.state import State

PASSWORD: Final = "a long pass phrase"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls one request: an answer instead of the usual one, or a connection that is cut.

    Attributes:
        cut: ``before`` or ``after`` the request took effect.
        raw: a body that is not JSON.
    """

    status: int = 0
    document: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    raw: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Contract:
    """A running server.

    Attributes:
        url: where it is reached.
        state: what it remembers.
        requests: what it was asked.
        faults: those that are still to come, one a request.
        differences: in which points its answers were not what the API's document says.
    """

    def __init__(self) -> None:
        self.state = State()
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.differences: list[str] = []
        contract = self

        class Handler(_Handler):
            server_contract = contract

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add_user(self, username: str, password: str, *, operator: bool = False) -> Json:
        """Make a user who can log in."""
        home = self.state.organization["id"]
        user = document().blank("User", id=new_id(), username=username, enabled=True, organization_id=home, version=1)
        self.state.stored["users"].append(user)
        self.state.passwords[username] = password
        if operator:
            self.state.operators.add(username)
        return user

    def add_project(self, name: str) -> str:
        """Make a project and return its id."""
        home = self.state.organization["id"]
        project = document().blank("Project", id=new_id(), name=name, organization_id=home, version=1)
        self.state.stored["projects"].append(project)
        return str(project["id"])

    def offer(self) -> None:
        """Offer two flavors, an image and a cluster."""
        blank, stored = document().blank, self.state.stored
        for name, vcpus in (("small", 1), ("large", 4)):
            stored["flavors"].append(
                blank("Flavor", id=new_id(), name=name, vcpus=vcpus, memory_mib=1024 * vcpus, disk_gib=10, version=1)
            )
        stored["images"].append(
            blank("OperatorImage", id=new_id(), name="debian-12", source="d.qcow2", minimum_disk_gib=1, version=1)
        )
        stored["clusters"].append(
            blank("Cluster", id=new_id(), name="rack-1", online=True, features=["compute", "network"], version=1)
        )

    def sent(self, method: str, path: str = "") -> list[Request]:
        """Return the requests so far with this method whose path contains ``path``."""
        return [each for each in self.requests if each.method == method and path in each.path]

    def answer(self, request: Request) -> Answer:
        """Answer a request, and note in which points the answer is not what the API's document says."""
        found = document().operation(request.method, request.path)
        try:
            answer = self._serve(request, found)
        except Refusal as refusal:
            trace_id = request.headers.get("traceparent", "--").split("-")[1]
            names = {"request_id": request.headers.get("x-request-id", ""), "trace_id": trace_id}
            headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
            answer = Answer(status=refusal.status, body={**refusal.document, **names}, headers=headers)
        if found is not None:
            self.differences += document().differences(found[0], answer.status, answer.headers, answer.body)
        return answer

    def _serve(self, request: Request, found: tuple[Operation, tuple[str, ...]] | None) -> Answer:
        if found is None:
            raise Refusal(404, "route_not_found", f"nothing is served at {request.path}")
        operation, ids = found
        username = "" if operation.public else self._username(request)
        if request.path.startswith("/api/ops/") and username not in self.state.operators:
            raise Refusal(403, "permission_denied", "this is for operators", permission="platform:read")
        call = Call(
            operation=operation,
            ids=ids,
            query=request.query,
            headers=request.headers,
            body=checked(operation, request.query, request.body),
            username=username,
        )
        with self.state.lock:
            return self._once(call)

    def _username(self, request: Request) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        username = self.state.tokens.get(token)
        if username is None:
            raise Refusal(401, "authentication_failed", "the token is unknown or has expired")
        return username

    def _once(self, call: Call) -> Answer:
        """Answer a repeated change with its first answer, where the document gives the operation such a key."""
        key = call.headers.get("idempotency-key")
        handler = HANDLERS[call.operation.operation_id]
        if key is None or "idempotency-key" not in call.operation.headers:
            return handler(self.state, call)
        asked = (call.operation.operation_id, call.ids, json.dumps(call.body, sort_keys=True))
        if key not in self.state.answers:
            answer = handler(self.state, call)
            kept = Answer(status=answer.status, body=json.loads(json.dumps(answer.body)), headers=answer.headers)
            self.state.answers[key] = asked, kept
            return answer
        before, first = self.state.answers[key]
        if before != asked:
            raise Refusal(422, "idempotency_key_reused", "the key was used with another request")
        return Answer(status=first.status, body=first.body, headers={**first.headers, "Idempotency-Replayed": "true"})


class _Handler(BaseHTTPRequestHandler):
    server_contract: Contract
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; without this the second waits for the client's acknowledgement.
    disable_nagle_algorithm = True

    def do_any(self) -> None:
        """Serve one request of whatever method."""
        contract = self.server_contract
        request = self._request()
        with contract.state.lock:
            contract.requests.append(request)
            contract.state.changed.notify_all()
            fault = contract.faults.popleft() if contract.faults else Fault()
        if fault.cut == "before":
            self._cut()
        elif fault.status:
            self._send(Answer(status=fault.status, body=fault.document, headers=fault.headers), fault.raw)
        else:
            answer = contract.answer(request)
            if fault.cut == "after":
                self._cut()
            else:
                self._send(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_any  # noqa: N815  # the library's names

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        return Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(text) if text else None,
        )

    def _send(self, answer: Answer, raw: bytes | None = None) -> None:
        body = raw if raw is not None else b"" if answer.body is None else json.dumps(answer.body).encode()
        kind = "application/json" if answer.status < 400 else "application/problem+json"
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if raw is not None else kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
