# SPDX-License-Identifier: Apache-2.0
"""How the platform is: its processes, its databases, its agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from stratoplane.errors import StratoplaneError
from stratoplane_engine.db import migrate
from stratoplane_engine.db.connection import Database
from stratoplane_server.addresses import describe_url
from stratoplane_server.process_table import memory_bytes, seconds_running
from stratoplane_server.state import ChildReport, ChildState, SupervisorReport

_PING_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessHealth:
    """A process of the platform.

    Attributes:
        memory: bytes of it and its descendants, None where the system does not tell.
        uptime: seconds, 0 when it does not run.
        problem: why it does not run, or what it waits for.
    """

    name: str
    state: str
    healthy: bool
    pid: int | None = None
    memory: int | None = None
    uptime: float = 0.0
    restarts: int = 0
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceHealth:
    """A database that the platform uses; ``detail`` says what it is, or why it does not answer."""

    name: str
    address: str
    healthy: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentHealth:
    """An agent, by its cluster; ``seen_seconds`` since it was heard last, None when it never was."""

    name: str
    cluster: str
    version: str
    connected: bool
    seen_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Everything together."""

    api_url: str
    processes: Sequence[ProcessHealth]
    services: Sequence[ServiceHealth]
    agents: Sequence[AgentHealth]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong: every process serves, both databases answer, every agent is connected."""
        parts = [*(each.healthy for each in self.processes), *(each.healthy for each in self.services)]
        return all(parts) and all(agent.connected for agent in self.agents)


def processes(report: SupervisorReport) -> Sequence[ProcessHealth]:
    """Look at every process that the supervisor reported; what did its work and ended is left out."""
    supervisor = ProcessHealth(
        name="supervisor",
        state=ChildState.RUNNING,
        healthy=True,
        pid=report.process.pid,
        memory=memory_bytes(report.process.pid, descendants=False),
        uptime=seconds_running(report.process),
    )
    children = [child for child in report.children if child.state is not ChildState.DONE]
    return [supervisor, *(_process(child) for child in children)]


def _process(child: ChildReport) -> ProcessHealth:
    alive = child.process is not None and child.process.alive
    pid = child.process.pid if child.process is not None and alive else None
    return ProcessHealth(
        name=child.name,
        state=child.state,
        healthy=alive and child.state is ChildState.RUNNING,
        pid=pid,
        memory=memory_bytes(pid) if pid else None,
        uptime=seconds_running(child.process) if child.process is not None and alive else 0.0,
        restarts=child.restarts,
        problem=child.problem,
    )


def database(database: Database) -> ServiceHealth:
    """Ask PostgreSQL for its version and the schema's revision."""
    address = describe_url(database.url)
    try:
        with database.system() as connection:
            version = connection.dialect.server_version_info or ()
            revision = migrate.current_revision(connection)
    except StratoplaneError as error:
        return ServiceHealth(name="postgresql", address=address, healthy=False, detail=error.detail)
    newest = migrate.newest_revision()
    words = f"PostgreSQL {'.'.join(str(number) for number in version)}, schema {revision or 'none'}"
    if revision == newest:
        return ServiceHealth(name="postgresql", address=address, healthy=True, detail=words)
    detail = f"{words}, this version wants {newest}: run stratoplane-server migrate"
    return ServiceHealth(name="postgresql", address=address, healthy=False, detail=detail)


def valkey(url: str) -> ServiceHealth:
    """Ask Valkey or Redis for its version."""
    address = describe_url(url)
    try:
        with redis.Redis.from_url(url, socket_timeout=_PING_SECONDS, socket_connect_timeout=_PING_SECONDS) as client:
            facts: Mapping[str, object] = client.info("server")
    except (redis.RedisError, OSError) as error:
        return ServiceHealth(name="valkey", address=address, healthy=False, detail=f"does not answer ({error})")
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version", facts.get("redis_version", "?"))
    return ServiceHealth(name="valkey", address=address, healthy=True, detail=f"{name} {version}")
