# SPDX-License-Identifier: Apache-2.0
"""``up``, ``down`` and ``run``: the commands that start and stop processes."""

import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from stratoplane.errors import StratoplaneError
from stratoplane_embedded.processes import wait_until
from stratoplane_server import roles
from stratoplane_server.databases import living_report, running_urls
from stratoplane_server.enabled_plugins import read_choice
from stratoplane_server.installation import Installation
from stratoplane_server.roles import Role
from stratoplane_server.settings import Configuration
from stratoplane_server.state import StateError, StateFolder, SupervisorReport
from stratoplane_server.supervisor import Supervisor, clean_up

_log: Final = logging.getLogger(__name__)
_FORMAT: Final = "%(asctime)s %(message)s"
_UP_SECONDS: Final = 90.0
_DOWN_SECONDS: Final = 120.0


class NotUpError(StratoplaneError):
    """The platform did not start; the text says what it waits for or why it ended."""

    code = "not_up"


def up(configuration: Configuration, *, local_agent: bool) -> None:
    """Run as the supervisor until SIGTERM or SIGINT.

    Raises:
        StateError: the platform is already running in this state folder, or the folder cannot be used.
    """
    folder = StateFolder(path=configuration.server.state)
    lock = folder.take()
    try:
        _log_to_terminal_and(folder.logs / "supervisor.log")
        shutil.rmtree(folder.plugins_found, ignore_errors=True)  # of processes that have ended
        installation = Installation.of(configuration, local_agent=local_agent and _agent_is_installed())
        Supervisor(folder, installation.specs(), installation.describe, installation.role_names).run()
    finally:
        os.close(lock)


def up_detached(configuration: Configuration, *, local_agent: bool) -> SupervisorReport:
    """Start a supervisor in the background and print its output until the platform is up.

    Raises:
        NotUpError: it ended, or is not ready in time (then it continues in the background).
    """
    folder = StateFolder(path=configuration.server.state)
    report = living_report(folder)
    if report is not None and report.ready:
        click.echo(f"the platform is already running (process {report.process.pid}): API {report.api_url}")
        return report
    folder.make()
    log = folder.logs / "supervisor.log"
    position = log.stat().st_size if log.exists() else 0
    process = None if report is not None else _start_in_background(folder, log, local_agent=local_agent)
    return _await_ready(folder, process, Follower(log, position))


def down(configuration: Configuration) -> None:
    """Stop the supervisor and wait until everything has stopped.

    Raises:
        StateError: it does not stop.
    """
    folder = StateFolder(path=configuration.server.state)
    report = living_report(folder)
    if report is None:
        _end_left_overs(folder)
        return
    report.process.send(signal.SIGTERM)
    if not wait_until(lambda: not report.process.alive, _DOWN_SECONDS):
        raise StateError(f"the supervisor (process {report.process.pid}) does not stop; see {folder.logs}")
    click.echo(f"the platform is down; its data stays in {folder.path}")


def run_role(configuration: Configuration, role: str) -> NoReturn:
    """Replace this process by one role.

    Raises:
        NoDatabaseError: the databases are not configured and the platform is not running.
    """
    database_url, redis_url = running_urls(configuration)
    folder = StateFolder(path=configuration.server.state)
    variables = roles.environment(
        configuration,
        database_url=database_url,
        redis_url=redis_url,
        plugins=read_choice(folder, configuration.server).names,
    )
    command = roles.command(Role(role), configuration.server)
    os.execve(command[0], command, variables)  # noqa: S606  # no shell


class Follower:
    """Prints the lines that are added to a log."""

    def __init__(self, log: Path, position: int) -> None:
        self._log: Final = log
        self._position = position
        self.last = ""

    def show_new(self) -> None:
        """Print the lines since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._position)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            click.echo(line)
            self.last = line


def _start_in_background(folder: StateFolder, log: Path, *, local_agent: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stratoplane_server", "up", *([] if local_agent else ["--no-agent"])]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "STRATOPLANE_STATE": str(folder.path)},
        )


def _await_ready(folder: StateFolder, process: subprocess.Popen[bytes] | None, follower: Follower) -> SupervisorReport:
    def settled() -> bool:
        follower.show_new()
        ended = process.poll() is not None if process is not None else living_report(folder) is None
        report = living_report(folder)
        return ended or (report is not None and report.ready)

    came = wait_until(settled, _UP_SECONDS)
    follower.show_new()
    report = living_report(folder)
    if report is not None and report.ready:
        return report
    if came:
        raise NotUpError(f"the supervisor ended: {follower.last}")
    raise NotUpError(f"not up after {_UP_SECONDS:.0f} s, continuing in the background: {follower.last}")


def _end_left_overs(folder: StateFolder) -> None:
    """Clean up after a killed supervisor, if there was one."""
    if not folder.path.exists():
        click.echo(f"the platform is not running in {folder.path}")
        return
    lock = folder.take()
    try:
        clean_up(folder)
    finally:
        os.close(lock)
    click.echo(f"the platform is not running in {folder.path}")


def _agent_is_installed() -> bool:
    found = importlib.util.find_spec("stratoplane_agent") is not None
    if not found:
        _log.warning("no local agent: stratoplane-agent is not installed (pip install stratoplane-server[demo])")
    return found


def _log_to_terminal_and(path: Path) -> None:
    """Log to standard error, and to ``path`` unless both are the same file, as in the background."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if not path.exists() or not os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat()):
        handlers.append(logging.FileHandler(path, encoding="utf-8"))
    logging.basicConfig(format=_FORMAT, level=logging.INFO, handlers=handlers)
