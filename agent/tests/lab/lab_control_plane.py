# SPDX-License-Identifier: Apache-2.0
"""A small control plane for the agent's tests: a real HTTP server that keeps the agent protocol's rules in memory."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from stratoplane.errors import InvalidSpecError
from stratoplane.ids import new_id
from stratoplane.join_tokens import JoinToken, pin_of, rotation_proof, server_proof
from stratoplane.messages import (
    AcknowledgementAnswer,
    Acknowledgements,
    Challenge,
    ChallengeRequest,
    Enrolment,
    EnrolRequest,
    Hello,
    Inventory,
    InventoryAnswer,
    KeyRotated,
    KeyRotation,
    ListingReport,
    OfferRequest,
    Offers,
    Operation,
    OperationResult,
    Outcome,
    Results,
    ResultsAnswer,
    Welcome,
)
from stratoplane.signatures import WINDOW_SECONDS, Message, check_body, read_request, sign_answer
from stratoplane.wire import from_json, to_json
from stratoplane_agent.keys import PrivateKey, PublicKey

PREFIX = "/api/agent/v1/"
# Seconds that a test waits for what must happen: only a fault, never a busy machine, makes it wait so long.
PATIENCE = 120.0


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, detail: str = "as the test wished") -> None:
        super().__init__(detail)
        self.status = status
        self.document = {"status": status, "code": code, "detail": detail}


@dataclass
class Entry:
    """One operation as the control plane sees it."""

    operation: dict[str, Any]
    state: str = "QUEUED"
    epoch: int = 0
    offered_until: float = 0.0
    result: OperationResult | None = None
    results: int = 0
    offered: list[int] = field(default_factory=list)


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
        self.listings: list[dict[str, ListingReport]] = []
        self.requests: Counter[str] = Counter()
        self.join_tokens = {"token-1": "lab"}
        self.keys: dict[str, str] = {}
        self.nonces: set[str] = set()
        self.refusals: list[str] = []
        self.key = PrivateKey(PrivateKey.new())
        self.clock = time.time
        self.key_seconds = 43_200.0
        self.signs_answers_with = self.key
        self.installation_id, self.cluster_id = new_id(), new_id()
        self.acknowledge_seconds = 15.0
        self.poll_seconds = poll_seconds
        self.inventory_seconds = inventory_seconds
        self.faults: dict[str, list[RefusalError]] = {}
        self.lost_answers: Counter[str] = Counter()
        self.extra_offers: list[dict[str, Any]] = []
        self.unwelcome = ""
        self.repeats_doubtful = False
        self.snapshots: dict[str, tuple[UUID | None, int]] = {}
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    # --- for tests --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, secret: str = "token-1") -> str:
        """Return the text of a join token with this control plane's fingerprint."""
        pin = pin_of(base64.b64decode(self.key.public))
        return JoinToken(secret=f"spt_join_{secret}", server_pin=pin).text

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

    def wait_until(self, condition, what: str, seconds: float = PATIENCE):
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

    def result(self, identifier: UUID, seconds: float = PATIENCE) -> OperationResult:
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

    def answer(self, path: str, headers, body: bytes):
        name = path.removeprefix(PREFIX)
        with self.changed:
            self.requests[name] += 1
            if self.faults.get(name):
                raise self.faults[name].pop(0)
            self.changed.notify_all()
        method = getattr(self, f"_{name}", None)
        if method is None:
            raise RefusalError(404, "route_not_found")
        try:
            document = json.loads(body)
            if name != "challenge":
                self._admit(path, headers, body, document if name == "enrol" else None)
            return to_json(method(document))
        except InvalidSpecError as error:
            raise RefusalError(422, error.code, error.detail) from error
        except json.JSONDecodeError as error:
            raise RefusalError(400, "malformed_json", str(error)) from error

    def _admit(self, path: str, headers, body: bytes, enrolment) -> None:
        """Admit what one of the known keys signed, or at enrolment the key in the body itself."""
        signed = read_request(Message(method="POST", path=path), headers)
        check_body(body, headers)
        with self.changed:
            # Agent and generation; what follows tells the process.
            key_id = ":".join(signed.key_id.split(":")[:2])
            public = enrolment["public_key"] if enrolment else self.keys.get(key_id)
            reason = ""
            if public is None or not PublicKey(public).verifies(signed.signature, signed.base):
                reason = "the agent's key is unknown or revoked"
            elif abs(signed.created - self.clock()) > WINDOW_SECONDS:
                reason = "the moment is too far from this clock"
            elif signed.nonce in self.nonces:
                reason = "sent before"
            self.nonces.add(signed.nonce)
            if reason:
                self.refusals.append(reason)
                raise RefusalError(401, "authentication_failed", reason)
            self.signer = key_id

    def signature(self, status: int, body: bytes, headers) -> Mapping[str, str]:
        """Return the headers that prove an answer."""
        if "Signature" not in headers or status >= 300:
            return {}
        return sign_answer(status, body, headers, key_id="lab", sign=self.signs_answers_with.sign)

    def _challenge(self, document: object) -> Challenge:
        nonce = from_json(ChallengeRequest, document).nonce
        return Challenge(
            public_key=self.key.public,
            proof=self.key.proof(server_proof(nonce)),
            server_time=datetime.fromtimestamp(self.clock(), UTC).isoformat(),
        )

    def _keys(self, document: object) -> KeyRotated:
        request = from_json(KeyRotation, document)
        with self.changed:
            agent = self.signer.split(":")[0]
            proved = rotation_proof(agent, request.generation)
            if not PublicKey(request.public_key).verifies(base64.b64decode(request.proof), proved):
                raise InvalidSpecError("the next key must prove itself over agent and generation")
            self.keys[f"{agent}:{request.generation}"] = request.public_key
            self.changed.notify_all()
        return KeyRotated(generation=request.generation)

    def _enrol(self, document: object) -> Enrolment:
        request = from_json(EnrolRequest, document)
        with self.changed:
            cluster = self.join_tokens.pop(request.join_token.removeprefix("spt_join_"), None)
            if cluster is None:
                raise RefusalError(401, "authentication_failed", "the join token is unknown, used or expired")
            agent_id = new_id()
            self.keys[f"{agent_id}:1"] = request.public_key
        return Enrolment(
            agent_id=agent_id,
            cluster_id=self.cluster_id,
            cluster_name=cluster,
            installation_id=self.installation_id,
        )

    def _hello(self, document: object) -> Welcome:
        with self.changed:
            self.hellos.append(from_json(Hello, document))
            self.changed.notify_all()
        return Welcome(
            server_time=datetime.fromtimestamp(self.clock(), UTC).isoformat(),
            key_seconds=self.key_seconds,
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

    def _choose(self, maximum: int) -> list[dict[str, Any]]:
        now = time.monotonic()
        extra, self.extra_offers = self.extra_offers, []
        chosen: list[dict[str, Any]] = []
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
        accepted: list[UUID] = []
        refused: list[UUID] = []
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

    def _inventory(self, document: object) -> InventoryAnswer:
        message = from_json(Inventory, document)
        with self.changed:
            if message.sequence and any(
                self.snapshots.get(kind) != (message.snapshot, message.sequence - 1) for kind in message.kinds
            ):
                return InventoryAnswer(wanted=message.kinds)
            if message.listings is not None:
                self.listings.append({f"{each.interface} {each.name}": each for each in message.listings})
            for kind in message.kinds:
                self.snapshots[kind] = (message.snapshot, message.sequence)
                self.inventories.setdefault(kind, []).append(message)
            self.changed.notify_all()
        return InventoryAnswer()


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
                document = plane.answer(self.path, self.headers, body)
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
            self.send_header("Date", formatdate(plane.clock(), usegmt=True))
            for name, value in plane.signature(status, answer, self.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
