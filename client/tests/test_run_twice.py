# SPDX-License-Identifier: Apache-2.0
"""Commands that a script may run twice: ``--if-not-exists`` and ``--idempotency-key``."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from client.tests.contract_server import Command, Contract, Fault
from stratoplane_client import ApiError, Client, ExistsOtherwiseError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop\n"
NETWORK = ("network", "create", "front", "--cidr", "10.0.0.0/24")
MACHINE = ("vm", "create", "web-1", "--flavor", "small", "--image", "debian-12")
ONCE = "--if-not-exists"


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "id.pub").write_text(KEY)
    return str(tmp_path / "id.pub")


def test_every_create_accepts_what_exists_and_says_what_differs(alice: Command, contract: Contract, key: str) -> None:
    machine = (*MACHINE, "--network", "front", "--key", "alice", "--label", "env=prod")
    cases = (
        (NETWORK, ("--isolated",), "mode is 'NAT', not 'ISOLATED'"),
        (("key", "create", "alice", "--public-key", key), ("--label", "a=b"), "labels is not set, not 'a=b'"),
        (("volume", "create", "data", "--size", "20", "--image", "debian-12"), ("--label", "a=b"), "labels is"),
        (("bucket", "create", "logs"), ("--cluster", "rack-2"), "cluster is 'rack-1', not 'rack-2'"),
        (machine, ("--stopped",), "power is 'RUNNING', not 'STOPPED'"),
    )
    for words, other, difference in cases:
        assert " created: " in alice.done(*words, ONCE, *(() if words[0] == "key" else ("--wait",)))
        assert f"{words[0]} {words[2]} exists with the same specification: " in alice.done(*words, ONCE)
        assert "exists with the same specification" in alice.done(*words, ONCE, "--dry-run")
        assert "exists with the same specification" in alice.done(*words, ONCE, "--wait")
        line = alice.failed(5, *words, *other, ONCE)
        assert difference in line, line
        assert f"a {contract_noun(words[0])} named '{words[2]}' exists, but" in line
        assert "already" in alice.failed(5, *words)
    shown = json.loads(alice.done(*NETWORK, ONCE, "-o", "json"))
    assert (shown["network"]["name"], shown["job"]) == ("front", None)
    assert all(len(each) == 1 for each in contract.state.resources.values())


def contract_noun(noun: str) -> str:
    return {"vm": "virtual machine", "key": "key pair"}.get(noun, noun)


def test_names_and_ids_of_the_same_are_the_same(alice: Command, contract: Contract) -> None:
    alice.done(*MACHINE)
    flavor, image = (contract.state.stored[each][0]["id"] for each in ("flavors", "images"))

    again = ("vm", "create", "web-1", "--flavor", flavor, "--image", image, ONCE, "--wait")
    assert "exists with the same specification: RUNNING" in alice.done(*again)
    large = ("vm", "create", "web-1", "--flavor", "large", "--image", image, ONCE)
    assert "flavor is 'small', not 'large'" in alice.failed(5, *large)


def test_what_the_server_does_not_show_is_named(alice: Command, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("#cloud-config\n")
    words = (*MACHINE, "--user-data", str(tmp_path / "data"), ONCE)
    alice.done(*words)

    answer = alice(*words)
    assert answer.returncode == 0
    assert answer.stderr == "Warning: vm web-1 exists; the server does not show its user_data, which may differ.\n"


def test_the_create_decides_and_nothing_is_read_before_it(client: Client, contract: Contract, project: str) -> None:
    networks = client.networks(project)
    made = networks.or_existing().create(name="front", cidr="10.0.0.0/24")
    assert [each.method for each in contract.requests] == ["POST"]
    assert not made.existed
    assert networks.or_existing().create(name="front", cidr="10.0.0.0/24").existed
    with pytest.raises(ExistsOtherwiseError) as caught:
        networks.or_existing().create(name="front", cidr="10.1.0.0/24")
    assert [each.field for each in caught.value.differences] == ["cidr"]

    outcomes: list[bool] = []
    begin = threading.Barrier(4)

    def create() -> None:
        begin.wait()
        outcomes.append(networks.or_existing().create(name="back", cidr="10.2.0.0/24").existed)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == [False, True, True, True]


def test_what_is_refused_because_it_exists_is_found(client: Client, contract: Contract, project: str) -> None:
    networks = client.networks(project)
    networks.create(name="front", cidr="10.0.0.0/24").wait()
    for status, code in ((403, "quota_exceeded"), (422, "invalid_spec"), (409, "resource_in_use")):
        refusal = Fault(status=status, document={"code": code, "detail": "refused"})
        contract.faults.append(refusal)
        assert networks.or_existing().create(name="front", cidr="10.0.0.0/24").existed
        for name in ("front", "other"):
            contract.faults.append(refusal)
            with pytest.raises(ApiError, match="refused"):
                networks.or_existing().create(name=name, cidr="10.9.0.0/24")


def test_what_was_deleted_in_between_is_created(client: Client, contract: Contract, project: str) -> None:
    taken = Fault(status=409, document={"code": "name_taken", "detail": "taken"})
    contract.faults.append(taken)

    assert not client.networks(project).or_existing().create(name="front", cidr="10.0.0.0/24").existed


def test_what_cannot_be_used_is_a_conflict(alice: Command, contract: Contract) -> None:
    contract.state.failure = {"code": "provider_failed", "detail": "no room", "provider_text": ""}
    assert alice(*NETWORK, "--wait").returncode == 1

    assert "it has failed; retry its job or delete it" in alice.failed(5, *NETWORK, ONCE)


def test_waiting_for_what_another_has_begun(alice: Command) -> None:
    alice.done(*NETWORK)

    answer = alice(*NETWORK, ONCE, "--wait")
    assert answer.stdout == "network front exists with the same specification: ACTIVE, 10.0.0.0/24\n"
    assert "SUCCEEDED 2/2" in answer.stderr


def without_seconds(answer: Any) -> tuple[int, str]:
    return answer.returncode, answer.stdout.rpartition(" (")[0] or answer.stdout


def test_every_change_replays_its_answer(alice: Command, contract: Contract, key: str) -> None:
    alice.done("volume", "create", "data", "--size", "20", "--wait")
    commands = (
        NETWORK,
        ("key", "create", "alice", "--public-key", key),
        MACHINE,
        ("vm", "stop", "web-1"),
        ("vm", "resize", "web-1", "large"),
        ("vm", "attach", "web-1", "data"),
        ("vm", "update", "web-1", "--label", "a=b"),
        ("vm", "update", "web-1", "--name", "web-2"),
        ("vm", "detach", "web-2", "data"),
        ("vm", "reboot", "web-2"),
        ("volume", "resize", "data", "30"),
        ("volume", "delete", "data"),
        ("vm", "delete", "web-2"),
        ("key", "delete", "alice"),
    )
    for number, words in enumerate(commands):
        keyed = (*words, "--idempotency-key", f"run-{number}")
        first = without_seconds(alice(*keyed))
        assert first[0] == 0, (words, alice(*keyed).stderr)
        for job in list(contract.state.jobs):
            alice("job", "wait", job)
        before = len(contract.state.jobs)
        assert without_seconds(alice(*keyed)) == first, words
        assert len(contract.state.jobs) == before
        method = [each for each in contract.requests if each.method != "GET"][-1]
        assert method.headers["idempotency-key"] == f"run-{number}"


def test_a_key_names_one_change(alice: Command, contract: Contract) -> None:
    alice.done(*NETWORK, "--idempotency-key", "one")

    assert "used with another request" in alice.failed(
        2, "network", "create", "back", "--cidr", "10.1.0.0/24", "--idempotency-key", "one"
    )
    assert "is not a valid key" in alice.failed(2, *NETWORK, "--idempotency-key", "two words")
    for name in ("a", "b"):
        alice.done("volume", "create", name, "--size", "1", "--wait")
    both = ("volume", "delete", "a", "b", "--idempotency-key", "many", "--wait")
    alice.done(*both)
    assert alice(*both).returncode == 0
    assert [each.headers["idempotency-key"] for each in contract.sent("DELETE")] == ["many:a", "many:b"] * 2


def test_a_job_is_cancelled_with_a_key(alice: Command, contract: Contract) -> None:
    contract.state.stuck = True
    alice.done(*NETWORK)
    (job,) = contract.state.jobs

    first = alice.done("job", "cancel", job, "--idempotency-key", "stop")
    assert alice.done("job", "cancel", job, "--idempotency-key", "stop") == first
    refused = alice.failed(2, "job", "retry", job, "--all-orgs", "--idempotency-key", "x")
    assert "cannot be used with --all-orgs" in refused
