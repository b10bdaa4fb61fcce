# SPDX-License-Identifier: Apache-2.0
"""The agent's session with the control plane: its hello, and the file that ``stratoplane-agent status`` reads."""

import json
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from stratoplane.drivers import Capacity
from stratoplane.errors import InvalidSpecError
from stratoplane.messages import Hello, ListingReport, ProviderReport, Welcome
from stratoplane.wire import from_json, to_json
from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.identity import Credential
from stratoplane_agent.log import Log
from stratoplane_agent.providers import Providers
from stratoplane_agent.transport import VERSION, UnreachableControlPlaneError

_LARGEST_SKEW: Final = 60.0
_log: Final = Log("session")


class Connection(StrEnum):
    """Whether the control plane answers."""

    STARTING = "starting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentStatus:
    """What the status file holds.

    Attributes:
        pid: the process that wrote it.
        connection: whether the control plane answers, ``since`` when (ISO 8601), and ``reason`` why not.
        providers: the drivers and whether they work.
        capacity: what all drivers together can hold.
        listings: how the drivers answered when the file was written.
    """

    pid: int
    version: str
    agent_id: UUID
    cluster: str
    control_plane: str
    connection: Connection
    since: str
    reason: str
    providers: tuple[ProviderReport, ...] = ()
    capacity: Capacity = field(default_factory=Capacity)
    listings: tuple[ListingReport, ...] = ()


class ControlPlaneSession:
    """Says hello to the control plane and writes the status file; threads share it."""

    def __init__(self, control_plane: ControlPlane, credential: Credential, providers: Providers, state: Path) -> None:
        self._control_plane: Final = control_plane
        self._credential: Final = credential
        self._providers: Final = providers
        self._path: Final = status_file(state)
        self._lock: Final = threading.Lock()
        self._connection = Connection.STARTING
        self._since = _now()
        self._reason = ""
        self._welcome: Welcome | None = None
        self._write()

    @property
    def poll_seconds(self) -> float:
        return self._welcome.poll_seconds if self._welcome else 1.0

    @property
    def inventory_seconds(self) -> float:
        return self._welcome.inventory_seconds if self._welcome else 30.0

    @property
    def is_welcome(self) -> bool:
        """Whether the control plane has answered a hello."""
        return self._welcome is not None

    @property
    def key_seconds(self) -> float:
        """Seconds after which the agent's key is renewed."""
        return self._welcome.key_seconds if self._welcome else 43_200.0

    def greet(self) -> None:
        """Say hello with the current state of the providers. Raises ControlPlaneError."""
        message = Hello(version=VERSION, providers=self._providers.reports(), capacity=self._providers.capacity())
        self._welcome = self._control_plane.hello(message)
        _check_clock(self._welcome.server_time)
        if self._set(Connection.CONNECTED, ""):
            _log.info("connected", control_plane=self._control_plane.url, cluster=self._credential.cluster_name)

    def lost(self, error: Exception) -> None:
        """Record that the control plane does not answer, or refuses."""
        if self._set(Connection.DISCONNECTED, str(error)):
            _log.warning("disconnected", control_plane=self._control_plane.url, reason=error)

    def end(self) -> None:
        """Record that the agent stops."""
        self._set(Connection.STOPPED, "")

    def refresh(self) -> None:
        """Rewrite the status file because a provider or a listing changed."""
        with self._lock:
            self._write()

    def _set(self, connection: Connection, reason: str) -> bool:
        with self._lock:
            changed = connection is not self._connection
            if changed:
                self._since = _now()
            if changed or reason != self._reason or connection is Connection.CONNECTED:
                self._connection, self._reason = connection, reason
                self._write()
            return changed

    def _write(self) -> None:
        status = AgentStatus(
            pid=os.getpid(),
            version=VERSION,
            agent_id=self._credential.agent_id,
            cluster=self._credential.cluster_name,
            control_plane=self._control_plane.url,
            connection=self._connection,
            since=self._since,
            reason=self._reason,
            providers=self._providers.reports(),
            capacity=self._providers.capacity(),
            listings=self._providers.listings.reports(),
        )
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(to_json(status)), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            _log.warning("status_not_written", reason=error)


def status_file(state: Path) -> Path:
    return state / "status.json"


def read_status(state: Path) -> AgentStatus | None:
    """Return what the agent of a state folder wrote last, None if nothing that can be read."""
    try:
        return from_json(AgentStatus, json.loads(status_file(state).read_text(encoding="utf-8")))
    except (OSError, ValueError, InvalidSpecError):
        return None


def _check_clock(server_time: str) -> None:
    """Warn when the clocks differ: logs are hard to compare. Signatures use the control plane's clock."""
    try:
        skew = (datetime.now(UTC) - datetime.fromisoformat(server_time)).total_seconds()
    except (ValueError, TypeError) as error:
        raise UnreachableControlPlaneError(f"the control plane's time cannot be read: {server_time!r}") from error
    if abs(skew) > _LARGEST_SKEW:
        _log.warning("clocks_differ", seconds=round(skew))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
