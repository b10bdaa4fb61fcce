# SPDX-License-Identifier: Apache-2.0
"""Help stays fast because it loads nothing that it does not show."""

import subprocess
import sys

import click
import pytest

from stratoplane_client.cli.root import SECTIONS, root

SLOW = {"httpx", "http", "json", "urllib3", "ssl", "rich", "yaml", "tomllib", "tomli_w", "pathlib", "tempfile"}
PROBE = """
import sys
from stratoplane_client.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sys.modules)
"""


def loaded(*words: str) -> set[str]:
    """Return the modules that a fresh interpreter loads for a command line."""
    # Not -I or -S: the command runs as it is installed.
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(answer.stdout.rpartition("LOADED ")[2].split())


def already() -> set[str]:
    """Return what an interpreter loads before it does anything; editable installs may load more than others."""
    answer = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["vm", "--help"], ["vm", "create", "--help"]])
def test_help_loads_no_http_no_yaml_no_progress_bar(words: list[str]) -> None:
    slow = SLOW - {"pathlib", "tempfile"} if words == ["--version"] else SLOW

    assert loaded(*words) & slow <= already()


def test_the_help_of_all_loads_no_noun() -> None:
    found = loaded("--help")

    assert not {name for name in found if name.startswith("stratoplane_client.cli.commands")}
    assert "stratoplane_client.client" not in found


def test_one_noun_loads_no_other() -> None:
    nouns = {name for name in loaded("vm", "--help") if name.startswith("stratoplane_client.cli.commands.")}

    assert nouns == {"stratoplane_client.cli.commands.vm"}


def every_noun() -> list[tuple[str, str]]:
    return [(name, line) for section in SECTIONS for name, line in section.nouns.items()]


@pytest.mark.parametrize(("name", "line"), every_noun())
def test_the_line_of_a_noun_is_that_of_its_own_help(name: str, line: str) -> None:
    context = click.Context(root)
    command = root.get_command(context, name)

    assert command is not None
    assert command.name == name
    assert (command.help or "").startswith(line.rstrip("."))


def test_every_command_has_help_and_takes_the_shared_options() -> None:
    seen = 0
    for name, _ in every_noun():
        noun = root.get_command(click.Context(root), name)
        assert noun is not None
        verbs = noun.commands.values() if isinstance(noun, click.Group) else [noun]
        for verb in verbs:
            names = {option for each in verb.params for option in each.opts}
            assert {"--output", "--context", "--verbose"} <= names, (name, verb.name)
            assert verb.help, (name, verb.name)
            assert all(each.help for each in verb.params if isinstance(each, click.Option)), (name, verb.name)
            seen += 1
    assert seen > 70
