# SPDX-License-Identifier: Apache-2.0
"""What GitHub reads has the form that it asks for, and runs make targets that exist."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

# What a workflow may run beside make: only what prepares the machine.
PREPARING = ("sudo apt-get ", "apt-get ")


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / ".github"


@pytest.fixture(scope="module")
def workflows(folder: Path) -> dict[str, Any]:
    found = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("workflows/*.yml")}
    assert found
    return found


def test_everything_has_the_form_that_github_asks_for(folder: Path) -> None:
    forms = [path for path in sorted(folder.glob("ISSUE_TEMPLATE/*.yml")) if path.name != "config.yml"]
    for schema, paths in {
        "vendor.github-workflows": sorted(folder.glob("workflows/*.yml")),
        "vendor.github-issue-forms": forms,
        "vendor.github-issue-config": [folder / "ISSUE_TEMPLATE/config.yml"],
    }.items():
        command: list[str | Path] = [
            Path(sys.executable).parent / "check-jsonschema",
            "--builtin-schema",
            schema,
            *paths,
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout


def commands(workflows: dict[str, Any]) -> list[str]:
    steps = [step for each in workflows.values() for job in each["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines() if line.strip()]


def test_workflows_run_make_targets_that_exist(root: Path, workflows: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    run = [line for line in commands(workflows) if not line.startswith(PREPARING)]

    assert [line for line in run if not re.fullmatch(r"make [a-z-]+", line)] == []
    assert {line.removeprefix("make ") for line in run} <= targets


def test_every_supported_python_is_tested(root: Path, workflows: dict[str, Any]) -> None:
    matrix = workflows["tests.yml"]["jobs"]["tests"]["strategy"]["matrix"]["python"]
    page = (root / "docs/contributor/support-matrix.md").read_text(encoding="utf-8")
    promised = re.findall(r"\b3\.\d+\b", " ".join(re.findall(r"^\| (3\.1[1-9][^|]*) \|", page, re.MULTILINE)))

    assert matrix == promised
    assert matrix[0] == "3.11"


def test_ci_installs_what_the_files_of_contrib_are_tried_with(root: Path, workflows: dict[str, Any]) -> None:
    ours = (root / ".ci/run").read_text(encoding="utf-8")
    packages = set(re.findall(r'require\("[\w-]+", "([\w-]+)"\)', "\n".join(contrib_tests(root))))

    assert packages == {"haproxy", "pgbouncer", "systemd"}
    assert [name for name in packages if f":{name}" not in ours] == []
    installing = " ".join(line for line in commands(workflows) if "haproxy" in line).split()
    assert packages <= set(installing)


def contrib_tests(root: Path) -> list[str]:
    return [
        path.read_text(encoding="utf-8")
        for path in sorted(root.glob("tests/contrib/test_*.py"))
        if path.stem != "test_programs"
    ]
