# SPDX-License-Identifier: Apache-2.0
"""All distributions carry one version, and the program that changes it changes all of them or none."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

METADATA = ("*/setup.cfg", "drivers/*/setup.cfg", "plugins/*/setup.cfg")


def test_every_distribution_has_the_same_version(tree):
    versions = {each.name: each.metadata["metadata"]["version"] for each in tree}

    assert len(set(versions.values())) == 1, versions


def test_requirements_inside_the_tree_allow_patches_of_this_minor_version(tree):
    major, minor, _ = tree[0].metadata["metadata"]["version"].split(".")
    expected = f">={major}.{minor}.0,<{major}.{int(minor) + 1}"
    found = {
        (each.name, line) for each in tree for line in each.requirements(*each.extras) if line.startswith("stratoplane")
    }

    assert found
    assert {(name, line) for name, line in found if not line.endswith(expected)} == set()


@pytest.fixture
def checkout(tmp_path, root):
    """Return a copy of the tree's metadata that a test may change."""
    for pattern in METADATA:
        for path in root.glob(pattern):
            copy = tmp_path / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def bump(root: Path, checkout: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools/bump_version.py"), "--root", str(checkout), version]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def texts(checkout: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for pattern in METADATA for path in checkout.glob(pattern)}


def test_bumping_rewrites_versions_and_requirements_everywhere(root, checkout):
    answer = bump(root, checkout, "3.7.2")

    assert answer.returncode == 0, answer.stderr
    for path, text in texts(checkout).items():
        assert re.findall(r"^version = (.*)$", text, re.MULTILINE) == ["3.7.2"], path
        ranges = re.findall(r"^\s+stratoplane[\w\[\],-]*?(>=.*)$", text, re.MULTILINE)
        assert set(ranges) <= {">=3.7.0,<3.8"}, path


def test_bumping_changes_nothing_when_one_file_has_two_versions(root, checkout):
    victim = checkout / "client/setup.cfg"
    victim.write_text(victim.read_text(encoding="utf-8") + "\n[other]\nversion = 9.9.9\n", encoding="utf-8")
    before = texts(checkout)

    answer = bump(root, checkout, "3.7.2")

    assert answer.returncode == 1
    assert "client/setup.cfg" in answer.stderr
    assert texts(checkout) == before


def test_bumping_refuses_what_is_no_version(root, checkout):
    assert bump(root, checkout, "3.7").returncode == 2
