# SPDX-License-Identifier: Apache-2.0
"""A small control plane for the agent's tests: a real HTTP server that keeps the agent protocol's rules in memory."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from stratoplane.ids import new_id
from stratoplane.messages import (
    AcknowledgementAnswer,
    Acknowledgements,
    Enrolment,
    EnrolRequest,
    Hello,
    Inventory,
    OfferRequest,
    Offers,
    Operation,
    OperationResult,
    Outcome,
    Results,
    ResultsAnswer,
    Welcome,
)
from stratoplane.wire import from_json, to_json

PREFIX = "/api/agent/v1/"


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, detail: str = "as the test wished") -> None:
        super().__init__(detail)
        self.status = status
        self.document = {"status": status, "code": code, "detail": detail}


@dataclass
class Entry:
    """One operation as the control plane sees it."""

    operation: dict
    state: str = "QUEUED"
    epoch: int = 0
    offered_until: float = 0.0
    result: OperationResult | None = None
    results: int = 0
    offered: list = field(default_factory=list)


class LabControlPlane:
    """Start it, queue operations, wait for results; make it misbehave by ``faults`` and ``lost_answers``.

    With ``repeats_doubtful`` it offers again what ended in doubt, as the engine does.
    """

    def __init__(self, *, poll_seconds: float = 2.0, inventory_seconds: float = 60.0) -> None:
        self.changed = threading.Condition()
        self.entries: dict[UUID, Entry] = {}
        self.stale: list[OperationResult] = []
        self.hellos: list[Hello] = []
        self.inventories: dict[str, list[Inventory]] = {}
        self.requests: Counter[str] = Counter()
        self.join_tokens = {"token-1": "lab"}
        self.credentials: set[str] = set()
        self.installation_id, self.cluster_id = new_id(), new_id()
        self.acknowledge_seconds = 15.0
        self.poll_seconds = poll_seconds
        self.inventory_seconds = inventory_seconds
        self.faults: dict[str, list[RefusalError]] = {}
        self.lost_answers: Counter[str] = Counter()
        self.extra_offers: list[dict] = []
        self.unwelcome = ""
        self.repeats_doubtful = False
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    # --- for tests --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after :meth:`stop` on the same port again."""
        server = _Server(("127.0.0.1", self.port), _handler(self), bind_and_activate=False)
        server.server_bind()
        server.server_activate()
        self.port = server.server_port
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Cut every connection and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self.changed:
            self.changed.notify_all()

    @property
    def is_up(self) -> bool:
        return self._server is not None

    def queue(self, kind: str, verb: str, uid: UUID, spec: object = None, **members) -> UUID:
        """Queue an operation and wake the poll; return its id."""
        operation = {
            "id": str(new_id()),
            "kind": kind,
            "verb": verb,
            "uid": str(uid),
            "spec": to_json(spec) if spec is not None else {},
            "trace_parent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            **members,
        }
        identifier = UUID(operation["id"])
        with self.changed:
            self.entries[identifier] = Entry(operation=operation)
            self.changed.notify_all()
        return identifier

    def wait_until(self, condition, what: str, seconds: float = 15.0):
        """Wait until ``condition()`` is true and return it."""
        with self.changed:
            found = None

            def holds() -> bool:
                nonlocal found
                found = condition()
                return bool(found)

            deadline = time.monotonic() + seconds
            while not holds():
                assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
                self.changed.wait(0.05)
            return found

    def result(self, identifier: UUID, seconds: float = 15.0) -> OperationResult:
        """Wait for the result of an operation."""
        return self.wait_until(lambda: self.entries[identifier].result, f"result of {identifier}", seconds)

    def requeue(self, identifier: UUID, *, observe_first: bool = False) -> None:
        """Offer an operation again, with the next epoch."""
        with self.changed:
            entry = self.entries[identifier]
            entry.operation["observe_first"] = observe_first
            entry.state, entry.result = "QUEUED", None
            self.changed.notify_all()

    # --- the protocol -----------------------------------------------------------------------------------------------

    def answer(self, path: str, authorization: str, document: object):
        name = path.removeprefix(PREFIX)
        with self.changed:
            self.requests[name] += 1
            if self.faults.get(name):
                raise self.faults[name].pop(0)
            self.changed.notify_all()
        if name != "enrol" and authorization.removeprefix("Bearer ") not in self.credentials:
            raise RefusalError(401, "authentication_failed", "the agent's credential is unknown or revoked")
        method = getattr(self, f"_{name}", None)
        if method is None:
            raise RefusalError(404, "not_found")
        return to_json(method(document))

    def _enrol(self, document: object) -> Enrolment:
        request = from_json(EnrolRequest, document)
        with self.changed:
            cluster = self.join_tokens.pop(request.join_token, None)
            if cluster is None:
                raise RefusalError(401, "authentication_failed", "the join token is unknown, used or over")
            credential = f"secret-{len(self.credentials)}-{request.name}"
            self.credentials.add(credential)
        return Enrolment(
            agent_id=new_id(),
            cluster_id=self.cluster_id,
            cluster_name=cluster,
            installation_id=self.installation_id,
            credential=credential,
        )

    def _hello(self, document: object) -> Welcome:
        with self.changed:
            self.hellos.append(from_json(Hello, document))
            self.changed.notify_all()
        return Welcome(
            server_time=datetime.now(UTC).isoformat(),
            poll_seconds=self.poll_seconds,
            inventory_seconds=self.inventory_seconds,
        )

    def _offers(self, document: object) -> Offers:
        request = from_json(OfferRequest, document)
        deadline = time.monotonic() + request.wait_seconds
        with self.changed:
            while True:
                chosen = self._choose(request.maximum)
                left = deadline - time.monotonic()
                if chosen or left <= 0 or not self.is_up:
                    operations = tuple(from_json(Operation, each) for each in chosen)
                    return Offers(operations=operations, acknowledge_seconds=self.acknowledge_seconds)
                self.changed.wait(min(left, 0.5))

    def _choose(self, maximum: int) -> list[dict]:
        now = time.monotonic()
        extra, self.extra_offers = self.extra_offers, []
        chosen = []
        for entry in self.entries.values():
            if len(chosen) >= maximum:
                break
            if entry.state == "QUEUED" or (entry.state == "OFFERED" and entry.offered_until < now):
                entry.state, entry.epoch = "OFFERED", entry.epoch + 1
                entry.offered_until = now + self.acknowledge_seconds
                entry.offered.append(entry.epoch)
                chosen.append({**entry.operation, "epoch": entry.epoch})
        return extra + chosen

    def _acknowledgements(self, document: object) -> AcknowledgementAnswer:
        accepted, refused = [], []
        with self.changed:
            for reference in from_json(Acknowledgements, document).operations:
                entry = self.entries.get(reference.id)
                fits = entry and entry.epoch == reference.epoch and entry.state in ("OFFERED", "RUNNING")
                if entry and fits:
                    entry.state = "RUNNING"
                (accepted if fits else refused).append(reference.id)
            self.changed.notify_all()
        return AcknowledgementAnswer(accepted=tuple(accepted), refused=tuple(refused))

    def _results(self, document: object) -> ResultsAnswer:
        accepted, stale = [], []
        if self.unwelcome and self.unwelcome in json.dumps(document):
            raise RefusalError(400, "bad_request", "it has an unwelcome word in it")
        with self.changed:
            for result in from_json(Results, document).results:
                entry = self.entries.get(result.id)
                if entry is None or entry.epoch != result.epoch or entry.state not in ("OFFERED", "RUNNING", "DONE"):
                    self.stale.append(result)
                    stale.append(result.id)
                    continue
                accepted.append(result.id)
                entry.results += 1
                entry.state, entry.result = "DONE", result
                if self.repeats_doubtful and result.outcome in (Outcome.TRANSIENT, Outcome.UNCERTAIN):
                    entry.state, entry.result = "QUEUED", None
                    entry.operation["observe_first"] = result.outcome is Outcome.UNCERTAIN
            self.changed.notify_all()
        return ResultsAnswer(accepted=tuple(accepted), stale=tuple(stale))

    def _inventory(self, document: object) -> None:
        message = from_json(Inventory, document)
        with self.changed:
            for kind in message.kinds:
                self.inventories.setdefault(kind, []).append(message)
            self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of agents that were killed."""


def _handler(plane: LabControlPlane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet for head and body

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                document = plane.answer(self.path, self.headers.get("Authorization", ""), json.loads(body))
                status = 200 if document is not None else 204
            except RefusalError as refusal:
                status, document = refusal.status, refusal.document
            name = self.path.removeprefix(PREFIX)
            if not plane.is_up or plane.lost_answers[name] > 0:
                plane.lost_answers[name] -= 1
                self.close_connection = True
                return
            self._send(status, b"" if document is None else json.dumps(document).encode())

        def _send(self, status: int, answer: bytes) -> None:
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
