# SPDX-License-Identifier: Apache-2.0
"""A small server that keeps the API's contract over real HTTP/1.1, with faults on request.

It stands for the platform where the client's own behaviour is tested: lost answers, waiting, refusals. The client is
tested against the platform itself in the tests of the whole tree.
"""

import base64
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from contract_routes import Routes
from contract_rules import Refusal
from contract_state import State, new_id, now

PASSWORD = "a long pass phrase"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What befalls one request: an answer instead of the usual one, or a connection that is cut."""

    status: int = 0
    document: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    """``before`` or ``after`` the request took effect."""
    raw: bytes | None = None
    """A body that is no JSON."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Contract:
    """A running server: its URL, its state, what it was asked, and the faults that are still to come."""

    def __init__(self) -> None:
        self.state = State()
        self.routes = Routes(self.state)
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
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

    def add_user(self, username: str, password: str, *, operator: bool = False) -> dict[str, Any]:
        """Make a user who can log in."""
        user = {
            "id": new_id(),
            "username": username,
            "display_name": "",
            "enabled": True,
            "organization_id": self.state.organization["id"],
            "version": 1,
            "created_at": now(),
            "updated_at": now(),
        }
        self.state.nouns["/api/tenant/v1/users"].append(user)
        self.state.passwords[username] = password
        if operator:
            self.state.operators.add(username)
        return user

    def add_project(self, name: str) -> str:
        """Make a project and return its id."""
        project = {"id": new_id(), "name": name, "display_name": "", "labels": {}, "version": 1, "created_at": now()}
        self.state.nouns["/api/tenant/v1/projects"].append(project)
        return str(project["id"])

    def offer(self) -> None:
        """Offer a flavor, an image and a cluster."""
        nouns = self.state.nouns
        facts = {"version": 1, "created_at": now(), "updated_at": now()}
        small = {"name": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
        image = {"name": "debian-12", "description": "", "format": "qcow2", "minimum_disk_gib": 1, "source": "d.qcow2"}
        cluster = {"name": "rack-1", "online": True, "features": ["compute", "network"], "state": "ENABLED"}
        for path, thing in (("flavors", small), ("images", image), ("clusters", cluster)):
            nouns[f"/api/ops/v1/{path}"].append({"id": new_id(), **facts, **thing})

    def sent(self, method: str, path: str = "") -> list[Request]:
        """Return the requests so far with this method whose path contains ``path``."""
        return [each for each in self.requests if each.method == method and path in each.path]


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
            self._answer(fault.status, fault.document, fault.headers, fault.raw)
        else:
            status, document, headers = self._served(request)
            if fault.cut == "after":
                self._cut()
            else:
                self._answer(status, document, headers)

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

    def _served(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        contract = self.server_contract
        try:
            status, document, headers = contract.routes.serve(request)
            if request.method == "GET" and isinstance(document, list):
                document, headers = _page(document, request), {}
        except Refusal as refusal:
            names = {
                "request_id": request.headers.get("x-request-id", ""),
                "trace_id": request.headers.get("traceparent", "--").split("-")[1],
            }
            return refusal.status, {**refusal.document, **names}, {**refusal.headers}
        return status, document, headers

    def _answer(self, status: int, document: Any, headers: dict[str, str], raw: bytes | None = None) -> None:
        body = raw if raw is not None else b"" if document is None else json.dumps(document).encode()
        kind = "text/html" if raw is not None else "application/json" if status < 400 else "application/problem+json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _page(found: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    limit = int(request.query.get("limit", "50"))
    cursor = request.query.get("cursor")
    start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
    end = start + limit
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else None
    return {"items": found[start:end], "next": following}
