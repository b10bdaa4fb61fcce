# SPDX-License-Identifier: Apache-2.0
"""Crash points: nothing without the variable; with it, an armed point is met once."""

import os
import subprocess
import sys
from pathlib import Path

from stratoplane.crashpoints import FOLDER_VARIABLE

_PROGRAM = """
from stratoplane.crashpoints import crashpoint
crashpoint("here")
print("went on")
"""


def _run(**variables: str) -> "subprocess.CompletedProcess[str]":
    bare = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    command = [sys.executable, "-c", _PROGRAM]
    return subprocess.run(command, env=bare | variables, check=False, capture_output=True, text=True, timeout=60)


def test_a_point_does_nothing_without_the_variable() -> None:
    assert _run().stdout == "went on\n"


def test_a_point_that_is_not_armed_is_passed(tmp_path: Path) -> None:
    assert _run(**{FOLDER_VARIABLE: str(tmp_path)}).stdout == "went on\n"


def test_an_armed_point_kills_one_process_and_the_next_passes(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")

    first, second = (_run(**{FOLDER_VARIABLE: str(tmp_path)}) for _ in range(2))

    assert (first.returncode, second.returncode) == (-9, 0)
    assert [each.name.startswith("here.") for each in tmp_path.glob("*.hit")] == [True]
