# SPDX-License-Identifier: Apache-2.0
"""The demonstration, as ``make demo`` runs it: several times, and what it says to try next really works."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stratoplane_client import Client
from stratoplane_embedded.processes import wait_until
from stratoplane_server.state import read_credentials

SECONDS = 180


def test_the_first_run_starts_the_platform_and_a_machine_and_shows_them(first_demo):
    _, page = first_demo
    for step in ("platform", "cluster", "organization", "quota", "user", "project", "network", "volume"):
        assert re.search(rf"^  {step} +\S", page, re.MULTILINE), step
    assert re.search(r"virtual machine +web-1, RUNNING, 10\.20\.0\.\d+ +\d+\.\d\d s", page)
    assert re.search(r"virtual_machines +1 +50", page)
    assert re.search(r"user:demo +tenant:resource:create-accepted +web-1 +accepted", page)
    assert re.search(r"virtual_machine\.create +provision +DONE", page)


def test_a_second_run_makes_another_machine_and_its_commands_work(shared, tmp_path):
    done = shared.demo()
    assert done.returncode == 0, done.stderr
    assert "the platform is already running" in done.stdout
    assert re.search(r"virtual machine +web-2, RUNNING", done.stdout)
    assert re.search(r"virtual_machines +2 +50", done.stdout)

    commands = re.findall(r"Try next:\n\n((?:  .*\n)+)", done.stdout)[0].strip().splitlines()
    assert len(commands) == 3
    answers = [_type(command.strip(), shared, tmp_path) for command in commands]
    assert "Logged in" in answers[0]
    assert {"web-1", "web-2"} <= set(answers[1].split())
    assert "healthy: API" in answers[2]


def test_a_run_without_the_tenants_password_makes_the_user_again(shared):
    shared.folder.demo_password.unlink()
    assert "web-3, RUNNING" in shared.demo().stdout
    assert "healthy" in shared.say("status")


def _type(line: str, operator, home) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={**operator.variables, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {shlex.quote(done.stderr)}"
    return done.stdout


@pytest.fixture
def cluster_of_an_absent_driver(shared) -> Iterator[None]:
    """Beside the platform's own agent, one whose driver is not installed; its cluster goes with it."""
    variables = {"STRATOPLANE_DRIVER": "absent", "STRATOPLANE_DATABASE_URL": shared.folder.read_report().database_url}
    command = [sys.executable, "-m", "stratoplane_server.local_agent"]
    status = shared.folder.agent("absent").status
    with subprocess.Popen(command, env={**shared.variables, **variables}, stderr=subprocess.DEVNULL) as agent:
        assert wait_until(lambda: status.exists() and '"connected"' in status.read_text(), SECONDS)
        yield
        agent.terminate()
    kept = read_credentials(shared.folder.credentials)
    assert kept is not None
    with Client(f"http://{shared.variables['STRATOPLANE_API_LISTEN']}") as client:
        client.login(kept.username, kept.password)
        client.operator.clusters.delete(client.operator.clusters.find("local-absent").id)


@pytest.mark.usefixtures("cluster_of_an_absent_driver")
def test_a_driver_that_is_not_installed_is_named(shared):
    done = shared.demo("--driver", "absent")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "error: the cluster local-absent accepts no work" in done.stderr
    assert "no installed distribution offers it" in done.stderr
