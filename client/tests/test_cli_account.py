# SPDX-License-Identifier: Apache-2.0
"""Logging in, contexts, tokens, who one is."""

import json
import stat
import tomllib
from pathlib import Path

from client.tests.contract_server import PASSWORD, Command, Contract

ENTERED = PASSWORD + "\n"


def test_a_login_is_remembered_for_its_owner_only(command: Command, contract: Contract, project: str) -> None:
    said = command.done("login", contract.url + "/", "-u", "alice", "--password-stdin", stdin=ENTERED)

    assert said == f"Logged in to {contract.url} as alice (organization acme, project web).\n"
    assert stat.S_IMODE(command.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(command.config.parent.stat().st_mode) == 0o700
    kept = tomllib.loads(command.config.read_text())
    name = contract.url.replace("http://", "alice@")
    assert kept["current"] == name
    assert kept["contexts"][name]["project_id"] == project
    assert PASSWORD not in command.config.read_text()
    assert sorted(path.name for path in command.config.parent.iterdir()) == ["config.toml"]


def test_a_login_shows_the_token_of_before_to_the_same_server_for_the_same_user_only(
    alice: Command, contract: Contract
) -> None:
    """The server knows the device by it, so that others' wrong passwords do not hold it back."""
    kept = tomllib.loads(alice.config.read_text())["contexts"].popitem()[1]["token"]
    contract.requests.clear()
    alice.done("login", "-u", "alice", "--password-stdin", stdin=ENTERED)
    alice.done("login", "-u", "olga", "--password-stdin", stdin=ENTERED)
    shown = [each.headers.get("authorization") for each in contract.requests if each.path.endswith("/login")]

    assert shown == [f"Bearer {kept}", None]


def test_a_wrong_password_keeps_nothing(command: Command, contract: Contract) -> None:
    line = command.failed(3, "login", contract.url, "-u", "alice", "--password-stdin", stdin="wrong\n")

    assert line == (f"Error: cannot log in to {contract.url} as alice: the username or the password is wrong.")
    assert not command.config.exists()


def test_without_a_terminal_nothing_is_asked(command: Command, contract: Contract) -> None:
    assert "use --username" in command.failed(2, "login", contract.url)
    assert "use --password-stdin" in command.failed(2, "login", contract.url, "-u", "alice")
    assert "cannot ask for the URL without a terminal; use the argument URL" in command.failed(2, "login")


def test_before_a_login_one_is_told_to_log_in(command: Command) -> None:
    assert command.failed(3, "vm", "list") == (
        "Error: cannot list vms: no server is configured; log in with 'stratoplane login URL'."
    )


def test_a_token_that_ended_is_told(alice: Command, contract: Contract) -> None:
    contract.state.tokens.clear()

    assert alice.failed(3, "me") == (
        "Error: cannot show your user: the token is unknown or has expired. Log in with 'stratoplane login'."
    )


def test_contexts_live_beside_each_other(alice: Command, contract: Contract) -> None:
    alice.done("login", "-u", "olga", "--password-stdin", "--context", "work", stdin=ENTERED)
    first = contract.url.replace("http://", "alice@")

    assert alice.done("context", "list", "-o", "name").split() == [first, "work"]
    assert alice.done("me", "-o", "name") == "olga\n"
    assert alice.done("me", "-o", "name", "--context", first) == "alice\n"
    assert alice.done("me", "-o", "name", STRATOPLANE_CONTEXT=first) == "alice\n"
    alice.done("context", "use", first)
    assert alice.done("me", "-o", "name") == "alice\n"
    shown = json.loads(alice.done("context", "list", "-o", "json"))
    assert [(each["name"], each["current"], each["logged_in"]) for each in shown] == [
        (first, True, True),
        ("work", False, True),
    ]
    alice.done("context", "delete", "work")
    assert "the contexts are: alice@" in alice.failed(2, "context", "use", "work")
    assert alice.done("context", "list").splitlines()[1].startswith("*")


def test_no_token_is_ever_shown(alice: Command, contract: Contract) -> None:
    token = next(iter(contract.state.tokens))

    for words in (["context", "show"], ["context", "show", "-o", "json"], ["context", "list", "-o", "yaml"]):
        assert token not in alice.done(*words)
    answer = alice("vm", "list", "-v")
    assert token not in answer.stdout + answer.stderr


def test_a_logout_ends_the_token_and_keeps_the_context(alice: Command, contract: Contract) -> None:
    alice.done("logout")

    assert contract.state.tokens == {}
    assert alice.done("context", "list", "-o", "name").startswith("alice@")
    assert "run 'stratoplane login'" in alice.failed(3, "vm", "list")


def test_a_logout_with_a_token_that_ended_is_no_failure(alice: Command, contract: Contract) -> None:
    contract.state.tokens.clear()

    alice.done("logout")
    assert "token" not in alice.config.read_text()


def test_the_environment_is_enough_for_programs(command: Command, contract: Contract) -> None:
    contract.state.tokens["t0ken"] = "alice"

    assert command.done("vm", "list", "-o", "json", STRATOPLANE_URL=contract.url, STRATOPLANE_TOKEN="t0ken") == "[]\n"
    assert not command.config.exists()


def test_a_token_goes_to_no_other_server(alice: Command, contract: Contract) -> None:
    contract.requests.clear()

    assert "run 'stratoplane login'" in alice.failed(3, "vm", "list", STRATOPLANE_URL="http://127.0.0.1:1")
    assert contract.requests == []


def test_a_file_that_is_no_configuration(command: Command) -> None:
    command.config.parent.mkdir()
    command.config.write_text("contexts = 7 [")

    assert "cannot read" in command.failed(2, "vm", "list")


def test_a_home_that_cannot_be_written(command: Command, contract: Contract, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    line = command.failed(
        2,
        "login",
        contract.url,
        "-u",
        "alice",
        "--password-stdin",
        stdin=ENTERED,
        STRATOPLANE_CONFIG_FILE=f"{tmp_path}/file/c.toml",
    )
    assert "cannot" in line
    assert "file/c.toml" in line


def test_me_shows_what_one_may_do(alice: Command) -> None:
    shown = alice.done("me")

    assert "alice" in shown
    assert "in organization" in shown
    assert "resource:read, resource:write" not in shown.splitlines()[0]


def test_projects_are_chosen_once(alice: Command, contract: Contract) -> None:
    alice.done("project", "create", "shop", "--label", "env=prod")
    assert alice.done("project", "use", "shop") == "Now working in project shop.\n"
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24")

    assert alice.done("network", "list", "-o", "name") == "front\n"
    assert alice.done("network", "list", "-o", "name", "--project", "web") == ""
    assert alice.done("network", "list", "-o", "name", STRATOPLANE_PROJECT="web") == ""
    assert alice.done("project", "list", "-o", "name").split() == ["web", "shop"]
    assert "'stratoplane project list' shows what exists" in alice.failed(4, "vm", "list", "--project", "nope")


def test_who_sees_several_projects_is_asked_to_choose(command: Command, contract: Contract) -> None:
    contract.add_project("shop")
    said = command.done("login", contract.url, "-u", "alice", "--password-stdin", stdin=ENTERED)

    assert said.splitlines() == [
        f"Logged in to {contract.url} as alice (organization acme, no project).",
        "Your projects are web, shop; choose one with 'stratoplane project use NAME'.",
    ]
    assert "choose one with --project" in command.failed(2, "vm", "list")


def test_a_token_for_a_program_is_alone_on_standard_output(alice: Command) -> None:
    answer = alice("token", "create", "ci", "--expires-in", "30d")

    assert answer.stdout.startswith("secret-")
    assert answer.stdout.count("\n") == 1
    assert "not shown again" in answer.stderr
    assert alice.done("token", "list", "-o", "name") == "ci\n"
    alice.done("token", "delete", "ci")
    assert alice.done("token", "list", "-o", "json") == "[]\n"
