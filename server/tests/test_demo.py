# SPDX-License-Identifier: Apache-2.0
"""The demonstration, as ``make demo`` runs it: twice, and what it says to try next really works."""

import re
import shlex
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "stratoplane_server.demo"]


@pytest.fixture
def demo(operator):
    def run(*arguments: str, code: int = 0, **variables: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**operator.variables, **variables},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


def test_it_runs_a_machine_each_time_and_says_what_to_try(operator, demo, tmp_path):
    first = demo()
    for step in ("platform", "cluster", "organization", "quota", "user", "project", "network", "volume"):
        assert re.search(rf"^  {step} +\S", first, re.MULTILINE), step
    assert re.search(r"virtual machine +web-1, RUNNING, 10\.20\.0\.\d+ +\d+\.\d\d s", first)
    assert re.search(r"virtual_machines +1 +50", first)
    assert re.search(r"user:demo +tenant:resource:create-accepted +web-1 +accepted", first)
    assert re.search(r"virtual_machine\.create +provision +DONE", first)

    began = time.monotonic()
    second = demo()
    seconds = time.monotonic() - began
    assert re.search(r"virtual machine +web-2, RUNNING", second)
    assert re.search(r"virtual_machines +2 +50", second)
    assert seconds < 15

    commands = re.search(r"Try next:\n\n((?:  .*\n)+)", second).group(1).strip().splitlines()
    assert len(commands) == 3
    answers = [_type(command.strip(), operator, tmp_path) for command in commands]
    assert "Logged in" in answers[0]
    assert {"web-1", "web-2"} <= set(answers[1].split())
    assert "healthy: API" in answers[2]

    operator.folder.demo_password.unlink()
    assert "web-3, RUNNING" in demo()
    assert "healthy" in operator.say("status")


def _type(line: str, operator, home) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={**operator.variables, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {shlex.quote(done.stderr)}"
    return done.stdout


def test_a_driver_that_is_not_there_is_named(demo):
    said = demo("--driver", "absent", code=1)
    assert said.count("\n") == 1
    assert "error: the cluster local-absent accepts no work" in said
    assert "no installed distribution offers it" in said
