# SPDX-License-Identifier: Apache-2.0
"""How the platform is: its processes, its databases, its agents."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import redis

from stratoplane.errors import StratoplaneError
from stratoplane.messages import ProviderStatus
from stratoplane_engine.db import clusters, migrate, schema
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.cluster import Cluster, ClusterState, Provider
from stratoplane_engine.valkey import connect
from stratoplane_server.addresses import describe_url
from stratoplane_server.process_table import memory_bytes, seconds_running
from stratoplane_server.state import ChildReport, ChildState, SupervisorReport

POSTGRESQL: Final = "postgresql"
VALKEY: Final = "valkey"
_PING_SECONDS: Final = 2.0
_MANY: Final = 1000


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
class ClusterHealth:
    """A cluster by what its agent says.

    Attributes:
        connected: whether the agent was heard in time.
        seen_seconds: since the agent was heard last, None when it never was.
        drivers: the agent's drivers, such as ``mock``, each once.
        problem: why it takes no work, empty when it does or is not meant to.
    """

    name: str
    state: str
    connected: bool
    seen_seconds: float | None
    drivers: Sequence[str]
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskHealth:
    """The disk of the state folder.

    Attributes:
        size, free: bytes; what is kept for root is not free.
        limit: percent in use from which it is not healthy.
    """

    path: str
    size: int
    free: int
    limit: int

    @property
    def used_percent(self) -> float:
        """How much is in use."""
        return 100.0 * (self.size - self.free) / self.size if self.size else 0.0

    @property
    def problem(self) -> str:
        """What is wrong, empty when there is room."""
        if self.used_percent < self.limit:
            return ""
        return f"the disk of {self.path} is {'full' if self.free == 0 else 'almost full'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Everything together; the disk is None where there is no state folder."""

    api_url: str
    processes: Sequence[ProcessHealth]
    services: Sequence[ServiceHealth]
    clusters: Sequence[ClusterHealth]
    disk: DiskHealth | None = None

    @property
    def healthy(self) -> bool:
        """Whether every process serves, the databases answer, enabled clusters take work and the disk has room."""
        parts = [*(each.healthy for each in self.processes), *(each.healthy for each in self.services)]
        problems = [*(cluster.problem for cluster in self.clusters), self.disk.problem if self.disk else ""]
        return all(parts) and not any(problems)


def disk(folder: Path, limit: int) -> DiskHealth | None:
    """Look at the disk of a folder, None if the folder does not exist."""
    try:
        usage = shutil.disk_usage(folder)
    except FileNotFoundError:
        return None
    return DiskHealth(path=str(folder), size=usage.total, free=usage.free, limit=limit)


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
        state=child.state if alive or child.process is None else "ended",
        healthy=alive and child.state is ChildState.RUNNING,
        pid=pid,
        memory=memory_bytes(pid) if pid else None,
        uptime=seconds_running(child.process) if child.process is not None and alive else 0.0,
        restarts=child.restarts,
        problem=child.problem,
    )


def database_and_clusters(url: str) -> tuple[ServiceHealth, Sequence[ClusterHealth]]:
    """Ask PostgreSQL for its version and the schema's revision, and for the clusters when the schema is right."""
    database = Database(url, pool_size=1, application="stratoplane-status")
    try:
        found = _schema(database)
        return found, _clusters(database) if found.healthy else ()
    except StratoplaneError as error:
        return ServiceHealth(name=POSTGRESQL, address=describe_url(url), healthy=False, detail=error.detail), ()
    finally:
        database.close()


def _schema(database: Database) -> ServiceHealth:
    revision, newest = schema.current_revision(database), schema.wanted_revision()
    version = migrate.server_version(database)
    words = f"PostgreSQL {version}, schema {revision or 'none'}"
    remedy = "" if revision == newest else f"; this version wants {newest}: run stratoplane-server migrate"
    address = describe_url(database.url)
    return ServiceHealth(name=POSTGRESQL, address=address, healthy=revision == newest, detail=words + remedy)


def _clusters(database: Database) -> Sequence[ClusterHealth]:
    with database.system_reads() as connection:
        found = clusters.page(connection, after=None, limit=_MANY)
        providers = clusters.providers(connection, cluster="", interface="", limit=_MANY)
    by_cluster: dict[str, list[Provider]] = defaultdict(list)
    for each in providers:
        by_cluster[each.cluster].append(each)
    now = datetime.now(UTC)
    return [_cluster(cluster, by_cluster[cluster.name], now) for cluster in found]


def _cluster(cluster: Cluster, providers: Sequence[Provider], now: datetime) -> ClusterHealth:
    seen = cluster.seen_at
    broken = [f"{each.interface}: {each.reason}" for each in providers if each.status is not ProviderStatus.READY]
    problem = "the agent is not connected" if not cluster.online else "; ".join(broken)
    # A cluster without an agent is not finished, not broken.
    enabled = cluster.state is ClusterState.ENABLED and seen is not None
    return ClusterHealth(
        name=cluster.name,
        state=cluster.state,
        connected=cluster.online,
        seen_seconds=None if seen is None else (now - seen).total_seconds(),
        drivers=sorted({each.driver for each in providers}),
        problem=problem if enabled else "",
    )


def valkey(url: str) -> ServiceHealth:
    """Ask Valkey or Redis for its version."""
    address = describe_url(url)
    try:
        with connect(url, timeout=_PING_SECONDS, connect_timeout=_PING_SECONDS) as client:
            facts: Mapping[str, object] = client.info("server")
    except (redis.RedisError, OSError) as error:
        return ServiceHealth(name=VALKEY, address=address, healthy=False, detail=f"does not answer ({error})")
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version", facts.get("redis_version", "?"))
    return ServiceHealth(name=VALKEY, address=address, healthy=True, detail=f"{name} {version}")
