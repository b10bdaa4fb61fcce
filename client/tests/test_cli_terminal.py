# SPDX-License-Identifier: Apache-2.0
"""On a terminal: colours, questions, a progress bar; and completion in the shell."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest

from client.tests.contract_server import PASSWORD, Command, Contract

QUESTION = "Delete network front? [y/N]: "
RESIZE = "Resize vm web-1? [y/N]: "
# The terminal becomes the process's own, so that it is there to ask for a password.
PROGRAM = [sys.executable, "-c", "import os; os.login_tty(0); from stratoplane_client.cli import main; main()"]


def on_terminal(
    command: Command, *words: str, answers: tuple[tuple[str, str], ...] = (), **environment: str
) -> tuple[int, str]:
    """Run the command on a terminal and type answers to its questions; return exit code and all that was written."""
    ours, theirs = pty.openpty()
    everything = command.environment | {"TERM": "xterm-256color"} | environment
    left = list(answers)
    written = ""
    with subprocess.Popen([*PROGRAM, *words], env=everything, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        while part := _read(ours):
            written += part
            if left and left[0][0] in written:
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        process.kill()
    os.close(ours)
    assert not left, written
    return process.returncode, written.replace("\r\n", "\n")


def _read(terminal: int) -> str:
    """Return what was written since; nothing when the process has ended, or is silent for too long."""
    ready, _, _ = select.select([terminal], [], [], 30)
    try:
        return os.read(terminal, 65_536).decode() if ready else ""
    except OSError:
        return ""


def test_states_have_colours_unless_one_does_not_want_them(alice: Command) -> None:
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")

    assert "\x1b[32mACTIVE\x1b[0m" in on_terminal(alice, "network", "list")[1]
    assert "\x1b" not in on_terminal(alice, "network", "list", NO_COLOR="1")[1]
    assert "\x1b" not in alice.done("network", "list")


def test_colours_do_not_shift_columns(alice: Command) -> None:
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")

    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(alice, "network", "list")[1])
    assert plain.splitlines()[0].index("RANGE") == plain.splitlines()[1].index("10.0.0.0")


def test_errors_are_red_on_a_terminal(alice: Command) -> None:
    code, written = on_terminal(alice, "network", "show", "nope")

    assert code == 4
    assert "\x1b[31m\x1b[1mError:\x1b[0m cannot show network nope" in written
    assert "\x1b" not in on_terminal(alice, "network", "show", "nope", NO_COLOR="1")[1]


def test_a_delete_asks_first(alice: Command) -> None:
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")

    code, written = on_terminal(alice, "network", "delete", "front", answers=((QUESTION, "n"),))
    assert code == 130
    assert "Nothing was changed." in written
    assert alice.done("network", "list", "-o", "name") == "front\n"
    assert on_terminal(alice, "network", "delete", "front", "--dry-run")[0] == 0
    code, written = on_terminal(alice, "network", "delete", "front", "--wait", answers=((QUESTION, "y"),))
    assert code == 0
    assert "network front deleted" in written


def test_a_resize_that_interrupts_asks_first(alice: Command) -> None:
    alice.done("vm", "create", "web-1", "--flavor", "small", "--image", "debian-12", "--wait")

    code, written = on_terminal(alice, "vm", "resize", "web-1", "large", answers=((RESIZE, "n"),))
    assert code == 130
    assert "the running virtual machine is stopped and started again" in written
    assert "Nothing was changed." in written
    assert json.loads(alice.done("vm", "show", "web-1", "-o", "json"))["flavor"] == "small"
    assert on_terminal(alice, "vm", "resize", "web-1", "large", "--yes")[0] == 0
    alice.done("vm", "stop", "web-1", "--wait")
    code, written = on_terminal(alice, "vm", "resize", "web-1", "small")
    assert (code, "?" in written) == (0, False)


def test_yes_asks_nothing(alice: Command) -> None:
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")

    code, written = on_terminal(alice, "network", "delete", "front", "--yes")
    assert code == 0
    assert "?" not in written


def test_waiting_shows_a_bar_and_leaves_one_line(alice: Command) -> None:
    code, written = on_terminal(alice, "network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")

    assert code == 0
    assert "\x1b[?25l" in written  # the cursor is hidden while the bar moves
    assert "\x1b[?25h" in written
    assert "network front created: ACTIVE, 10.0.0.0/24" in written.splitlines()[-1]


def test_a_password_is_asked_for_and_not_shown(command: Command, contract: Contract) -> None:
    answers = (("Username: ", "alice"), ("Password: ", PASSWORD))
    code, written = on_terminal(command, "login", contract.url, answers=answers)

    assert code == 0, written
    assert PASSWORD not in written
    assert f"Logged in to {contract.url} as alice" in written


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")]
)
def test_completion_scripts(command: Command, shell: str, words: str) -> None:
    script = command.done("completion", shell)

    assert words in script
    assert "_STRATOPLANE_COMPLETE" in script


def completed(command: Command, *words: str) -> list[str]:
    """Return what bash would offer for the last word."""
    answer = command(
        _STRATOPLANE_COMPLETE="bash_complete", COMP_WORDS=" ".join(["stratoplane", *words]), COMP_CWORD=str(len(words))
    )
    assert answer.stderr == ""
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


def test_nouns_verbs_options_and_names_are_completed(alice: Command) -> None:
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")
    alice.done("network", "create", "back", "--cidr", "10.0.1.0/24", "--wait")

    assert completed(alice, "ro") == ["role", "role-binding"]
    assert completed(alice, "vm", "st") == ["start", "stop"]
    assert completed(alice, "network", "show", "fr") == ["front"]
    assert completed(alice, "vm", "create", "x", "--network", "b") == ["back"]
    assert completed(alice, "vm", "create", "x", "--flavor", "") == ["small", "large"]
    assert completed(alice, "vm", "list", "-o", "j") == ["json"]
    assert completed(alice, "role-binding", "create", "al") == ["alice"]


def test_completion_is_silent_without_a_server(alice: Command, contract: Contract) -> None:
    contract.stop()

    assert completed(alice, "network", "show", "fr") == []
    assert completed(alice, "vm", "st") == ["start", "stop"]
