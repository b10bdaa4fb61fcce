# SPDX-License-Identifier: Apache-2.0
"""Templates that authors copy: copied, built and installed as an author and an operator do it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and insist on its success."""
    answer = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def copied(template: Path, folder: Path) -> Path:
    """Return a copy of a template, as an author makes one."""
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    return Path(shutil.copytree(template, folder, ignore=left_out))


def installed_from(copy: Path) -> Path:
    """Return the folder that the wheel of a copy was installed into."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "wheels", "."], copy)
    [wheel] = (copy / "wheels").glob("*.whl")
    folder = copy / "installed"
    run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel], copy)
    return folder


def tested(copy: Path, installed: Path) -> None:
    """Run the template's own tests on what was installed."""
    (copy / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests"], copy, PYTHONPATH=str(installed))
