# SPDX-License-Identifier: Apache-2.0
"""Make the virtual environment and install requirement files into it, with one line of progress.

The Makefile calls it when a stamp file is older than what it depends on. Only the standard library is used,
because it runs before anything is installed.
"""

import argparse
import subprocess
import sys
import time
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
LAST_LINES = 25


def main() -> int:
    """Install, touch the stamp and return the process's exit code."""
    arguments = _parse()
    started = time.monotonic()
    python = _make_venv(arguments.venv)
    # Editable installs build metadata; with setuptools already there, each saves an environment of its own.
    builder = ["install", "--upgrade", "--constraint", str(CONSTRAINTS), "setuptools"]
    requirements = [f"--requirement={ROOT / name}" for name in arguments.requirement]
    install = ["install", "--no-build-isolation", "--constraint", str(CONSTRAINTS), *requirements]
    for command in (builder, install):
        if (code := _pip(python, command)) != 0:
            return code
    arguments.stamp.touch()
    print(f"Installed {' and '.join(arguments.requirement)} in {time.monotonic() - started:.0f} s.")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--stamp", type=Path, required=True, help="file that is touched after success")
    parser.add_argument("requirement", nargs="+", help="requirement files, relative to the root")
    return parser.parse_args()


def _make_venv(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Making the virtual environment {folder} with Python {sys.version.split()[0]}.", flush=True)
        venv.create(folder, with_pip=True, symlinks=True)
    return python


def _pip(python: Path, arguments: list[str]) -> int:
    command = [str(python), "-m", "pip", *arguments, "--disable-pip-version-check", "--progress-bar=off"]
    output: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        _report(_remember(process.stdout or (), output))
    if process.returncode != 0:
        sys.stderr.writelines(["pip's last words:\n", *output[-LAST_LINES:]])
        print(f"pip failed with exit code {process.returncode}: {' '.join(command)}", file=sys.stderr)
    return process.returncode


def _remember(lines: Iterable[str], output: list[str]) -> Iterator[str]:
    for line in lines:
        output.append(line)
        yield line


def _report(lines: Iterable[str]) -> None:
    """Say what pip is at: on a terminal in one line that changes, else now and then."""
    terminal = sys.stdout.isatty()
    collected = 0
    for line in lines:
        if line.startswith(("Collecting ", "Processing ")):
            collected += 1
            text = f"  {collected} packages found"
        elif line.startswith("Installing collected"):
            text = f"  unpacking {line.count(',') + 1} packages"
        else:
            continue
        if terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        elif collected % 20 == 0 or not line.startswith(("Collecting", "Processing")):
            print(text, flush=True)
    if terminal:
        print("\r\x1b[K", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
