# SPDX-License-Identifier: Apache-2.0
"""The documents tell the truth: generated pages are current, commands exist, links lead somewhere, code runs."""

import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratoplane import registry
from stratoplane.drivers import AgentContext
from stratoplane.storage import StorageDriver, VolumeSpec

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


def test_every_command_that_a_document_names_exists(documents, command_environment):
    wrong = []
    called = {
        tuple(words) for path in documents for words in commands(path.read_text(encoding="utf-8")) if words[0] != "make"
    }
    for program, *words in sorted(called):
        command = [Path(sys.executable).with_name(program), *(word for word in words if not word.startswith("-"))]
        answer = subprocess.run(
            [*command, "--help"], env=command_environment, capture_output=True, text=True, check=False
        )
        options = {word.split("=")[0] for word in words if word.startswith("-")}
        if answer.returncode or [option for option in options if option not in answer.stdout]:
            wrong.append((program, *words))

    assert called
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


def test_the_driver_of_the_author_page_works(root, tmp_path):
    page = (root / "docs/driver-author/index.md").read_text(encoding="utf-8")
    program = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "StorageDriver" in block)
    namespace: dict[str, object] = {"__name__": "folder_driver"}
    exec(compile(program, "docs/driver-author/index.md", "exec"), namespace)  # noqa: S102  # our own page
    driver_class = namespace["FolderStorageDriver"]
    context = AgentContext(installation_id=uuid.uuid4(), cluster_id=uuid.uuid4(), state_folder=tmp_path)
    driver = driver_class(driver_class.Settings(folder=tmp_path / "volumes"), context)

    driver.prepare()
    spec = VolumeSpec(uid=uuid.uuid4(), project_id=uuid.uuid4(), name="data", size_gib=2)
    assert registry.shape_problem(driver_class, StorageDriver) == ""
    assert driver.create(spec) == driver.create(spec) == driver.observe(spec.uid)
    assert [status.uid for status in driver.list()] == [spec.uid]
    driver.delete(spec.uid)
    assert driver.delete(spec.uid) is None
    assert driver.observe(spec.uid) is None
