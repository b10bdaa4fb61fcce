# SPDX-License-Identifier: Apache-2.0
"""The operator's command, run as an operator runs it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stratoplane_embedded.processes import wait_until
from stratoplane_server.state import ChildReport, StateFolder

# How long a test waits for what must happen: only a fault, never a busy machine, makes it wait so long.
SECONDS = 180
COMMAND = [sys.executable, "-m", "stratoplane_server"]
DEMO = [sys.executable, "-m", "stratoplane_server.demo"]


WATCHER = """
from stratoplane.hookspecs import hookimpl

@hookimpl
def stratoplane_committed(event):
    pass
"""


class Operator:
    """Somebody at a terminal, with a state folder, ports and plugins of their own."""

    command = COMMAND

    def __init__(self, state: Path) -> None:
        self.folder = StateFolder(path=state)
        outer = {name: value for name, value in os.environ.items() if not name.startswith("STRATOPLANE_")}
        self.variables = {
            **outer,
            "PYTHONPATH": str(_install_plugin(state.parent / "site")),
            "STRATOPLANE_STATE": str(state),
            "STRATOPLANE_API_LISTEN": f"127.0.0.1:{free_port()}",
            "STRATOPLANE_AGENT_LISTEN": f"127.0.0.1:{free_port()}",
        }

    def run(self, *arguments: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return self._complete([*COMMAND, *arguments], text, variables)

    def demo(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the demonstration to its end."""
        return self._complete([*DEMO, *arguments], "", variables)

    def _complete(self, command: list[str], text: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {**self.variables, **variables}
        return subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def up(self) -> str:
        """Start the platform in the background, wait until it is up, and return what was printed."""
        done = self.run("up", "--detach")
        if "continuing in the background" in done.stderr:  # the command gives up before a busy machine is done
            self.await_ready()
        else:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def say(self, *arguments: str, **options: str) -> str:
        """Run the command, which must succeed, and return what it prints."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fail(self, *arguments: str, code: int = 1, **options: str) -> str:
        """Run the command, which must fail with ``code`` and without a traceback, and return its complaint."""
        done = self.run(*arguments, **options)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def status(self, **variables: str) -> dict[str, Any]:
        return json.loads(self.run("status", "-o", "json", **variables).stdout)

    def child(self, name: str) -> ChildReport | None:
        report = self.folder.read_report()
        return next((child for child in report.children if child.name == name), None) if report else None

    def await_ready(self) -> None:
        def ready() -> bool:
            report = self.folder.read_report()
            return report is not None and report.ready

        assert wait_until(ready, SECONDS), self.log("supervisor")

    def log(self, name: str) -> str:
        path = self.folder.logs / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def await_log(self, name: str, words: str) -> None:
        assert wait_until(lambda: words in self.log(name), SECONDS), self.log(name)


def _install_plugin(site: Path) -> Path:
    """Install a distribution with the plugin ``watcher`` and one that cannot be imported into the folder ``site``."""
    facts = site / "stratoplane_watcher-1.2.dist-info"
    facts.mkdir(parents=True, exist_ok=True)
    (site / "stratoplane_watcher.py").write_text(WATCHER)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: stratoplane-watcher\nVersion: 1.2\n")
    (facts / "entry_points.txt").write_text("[stratoplane.plugins]\nwatcher = stratoplane_watcher\nbroken = absent\n")
    return site


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def first_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Operator, str]]:
    """The platform of the whole session, and what the demonstration printed that started it."""
    someone = Operator(tmp_path_factory.mktemp("shared") / "state")
    done = someone.demo()
    assert done.returncode == 0, done.stdout + done.stderr
    yield someone, done.stdout
    someone.run("down")


@pytest.fixture(scope="session")
def shared(first_demo: tuple[Operator, str]) -> Operator:
    """The operator of a platform that is up for every test that leaves it up."""
    return first_demo[0]


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    someone = Operator(tmp_path / "state")
    yield someone
    if someone.folder.report.exists():
        someone.run("down")


@pytest.fixture
def in_background() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command without waiting for it; it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(operator: Operator, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env={**operator.variables, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(SECONDS)
