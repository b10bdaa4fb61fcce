# SPDX-License-Identifier: Apache-2.0
"""What the agent itself must refuse: other control planes, forged answers, older epochs; and clocks that are wrong."""

import dataclasses
import ssl
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.tests.lab.lab_control_plane import PATIENCE
from stratoplane.join_tokens import JoinToken, pin_of, read_join_token
from stratoplane.messages import Outcome
from stratoplane.signatures import Message, read_request
from stratoplane_agent.identity import KeyIdentity, ServerClock, read_credential
from stratoplane_agent.keys import PrivateKey
from stratoplane_agent.transport import CredentialRefusedError, ForgedAnswerError, Transport

LAB = Path(__file__).parent / "lab"
OFFERS = b'{"maximum":1,"wait_seconds":0}'


@pytest.fixture
def enrolled(agent):
    """The state folder of an agent that is enrolled and does not run."""
    assert agent.command("enrol").returncode == 0
    return agent.state


@pytest.fixture
def impostor():
    """A server by https with a certificate that is trusted and is not the pinned one; it notes what it is told."""
    told: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_error(500)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LAB / "certificate.pem", LAB / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()


# A10


def test_an_answer_that_another_key_signed_is_not_used_and_the_agent_says_so(control_plane, agent, machine):
    agent.start()
    agent.wait_for_line('"connected"')
    control_plane.signs_answers_with = PrivateKey(PrivateKey.new())
    spec = machine()
    identifier = control_plane.queue("virtual_machine", "create", spec.uid, spec)
    agent.wait_for_line("is not signed by the control plane")
    status = agent.command("status")
    assert agent.calls(f"create {spec.uid}") == []
    assert "is not signed by the control plane" in status.stdout

    control_plane.signs_answers_with = control_plane.key
    control_plane.requeue(identifier)
    assert control_plane.result(identifier).outcome is Outcome.DONE


def test_an_answer_to_another_request_is_not_used(control_plane, enrolled):
    transport = Transport(control_plane.url, KeyIdentity(enrolled))
    captured = control_plane.signature
    first: dict[str, dict[str, str]] = {}
    control_plane.signature = lambda *message: first.setdefault("it", captured(*message))
    transport.post("/api/agent/v1/offers", OFFERS, seconds=PATIENCE)

    with pytest.raises(ForgedAnswerError, match="is not signed by the control plane"):
        transport.post("/api/agent/v1/offers", OFFERS, seconds=PATIENCE)


def test_an_unsigned_answer_is_not_used(control_plane, enrolled):
    control_plane.signature = lambda *_: {}

    with pytest.raises(ForgedAnswerError, match="not signed"):
        Transport(control_plane.url, KeyIdentity(enrolled)).post("/api/agent/v1/offers", OFFERS, seconds=PATIENCE)


# A13, the agent's half: verbs that it does not know


def test_a_verb_or_kind_that_the_agent_does_not_know_is_refused_for_good(control_plane, agent, machine):
    agent.start()
    spec = machine()
    verb = control_plane.result(control_plane.queue("virtual_machine", "teleport", spec.uid, spec))
    kind = control_plane.result(control_plane.queue("teleporter", "create", spec.uid, spec))
    later = {"added_by_a_later_version": [1, 2]}
    known = control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec, **later))

    assert [(each.outcome, each.code) for each in (verb, kind)] == [(Outcome.PERMANENT, "unsupported_by_provider")] * 2
    assert known.outcome is Outcome.DONE


# A14


@pytest.mark.parametrize("error", [3600, -3600])
def test_an_agent_whose_clock_is_an_hour_off_works(control_plane, enrolled, error):
    identity = KeyIdentity(enrolled, ServerClock(lambda: time.time() + error))
    transport = Transport(control_plane.url, identity)
    answers: list[Any] = [transport.post("/api/agent/v1/offers", OFFERS, seconds=PATIENCE) for _ in range(3)]

    assert [answer["operations"] for answer in answers] == [[], [], []]
    assert control_plane.refusals == ["the moment is too far from this clock"]


@pytest.mark.parametrize("error", [3600, -3600])
def test_an_agent_works_for_a_control_plane_whose_clock_is_an_hour_off(control_plane, agent, machine, error):
    control_plane.clock = lambda: time.time() + error
    agent.start()
    spec = machine()

    assert (
        control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec)).outcome is Outcome.DONE
    )


def test_a_refusal_that_the_clock_does_not_explain_is_not_tried_again(control_plane, enrolled):
    control_plane.keys.clear()

    with pytest.raises(CredentialRefusedError):
        Transport(control_plane.url, KeyIdentity(enrolled)).post("/api/agent/v1/offers", OFFERS, seconds=PATIENCE)
    assert len(control_plane.refusals) == 1


# A15


def test_a_control_plane_that_was_restored_from_an_older_backup_is_not_followed(control_plane, agent, machine):
    agent.start()
    control_plane.acknowledge_seconds = 0.3
    spec = machine()
    identifier = control_plane.queue("virtual_machine", "create", spec.uid, spec)
    with control_plane.changed:
        control_plane.entries[identifier].epoch = 8
    assert control_plane.result(identifier).epoch == 9
    calls = agent.calls(f"create {spec.uid}")
    with control_plane.changed:
        entry = control_plane.entries[identifier]
        entry.epoch, entry.state, entry.result = 5, "QUEUED", None
    agent.wait_for_line("has seen a higher epoch")

    assert agent.calls(f"create {spec.uid}")[: len(calls)] == calls
    assert control_plane.result(identifier).epoch > 9


# A16


def test_an_agent_sends_no_secret_to_a_control_plane_with_another_key(control_plane, agent):
    token = JoinToken(secret="spt_join_token-1", server_pin=pin_of(b"another")).text
    answer = agent.command("enrol", STRATOPLANE_AGENT_JOIN_TOKEN=token)

    assert answer.returncode == 1
    assert "not the control plane that the join token names" in answer.stderr
    assert (control_plane.requests["enrol"], control_plane.join_tokens) == (0, {"token-1": "lab"})
    assert not (agent.state / "credential.json").exists()


def test_an_agent_sends_nothing_to_a_server_with_another_certificate(control_plane, agent, impostor):
    url, told = impostor
    pins = read_join_token(control_plane.token())
    token = dataclasses.replace(pins, certificate_pin=pin_of(b"another certificate")).text
    answer = agent.command(
        "enrol",
        STRATOPLANE_AGENT_CONTROL_PLANE=url,
        STRATOPLANE_AGENT_CA_FILE=str(LAB / "certificate.pem"),
        STRATOPLANE_AGENT_JOIN_TOKEN=token,
    )

    assert answer.returncode == 1
    assert "not the control plane that the join token names" in answer.stderr
    assert told == []


def test_a_server_that_passes_off_a_proof_of_another_nonce_is_not_told_the_token(control_plane, agent):
    genuine = control_plane.key.proof
    control_plane.key.proof = lambda message: genuine(message + b"x")
    answer = agent.command("enrol")

    assert "not the control plane that the join token names" in answer.stderr
    assert control_plane.requests["enrol"] == 0


def test_a_token_without_a_fingerprint_is_not_used(agent, control_plane):
    answer = agent.command("enrol", STRATOPLANE_AGENT_JOIN_TOKEN="spt_join_token-1")

    assert "ask an operator for a new one" in answer.stderr
    assert not control_plane.requests


# The agent's own key


def test_the_private_key_is_made_here_and_never_leaves(control_plane, enrolled):
    credential = read_credential(enrolled)
    file = enrolled / "credential.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert control_plane.keys == {credential.key_id: PrivateKey(credential.key).public}


def test_a_key_is_renewed_at_intervals_and_work_goes_on(control_plane, agent, machine):
    control_plane.key_seconds = 0.3
    agent.start()
    control_plane.wait_until(lambda: len(control_plane.keys) >= 4, "three rotations")
    spec = machine()

    assert (
        control_plane.result(control_plane.queue("virtual_machine", "create", spec.uid, spec)).outcome is Outcome.DONE
    )
    assert control_plane.refusals == []


def test_a_rotation_whose_answer_was_lost_is_repeated_with_the_same_key(control_plane, agent):
    control_plane.key_seconds = 0.3
    control_plane.lost_answers["keys"] = 2
    brought: list[dict[str, Any]] = []
    take = control_plane._keys

    def note(document):
        brought.append(document)
        return take(document)

    control_plane._keys = note
    agent.start()
    control_plane.wait_until(lambda: len(brought) >= 4, "the rotation is repeated")
    second = [each["public_key"] for each in brought if each["generation"] == 2]

    assert len(second) >= 2
    assert len(set(second)) == 1


def test_a_rotation_that_a_kill_interrupted_is_taken_up_with_the_same_key(control_plane, enrolled, agent, machine):
    asked = KeyIdentity(enrolled).next_key()
    again = KeyIdentity(enrolled).next_key()
    assert asked.public_key == again.public_key
    agent.start()
    control_plane.wait_until(lambda: read_credential(enrolled).generation == 2, "the next key is in use")

    assert PrivateKey(read_credential(enrolled).key).public == asked.public_key


def test_each_process_signs_with_a_name_of_its_own_that_a_renewed_key_keeps(enrolled):
    def signer(identity):
        proof = identity.headers("POST", "/api/agent/v1/offers", b"{}")
        return read_request(Message(method="POST", path="/api/agent/v1/offers"), proof).key_id

    one, other = KeyIdentity(enrolled), KeyIdentity(enrolled)
    before = signer(one)
    one.next_key()
    one.promote()
    agent, generation, process = before.split(":")

    assert signer(one) == f"{agent}:{int(generation) + 1}:{process}"
    assert signer(other).split(":")[2] != process
