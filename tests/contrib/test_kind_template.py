# SPDX-License-Identifier: Apache-2.0
"""The template of a kind builds, passes its tests as it is installed, and every part of the platform finds it.

What it does on a running platform is in ``tests/end_to_end/test_plugin_kind.py``.
"""

import sys
from pathlib import Path

import pytest

from tests.contrib.templates import copied, installed_from, run, tested

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def copy(contrib: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(contrib / "kind-template", tmp_path_factory.mktemp("author") / "kind")


@pytest.fixture(scope="module")
def installed(copy: Path) -> Path:
    return installed_from(copy)


def test_it_passes_its_tests_and_the_conformance_kit(copy: Path, installed: Path) -> None:
    tested(copy, installed)


def test_control_plane_agent_and_command_find_it_by_its_entry_points(copy: Path, installed: Path) -> None:
    where = {"PYTHONPATH": str(installed), "STRATOPLANE_STATE": str(copy / "state")}
    plugins = run([BIN / "stratoplane-server", "plugins", "list"], copy, **where, STRATOPLANE_PLUGINS="balancer")
    kinds = run([BIN / "stratoplane-agent", "kinds"], copy, **where, STRATOPLANE_AGENT_DRIVER_KINDS="load_balancer")
    nouns = run([BIN / "stratoplane", "--help"], copy, **where)

    assert ["balancer", "LOADED", "stratoplane-balancer"] in [line.split()[:3] for line in plugins.stdout.splitlines()]
    assert ["load_balancer", "load_balancer", "LOADED"] in [line.split()[:3] for line in kinds.stdout.splitlines()]
    assert "load-balancer   Load balancers before virtual machines." in nouns.stdout
