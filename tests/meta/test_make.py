# SPDX-License-Identifier: Apache-2.0
"""The Makefile: it explains itself, and installs again only when something changed."""

import os
import re
import subprocess
import time

import pytest


@pytest.fixture(scope="module")
def makefile(root) -> str:
    return (root / "Makefile").read_text(encoding="utf-8")


def make(root, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without the variables by which an outer make would pass its own options on.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_help_lists_every_target_for_people(root, makefile):
    targets = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    shown = re.findall(r"^ *make ([a-z-]+) +\S", make(root, "help").stdout, re.MULTILINE)

    assert sorted(shown) == sorted(targets)


def test_a_list_of_targets_is_what_make_alone_prints(root):
    assert make(root).stdout == make(root, "help").stdout


def test_nothing_is_installed_when_nothing_changed(root, tmp_path):
    (tmp_path / ".installed").touch()
    (tmp_path / ".installed-dev").touch()

    assert make(root, "--question", "dev", f"VENV={tmp_path}").returncode == 0


@pytest.mark.parametrize("stamp", [".installed", ".installed-dev", ".installed-libvirt"])
def test_what_was_installed_before_the_metadata_changed_is_installed_again(root, tmp_path, stamp):
    (tmp_path / stamp).touch()
    newest = max(path.stat().st_mtime for path in [root / "constraints.txt", *root.glob("*/setup.cfg")])
    os.utime(tmp_path / stamp, (newest - 1, newest - 1))
    assert newest <= time.time()

    assert make(root, "--question", str(tmp_path / stamp), f"VENV={tmp_path}").returncode == 1


def test_a_python_that_is_too_old_or_missing_is_named(root, tmp_path):
    answer = make(root, "dev", f"VENV={tmp_path}", "PYTHON=python-that-is-not-there")

    assert answer.returncode != 0
    assert "needs Python 3.11 or newer; python-that-is-not-there is missing" in answer.stderr
