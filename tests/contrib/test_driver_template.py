# SPDX-License-Identifier: Apache-2.0
"""The driver template builds, is found by the agent, and passes the conformance kit as it is installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


@pytest.fixture(scope="module")
def copy(contrib: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the template, as an author makes one."""
    folder = tmp_path_factory.mktemp("author") / "driver"
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    return Path(shutil.copytree(contrib / "driver-template", folder, ignore=left_out))


@pytest.fixture(scope="module")
def installed(copy: Path) -> Path:
    """Return the folder that the template's wheel was installed into."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "wheels", "."], copy)
    [wheel] = (copy / "wheels").glob("*.whl")
    folder = copy / "installed"
    run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel], copy)
    return folder


def test_the_wheel_has_what_it_needs(installed: Path) -> None:
    names = {path.name for path in (installed / "stratoplane_example").iterdir()}

    assert {"__init__.py", "py.typed", "settings.py", "provider.py", "failures.py", "storage.py"} <= names


def test_it_passes_its_tests_and_the_conformance_kit(copy: Path, installed: Path) -> None:
    (copy / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests"], copy, PYTHONPATH=str(installed))

    command = [sys.executable, "-m", "stratoplane.testing.report", "report", "tests/test_conformance.py"]
    page = run(command, copy, PYTHONPATH=str(installed)).stdout

    assert "ExampleStorageDriver" in page
    assert "| Idempotency | 3 | 0 | 0 |" in page


def test_an_agent_finds_it_by_its_entry_point(copy: Path, installed: Path) -> None:
    (copy / "volumes").mkdir()
    answer = run(
        [Path(sys.executable).parent / "stratoplane-agent", "drivers"],
        copy,
        PYTHONPATH=str(installed),
        STRATOPLANE_AGENT_STATE=str(copy / "state"),
        STRATOPLANE_AGENT_STORAGE="example",
        STRATOPLANE_EXAMPLE_FOLDER=str(copy / "volumes"),
    )

    assert "example" in answer.stdout
    assert "READY" in answer.stdout
