# SPDX-License-Identifier: Apache-2.0
"""Container files are clean, copy what exists, and the Compose file starts every role."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from stratoplane_server.roles import Role

BIN = Path(sys.executable).parent
FILES = ("control-plane.Containerfile", "agent.Containerfile")


@pytest.fixture(scope="module")
def compose(contrib: Path) -> dict[str, Any]:
    document = yaml.safe_load((contrib / "containers/compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def instructions(path: Path) -> list[dict[str, str]]:
    parser = DockerfileParser(fileobj=io.BytesIO(path.read_bytes()))
    return [each for each in parser.structure if each["instruction"] != "COMMENT"]


def test_every_container_file_is_tested(contrib: Path) -> None:
    assert {path.name for path in contrib.glob("containers/*.Containerfile")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_hadolint_has_nothing_to_say(name: str, contrib: Path) -> None:
    folder = contrib / "containers"
    command: list[str | Path] = [BIN / "hadolint", "--config", folder / "hadolint.yaml", folder / name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout) == (0, "")


def test_hadolint_would_say_something(contrib: Path, tmp_path: Path) -> None:
    careless = tmp_path / "Containerfile"
    careless.write_text("FROM docker.io/library/python\nRUN cd /tmp\n", encoding="utf-8")
    command: list[str | Path] = [BIN / "hadolint", "--config", contrib / "containers/hadolint.yaml", careless]

    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 1


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_exists(name: str, contrib: Path, root: Path) -> None:
    copies = [
        each["value"].split() for each in instructions(contrib / "containers" / name) if each["instruction"] == "COPY"
    ]
    sources = [word for words in copies if not words[0].startswith("--from") for word in words[:-1]]

    assert sources
    assert [source for source in sources if not (root / source).exists()] == []


@pytest.mark.parametrize("name", FILES)
def test_what_is_installed_was_copied(name: str, contrib: Path) -> None:
    steps = instructions(contrib / "containers" / name)
    copied = {word for step in steps if step["instruction"] == "COPY" for word in step["value"].split()[:-1]}
    installed = {
        word.removeprefix("./")
        for step in steps
        if step["instruction"] == "RUN" and "pip install" in step["value"]
        for word in step["value"].split()
        if word.startswith("./")
    }

    assert installed
    assert [folder for folder in installed if not any(f"{folder}/".startswith(each) for each in copied)] == []


@pytest.mark.parametrize("name", FILES)
def test_a_container_does_not_run_as_root(name: str, contrib: Path) -> None:
    users = [each["value"] for each in instructions(contrib / "containers" / name) if each["instruction"] == "USER"]

    assert users
    assert not users[-1].startswith(("0", "root"))


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_a_setting(name: str, contrib: Path, known_variables: set[str]) -> None:
    steps = instructions(contrib / "containers" / name)
    words = [word for step in steps if step["instruction"] == "ENV" for word in step["value"].split()]
    named = {word.partition("=")[0] for word in words if word.startswith("STRATOPLANE_")}

    assert named
    assert named - known_variables == set()


def test_the_compose_file_has_the_form_of_one(contrib: Path) -> None:
    command: list[str | Path] = [
        BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        contrib / "containers/compose.yaml",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout


def test_the_compose_file_starts_every_role_after_the_migration(compose: dict[str, Any], contrib: Path) -> None:
    ours = {name: each for name, each in compose["services"].items() if each.get("image") == "stratoplane"}
    roles = {name: each for name, each in ours.items() if name != "migrate"}

    assert {tuple(each["command"]) for each in roles.values()} == {("run", role.value) for role in Role}
    assert ours["migrate"]["command"] == ["migrate"]
    waiting = {each["depends_on"]["migrate"]["condition"] for each in roles.values()}
    assert waiting == {"service_completed_successfully"}
    build = ours["api"]["build"]
    context = (contrib / "containers" / build["context"]).resolve()
    assert (context / build["dockerfile"]).exists()


def test_the_compose_file_sets_settings_only(compose: dict[str, Any], known_variables: set[str]) -> None:
    named = {
        variable
        for each in compose["services"].values()
        for variable in each.get("environment", {})
        if variable.startswith("STRATOPLANE_")
    }

    assert named
    assert named - known_variables == set()
