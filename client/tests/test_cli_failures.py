# SPDX-License-Identifier: Apache-2.0
"""Every failure is one line that says what failed, why and what helps; the exit code says of which sort it was."""

import signal

import pytest

from client.tests.contract_server import Command, Contract, Fault

NETWORK = ("network", "create", "front", "--cidr", "10.0.0.0/24")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["vm", "lst"], "Error: there is no command 'lst'; did you mean 'list'? See 'stratoplane vm --help'."),
        (["vmm", "list"], "Error: there is no command 'vmm'; did you mean 'vm'? See 'stratoplane --help'."),
        (["vm", "create", "web-1"], "Error: Missing option '--flavor'. See 'stratoplane vm create --help'."),
        (
            ["vm", "create", "web-1", "--flavor", "small"],
            "Error: specify exactly one of --image and --boot-volume. See 'stratoplane vm create --help'.",
        ),
        (
            ["volume", "create", "data", "--size", "20 bananas"],
            (
                "Error: Invalid value for '--size': '20 bananas' is not a valid size; write it as 20, 20GiB or 2TiB. "
                "See 'stratoplane volume create --help'."
            ),
        ),
        (
            ["vm", "update", "web-1", "--label", "env"],
            (
                "Error: Invalid value for '--label': 'env' is not of the form key=value. "
                "See 'stratoplane vm update --help'."
            ),
        ),
    ],
)
def test_a_command_line_that_makes_no_sense(alice: Command, words: list[str], line: str) -> None:
    assert alice.failed(2, *words) == line


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["volume", "create", "data", "--size", "20", "--size", "30"], "--size"),
        (["volume", "create", "data", "--size", "20", "--dry-run", "--dry-run"], "--dry-run"),
        (["volume", "create", "data", "--size", "20", "--wait", "--no-wait"], "--wait"),
        (["volume", "list", "--status", "ACTIVE", "--status=FAILED"], "--status"),
        (["volume", "list", "-o", "json", "--output", "yaml"], "-o / --output"),
        (["-o", "json", "volume", "list", "--output", "yaml"], "-o / --output"),
        (["--project", "web", "volume", "list", "--project", "api"], "--project"),
        (["me", "-v", "-v"], "-v / --verbose"),
    ],
)
def test_an_option_that_takes_one_value_is_given_once(
    alice: Command, contract: Contract, words: list[str], option: str
) -> None:
    contract.requests.clear()
    line = alice.failed(2, *words)

    assert line.startswith(f"Error: {option} is given more than once; give it once. See 'stratoplane ")
    assert contract.requests == []


def test_an_option_that_takes_several_values_is_repeated(alice: Command) -> None:
    words = ("volume", "create", "data", "--size", "1", "--label", "a=1", "--label", "b=2", "--wait")

    assert "created" in alice.done(*words)


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (401, "authentication_failed", 3),
        (403, "permission_denied", 3),
        (403, "quota_exceeded", 6),
        (404, "resource_not_found", 4),
        (409, "name_taken", 5),
        (409, "state_conflict", 5),
        (410, "resource_deleted", 4),
        (412, "version_mismatch", 5),
        (422, "invalid_spec", 2),
        (400, "malformed_request", 2),
        (422, "admission_refused", 9),
        (500, "internal_error", 1),
        (503, "no_cluster_available", 1),
    ],
)
def test_refusals_have_an_exit_code_of_their_sort(
    alice: Command, contract: Contract, status: int, code: str, exit_code: int
) -> None:
    contract.faults.append(Fault(status=status, document={"code": code, "detail": "some\nwords."}))

    line = alice.failed(exit_code, *NETWORK)
    assert line.startswith("Error: cannot create network front: some words.")
    assert ".." not in line


def test_every_member_that_is_wrong_is_named(alice: Command, contract: Contract) -> None:
    errors = [{"pointer": "/cidr", "detail": "has host bits set; the network is 10.0.0.0/24"}]
    document = {"code": "invalid_spec", "detail": "the content cannot be accepted", "errors": errors}
    contract.faults.append(Fault(status=422, document=document))

    assert alice.failed(2, *NETWORK) == (
        "Error: cannot create network front: the content cannot be accepted "
        "(cidr: has host bits set; the network is 10.0.0.0/24)."
    )


def test_with_v_the_request_is_named(alice: Command, contract: Contract) -> None:
    contract.state.limits["networks"] = 0
    answer = alice(*NETWORK, "-v")

    request = contract.requests[-1]
    trace = request.headers["traceparent"].split("-")[1]
    assert answer.returncode == 6
    assert answer.stderr.splitlines()[-1].endswith(
        f"[403 quota_exceeded, request {request.headers['x-request-id']}, trace {trace}]"
    )
    assert {each.headers["traceparent"].split("-")[1] for each in contract.requests[-1:]} == {trace}
    assert f"request {request.headers['x-request-id']}" in answer.stderr.splitlines()[-2]


def test_a_server_that_is_not_there(alice: Command, contract: Contract) -> None:
    contract.stop()

    assert alice.failed(7, "vm", "list", STRATOPLANE_ATTEMPTS="2") == (
        f"Error: cannot list vms: cannot connect to {contract.url}: Connection refused. "
        "Check that the server is running and that 'stratoplane context show' has the right URL."
    )


def test_a_gateway_without_a_server_behind_it(alice: Command, contract: Contract) -> None:
    contract.faults.extend([Fault(status=502, raw=b"<html>bad gateway</html>")] * 2)

    assert "HTTP status 502" in alice.failed(7, "vm", "list", STRATOPLANE_ATTEMPTS="2")
    assert "must be a whole number" in alice.failed(2, "vm", "list", STRATOPLANE_ATTEMPTS="none")


def test_what_is_no_stratoplane_server(alice: Command, contract: Contract) -> None:
    contract.faults.append(Fault(status=200, raw=b"<html>hello</html>"))

    assert "is this a Stratoplane server?" in alice.failed(1, "vm", "list")


def test_a_job_that_fails(alice: Command, contract: Contract) -> None:
    contract.state.failure = {"code": "no_capacity_at_provider", "detail": "no room", "provider_text": "disk full"}
    answer = alice(*NETWORK, "--wait")
    job_id = next(iter(contract.state.jobs))

    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.splitlines()[-1] == (
        f"Error: cannot create network front: job {job_id} failed: no room (provider: disk full). "
        f"'stratoplane job show {job_id}' shows every step."
    )
    shown = alice.done("job", "show", job_id)
    assert "disk full" in shown
    assert "no_capacity_at_provider" in shown


def test_a_wait_that_is_too_long(alice: Command, contract: Contract) -> None:
    contract.state.stuck = True
    answer = alice(*NETWORK, "--wait", "--timeout", "1")
    job_id = next(iter(contract.state.jobs))

    assert answer.returncode == 8
    assert answer.stderr.splitlines()[-1] == (
        f"Error: cannot create network front: job {job_id} is PENDING at step 'await_targets' after 1 s. "
        f"The job continues; wait for it with 'stratoplane job wait {job_id}'."
    )


def test_who_stops_waiting_is_told_that_it_goes_on(alice: Command, contract: Contract) -> None:
    contract.state.stuck = True
    with alice.process(*NETWORK, "--wait") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "network front: PENDING 0/2, await_targets\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    job_id = next(iter(contract.state.jobs))
    assert process.returncode == 130
    assert errors.strip() == f"Stopped waiting; the job continues. Wait for it with 'stratoplane job wait {job_id}'."


def test_whoever_reads_only_the_beginning_causes_no_noise(alice: Command, contract: Contract) -> None:
    for number in range(200):
        contract.add_project(f"project-{number:03}")
    for project in contract.state.stored["projects"]:
        project["display_name"] = "A rather long name for people " * 10
    with alice.process("project", "list", PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_names_from_others_do_not_command_the_terminal(alice: Command, contract: Contract) -> None:
    contract.state.stored["projects"][0]["display_name"] = "\x1b]0;owned\x07\x1b[31mred\nnext"

    contract.faults.append(Fault(status=409, document={"code": "state_conflict", "detail": "no \x1b[2Jway"}))
    assert "\x1b" not in alice.failed(5, *NETWORK)
    shown = alice.done("project", "list")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert len(shown.splitlines()) == 2
