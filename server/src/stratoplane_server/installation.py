# SPDX-License-Identifier: Apache-2.0
"""The children of ``stratoplane-server up``: which they are, their order, and how each is started."""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from stratoplane_embedded import processes
from stratoplane_embedded.postgresql import PostgresqlServer
from stratoplane_embedded.server import EmbeddedServer
from stratoplane_embedded.valkey import ValkeyServer
from stratoplane_server import roles
from stratoplane_server.children import ChildSpec, Process
from stratoplane_server.enabled_plugins import read_choice
from stratoplane_server.process_table import ProcessKey
from stratoplane_server.roles import Role
from stratoplane_server.settings import Configuration
from stratoplane_server.state import AgentFolder, StateFolder, SupervisorReport

POSTGRES: Final = "postgres"
VALKEY: Final = "valkey"
PREPARE: Final = "prepare"
AGENT: Final = "agent"
_PROBE_SECONDS: Final = 0.5
_WORK_NICENESS: Final = 5
_STEADY_SECONDS: Final = 1.0
# Their work is continued by others, or by themselves after the next start: a kill loses nothing.
_WORKER_STOP_SECONDS: Final = 3.0


class AddressTakenError(OSError):
    """Another program listens on the address; choose another address or stop it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What runs in one state folder, with databases of its own unless the settings name others.

    Attributes:
        local_agent: whether an agent runs on this host.
    """

    configuration: Configuration
    folder: StateFolder
    postgresql: PostgresqlServer | None
    valkey: ValkeyServer | None
    local_agent: bool

    @classmethod
    def of(cls, configuration: Configuration, *, local_agent: bool) -> "Installation":
        settings = configuration.server
        folder = StateFolder(path=settings.state)
        return cls(
            configuration=configuration,
            folder=folder,
            postgresql=None if settings.database_url else PostgresqlServer(folder.postgresql),
            valkey=None if settings.redis_url else ValkeyServer(folder.valkey),
            local_agent=local_agent,
        )

    def specs(self) -> Sequence[ChildSpec]:
        """Return the children in the order of their start."""
        servers = {POSTGRES: self.postgresql, VALKEY: self.valkey}
        databases = [_database(name, server) for name, server in servers.items() if server is not None]
        prepare = ChildSpec(
            name=PREPARE,
            start=lambda log: self._spawn((sys.executable, "-m", "stratoplane_server.preparation"), log),
            is_ready=_is_steady,
            after=tuple(each.name for each in databases),
            once=True,
        )
        return [*databases, prepare, *self._roles(), *([self._agent()] if self.local_agent else [])]

    def describe(self, process: ProcessKey) -> SupervisorReport:
        """Return the report without its children."""
        settings = self.configuration.server
        return SupervisorReport(
            process=process,
            api_url=settings.api_url,
            agent_url=settings.agent_url,
            database_url=self.database_url,
            redis_url=self.redis_url,
        )

    @property
    def database_url(self) -> str:
        """URL of PostgreSQL; empty before the embedded one was started for the first time."""
        return self.configuration.server.database_url or _url(self.postgresql)

    @property
    def redis_url(self) -> str:
        """URL of Valkey; empty before the embedded one was started for the first time."""
        return self.configuration.server.redis_url or _url(self.valkey)

    def role_names(self) -> Sequence[str]:
        """Return the names of the children that load plugins."""
        return [spec.name for spec in self._roles()]

    def _roles(self) -> Sequence[ChildSpec]:
        settings = self.configuration.server
        workers = ["worker", *(f"worker-{number}" for number in range(2, settings.workers + 1))]
        return [
            self._listening(Role.API, settings.api_listen),
            self._listening(Role.AGENT_API, settings.agent_listen),
            *(self._working(name, Role.WORKER) for name in workers),
            self._working("scheduler", Role.SCHEDULER),
        ]

    def _listening(self, role: Role, listen: str) -> ChildSpec:
        address = _address(listen)

        def start(log: IO[bytes]) -> Process:
            _refuse_taken(address)
            return self._spawn(roles.command(role, self.configuration.server), log)

        return ChildSpec(
            name=role.value, start=start, is_ready=lambda _process, _seconds: _speaks_http(address), after=(PREPARE,)
        )

    def _working(self, name: str, role: Role) -> ChildSpec:
        return ChildSpec(
            name=name,
            start=lambda log: self._spawn_work(roles.command(role, self.configuration.server), log),
            is_ready=_is_steady,
            after=(PREPARE,),
            stop_seconds=_WORKER_STOP_SECONDS,
        )

    def _agent(self) -> ChildSpec:
        return ChildSpec(
            name=AGENT,
            start=lambda log: self._spawn_work((sys.executable, "-m", "stratoplane_server.local_agent"), log),
            is_ready=lambda process, _seconds: self._agent_is_connected(process.pid),
            after=(Role.AGENT_API.value,),
        )

    @property
    def _agent_folder(self) -> AgentFolder:
        return self.folder.agent(self.configuration.server.driver)

    def _agent_is_connected(self, pid: int) -> bool:
        """Read the status file that the agent writes."""
        try:
            document = json.loads(self._agent_folder.status.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(document.get("pid") == pid and document.get("connection") == "connected")

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> Process:
        return processes.spawn(command, log=log, death_signal=signal.SIGTERM, environment=self.environment())

    def _spawn_work(self, command: Sequence[str], log: IO[bytes]) -> Process:
        """Start a process that lets others go first: on a busy host, requests are answered before work is done."""
        process = self._spawn(command, log)
        # One that has ended already is seen by whoever watches it.
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _WORK_NICENESS)
        return process

    def environment(self) -> Mapping[str, str]:
        """Return the variables for every child of the platform.

        Raises:
            PluginChoiceError: the list of plugins in the state folder cannot be read.
        """
        return roles.environment(
            self.configuration,
            database_url=self.database_url,
            redis_url=self.redis_url,
            plugins=read_choice(self.folder, self.configuration.server).names,
        )


def _database(name: str, server: EmbeddedServer) -> ChildSpec:
    return ChildSpec(
        name=name,
        start=server.spawn,
        is_ready=lambda process, _seconds: server.is_ready(process),
        stop_signal=server.stop_signal,
        stop_seconds=60.0,
        holds_state=True,
    )


def _url(server: EmbeddedServer | None) -> str:
    return server.url if server is not None and server.has_url else ""


def _is_steady(_process: Process, seconds: float) -> bool:
    return seconds > _STEADY_SECONDS


def _address(listen: str) -> tuple[str, int]:
    host, port = listen.rsplit(":", 1)
    return host.strip("[]"), int(port)


def _refuse_taken(address: tuple[str, int]) -> None:
    """Raise AddressTakenError at once: gunicorn retries first, and a probe would reach the other program."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise AddressTakenError(f"cannot listen on {address[0]}:{address[1]} ({error.strerror})") from error


def _speaks_http(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _PROBE_SECONDS) as connection:
            connection.sendall(b"GET /api/common/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(8).startswith(b"HTTP/1.")
    except OSError:
        return False
