# SPDX-License-Identifier: Apache-2.0
"""The state folder: its paths, the supervisor's report, and the supervisor's lock."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from stratoplane.errors import StratoplaneError
from stratoplane_embedded import processes
from stratoplane_server.process_table import ProcessKey

LOCK_SECONDS: Final = 0.5


class StateError(StratoplaneError):
    """The state folder cannot be used; the operator chooses another or corrects the stated problem."""

    code = "state_folder"


class ChildState(StrEnum):
    """The state of a child of the supervisor."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    """Failed; restarts after a pause."""
    DONE = "done"
    """Finished its one task."""
    PENDING = "pending"
    """Not started yet: a child that it needs is not ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildReport:
    """A child of the supervisor; ``process`` is None while it is not running, ``problem`` says what went wrong."""

    name: str
    state: ChildState
    stop_signal: int
    stop_seconds: float
    process: ProcessKey | None = None
    restarts: int = 0
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisorReport:
    """The supervisor's report, written on every change.

    Attributes:
        ready: whether every child became ready.
        database_url, redis_url: used by the children; they may contain passwords, so the file is private.
    """

    process: ProcessKey
    api_url: str
    agent_url: str
    database_url: str
    redis_url: str
    ready: bool = False
    children: Sequence[ChildReport] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Name and password of the first administrator."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentFolder:
    """Paths that the local agent writes and others read."""

    path: Path

    @property
    def credential(self) -> Path:
        """The agent's credential file."""
        return self.path / "credential.json"

    @property
    def status(self) -> Path:
        """The agent's status file."""
        return self.path / "status.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class StateFolder:
    """Paths inside the state folder."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def postgresql(self) -> Path:
        return self.path / "postgresql"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    def agent(self, driver: str) -> "AgentFolder":
        """Return the folder of the local agent with that driver: each driver has its own agent and cluster."""
        return AgentFolder(path=self.path / "agents" / driver)

    @property
    def credentials(self) -> Path:
        """Name and password of the first administrator, readable by its owner only."""
        return self.path / "credentials.json"

    @property
    def demo_password(self) -> Path:
        """Password of the demonstration's user, readable by its owner only."""
        return self.path / "demo-password"

    @property
    def plugins(self) -> Path:
        return self.path / "plugins.json"

    @property
    def plugins_found(self) -> Path:
        """What became of the plugins in each process of the platform, by its number."""
        return self.path / "plugins-found"

    @property
    def report(self) -> Path:
        return self.path / "supervisor.json"

    def make(self) -> None:
        """Create the folder and its logs folder, readable by their owner only.

        Raises:
            StateError: it cannot be created or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateError(f"the state folder {self.path} cannot be used: {error}") from error

    def take(self) -> int:
        """Become the folder's only supervisor; return the open lock, which is released when this process ends.

        Raises:
            StateError: another supervisor is running, or the folder cannot be written.
        """
        self.make()
        try:
            lock = processes.take_lock(self.path / "supervisor.lock", LOCK_SECONDS)
        except OSError as error:
            raise StateError(f"the state folder {self.path} cannot be used: {error}") from error
        if lock is None:
            report = self.read_report()
            who = f"process {report.process.pid}" if report else "another process"
            raise StateError(f"the platform in {self.path} is already running ({who}); see stratoplane-server status")
        return lock

    def read_report(self) -> SupervisorReport | None:
        """Return the last supervisor's report, None if it is missing or from another version."""
        try:
            document = json.loads(self.report.read_text(encoding="utf-8"))
            return _report(document)
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, KeyError, TypeError, ValueError):
            return None

    def write_report(self, report: SupervisorReport) -> None:
        """Replace the report atomically, readable by its owner only."""
        write_private(self.report, asdict(report))


def read_credentials(path: Path) -> Credentials | None:
    """Return the content of the credentials file, None if it is missing or damaged."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(username=str(document["username"]), password=str(document["password"]))
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def write_private(path: Path, document: Mapping[str, object]) -> None:
    """Write JSON atomically to a file that only its owner can read."""
    unfinished = path.with_suffix(".unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _report(document: Mapping[str, Any]) -> SupervisorReport:
    children = [
        ChildReport(**{**child, "state": ChildState(child["state"]), "process": _key(child["process"])})
        for child in document["children"]
    ]
    return SupervisorReport(**{**document, "process": ProcessKey(**document["process"]), "children": children})


def _key(document: Mapping[str, int] | None) -> ProcessKey | None:
    return None if document is None else ProcessKey(**document)
