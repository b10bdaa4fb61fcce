# SPDX-License-Identifier: Apache-2.0
"""The documents tell the truth: generated pages are current, commands exist, links lead somewhere."""

import json
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratoplane.errors import SettingsError
from stratoplane_agent import settings as agent_settings
from stratoplane_server import settings as server_settings

PROGRAMS = {"stratoplane", "stratoplane-server", "stratoplane-agent", "make"}
# Words that end the part of a line that is one command.
ENDS = {"|", ">", ">>", "&&", "||", ";", "&", "#", "<"}


@pytest.fixture(scope="module")
def documents(root) -> list[Path]:
    """Return every document of the tree but those that are generated or live in other people's folders."""
    folders = ("*.md", "docs/**/*.md", "*/README.md", "drivers/*/README.md", "plugins/*/README.md", "tests/**/*.md")
    return sorted(path for pattern in folders for path in root.glob(pattern))


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each of our commands that a document names, in console blocks or between backquotes."""
    shown = re.findall(r"^ *```console\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.replace("\\\n", " ").splitlines()]
    typed = [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]
    mentioned = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [*typed, *mentioned]:
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        while words and "=" in words[0]:
            words = words[1:]
        if words and Path(words[0]).name in PROGRAMS and len(words) > 1:
            end = next((place for place, word in enumerate(words) if word in ENDS), len(words))
            yield [Path(words[0]).name, *words[1:end]]


def test_generated_pages_are_current(root):
    answer = subprocess.run(
        [sys.executable, root / "tools/generate_reference.py", "--check"], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr


def test_every_make_target_that_a_document_names_exists(root, documents):
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (path.name, word)
        for path in documents
        for program, *words in commands(path.read_text(encoding="utf-8"))
        if program == "make"
        for word in words
        if "=" not in word and not word.startswith("-")
    }

    assert named
    assert {(name, target) for name, target in named if target not in targets} == set()


# Asks one program for many pages of help, and prints the exit code and the text of each: starting it costs the most.
HELP = """
import contextlib, importlib.metadata, io, json, sys
(entry,) = importlib.metadata.entry_points(group="console_scripts", name=sys.argv[1])
main, pages = entry.load(), []
for words in json.load(sys.stdin):
    sys.argv, shown = [entry.name, *words, "--help"], io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    pages.append((code or 0, shown.getvalue()))
print(json.dumps(pages))
"""


def pages_of_help(program: str, called: list[list[str]], environment: dict[str, str]) -> list[tuple[int, str]]:
    """Return the exit code and the text of the page of help for each of a program's commands."""
    answer = subprocess.run(
        [sys.executable, "-c", HELP, program],
        env=environment,
        input=json.dumps([[word for word in words if not word.startswith("-")] for words in called]),
        capture_output=True,
        text=True,
        check=True,
    )
    return [(code, text) for code, text in json.loads(answer.stdout)]


def test_every_command_that_a_document_names_exists(documents, command_environment):
    called: dict[str, list[list[str]]] = defaultdict(list)
    for path in documents:
        for program, *words in commands(path.read_text(encoding="utf-8")):
            if program != "make" and words not in called[program]:
                called[program].append(words)
    wrong = []
    for program, each in called.items():
        pages = pages_of_help(program, each, command_environment)
        for words, (code, text) in zip(each, pages, strict=True):
            options = {word.split("=")[0] for word in words if word.startswith("-")}
            if code or any(option not in text for option in options):
                wrong.append((program, *words))

    assert called.keys() == PROGRAMS - {"make"}
    assert wrong == []


def test_every_link_inside_the_tree_leads_somewhere(root, documents):
    broken = []
    for path in documents:
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            inside = target.split("#")[0]
            if inside and ":" not in inside and not (path.parent / inside).exists():
                broken.append((str(path.relative_to(root)), target))

    assert broken == []


def test_every_variable_of_the_environment_is_documented(root, tree):
    named = {
        name
        for each in tree
        for path in each.sources
        for name in re.findall(r"\bSTRATOPLANE_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    pages = [root / "CONTRIBUTING.md", *root.glob("docs/**/*.md")]
    documented = "\n".join(path.read_text(encoding="utf-8") for path in pages)

    assert named
    assert {name for name in named if not re.search(rf"\b{name}\b", documented)} == set()


def problem_of_settings(text: str, folder: Path) -> str:
    """Return why neither the control plane nor the agent reads a file, empty if one does."""
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    problems = []
    for read in (
        lambda: server_settings.read({"STRATOPLANE_CONFIG": str(path)}),
        lambda: agent_settings.read(path, {}),
    ):
        try:
            read()
        except SettingsError as error:
            problems.append(error.detail)
    return " / ".join(problems) if len(problems) > 1 else ""


def test_every_settings_file_that_a_document_shows_is_read(documents, tmp_path):
    shown = [
        (path.name, text)
        for path in documents
        if path.parent.name != "driver-author"
        for text in re.findall(r"^```toml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]

    assert shown
    assert [(name, problem) for name, text in shown if (problem := problem_of_settings(text, tmp_path))] == []


def test_every_table_that_the_reference_of_settings_names_is_read(root, tmp_path):
    page = (root / "docs/reference/settings.md").read_text(encoding="utf-8")
    tables = re.findall(r"^## .*`(\[[\w.]+\])`$", page, re.MULTILINE)

    assert {"[server]", "[api]", "[engine]", "[driver.mock]"} <= set(tables)
    assert [problem for table in tables if (problem := problem_of_settings(f"{table}\n", tmp_path))] == []
