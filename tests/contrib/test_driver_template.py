# SPDX-License-Identifier: Apache-2.0
"""The driver template builds, is found by the agent, and passes the conformance kit as it is installed."""

import sys
from pathlib import Path

import pytest

from tests.contrib.templates import copied, installed_from, run, tested


@pytest.fixture(scope="module")
def copy(contrib: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(contrib / "driver-template", tmp_path_factory.mktemp("author") / "driver")


@pytest.fixture(scope="module")
def installed(copy: Path) -> Path:
    return installed_from(copy)


def test_the_wheel_has_what_it_needs(installed: Path) -> None:
    names = {path.name for path in (installed / "stratoplane_example").iterdir()}

    assert {"__init__.py", "py.typed", "settings.py", "provider.py", "failures.py", "storage.py"} <= names


def test_it_passes_its_tests_and_the_conformance_kit(copy: Path, installed: Path) -> None:
    tested(copy, installed)

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
