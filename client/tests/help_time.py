# SPDX-License-Identifier: Apache-2.0
"""Measure how long the command takes, beside the interpreter alone: ``python help_time.py [RUNS]``."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from client.tests.contract_server import PASSWORD, Contract

PROGRAM = [str(Path(sys.executable).with_name("stratoplane"))]
INTERPRETER = [sys.executable, "-c", "pass"]
CLICK = [sys.executable, "-c", "import click"]
RUNS = 15


def milliseconds(command: list[str], environment: dict[str, str], runs: int) -> tuple[float, float]:
    """Return the least and the median time of a command."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        taken.append((time.perf_counter() - started) * 1000)
    return min(taken), statistics.median(taken)


def main() -> None:
    """Print the figures as a table and as JSON."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    contract = Contract()
    contract.add_user("alice", PASSWORD)
    contract.add_project("web")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STRATOPLANE_CONFIG_FILE": f"{folder}/config.toml"}
        login = [*PROGRAM, "login", contract.url, "-u", "alice", "--password-stdin"]
        subprocess.run(login, env=environment, input=PASSWORD, check=True, capture_output=True, text=True)
        commands = {
            "the interpreter alone": INTERPRETER,
            "the interpreter and click": CLICK,
            "stratoplane --help": [*PROGRAM, "--help"],
            "stratoplane vm --help": [*PROGRAM, "vm", "--help"],
            "stratoplane vm create --help": [*PROGRAM, "vm", "create", "--help"],
            "stratoplane context list": [*PROGRAM, "context", "list"],
            "stratoplane vm list": [*PROGRAM, "vm", "list"],
        }
        found = {name: milliseconds(command, environment, runs) for name, command in commands.items()}
    contract.stop()
    print(f"{'COMMAND':<30}{'LEAST':>8}{'MEDIAN':>8}  (ms, {runs} runs, load {os.getloadavg()[0]:.1f})")
    for name, (least, median) in found.items():
        print(f"{name:<30}{least:>8.0f}{median:>8.0f}")
    print(json.dumps({name: {"least_ms": least, "median_ms": median} for name, (least, median) in found.items()}))


if __name__ == "__main__":
    main()
