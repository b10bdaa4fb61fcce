# SPDX-License-Identifier: Apache-2.0
"""The running agent: its parts, put together, started in order and stopped with grace."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stratoplane_agent.control_plane import ControlPlane
from stratoplane_agent.enrol import make_state_folder, require_encryption
from stratoplane_agent.executor import Executor
from stratoplane_agent.identity import Credential, KeyIdentity
from stratoplane_agent.intake import Intake
from stratoplane_agent.inventory import Inventory
from stratoplane_agent.journal import Journal, JournalError
from stratoplane_agent.log import Log
from stratoplane_agent.providers import DriverContexts, load_providers
from stratoplane_agent.reporter import Reporter
from stratoplane_agent.rotation import Rotation
from stratoplane_agent.session import ControlPlaneSession
from stratoplane_agent.settings import Configuration
from stratoplane_agent.timer import Timer
from stratoplane_agent.transport import Route, Transport

_PRUNE_SECONDS: Final = 3600.0
_REPORT_SECONDS: Final = 2.0
_log: Final = Log("agent")


class AlreadyRunningError(Exception):
    """Another process uses this state folder."""


def journal_file(state: Path) -> Path:
    """Return where the journal of a state folder is."""
    return state / "journal.sqlite"


class Agent:
    """Everything that one agent process consists of."""

    def __init__(self, configuration: Configuration, credential: Credential) -> None:
        """Load the drivers and open the journal without starting anything.

        Raises:
            IdentityError: the credential cannot be used, or would be sent unencrypted.
            JournalError: the journal cannot be used.
        """
        settings = configuration.agent
        url = settings.control_plane or credential.control_plane
        require_encryption(settings, url)
        identity = KeyIdentity(settings.state)
        transport = Transport(url, identity, Route(ca_file=settings.ca_file, proxy=settings.proxy))
        control_plane = ControlPlane(transport)
        self._settings: Final = settings
        self._journal: Final = Journal(journal_file(settings.state))
        self._timer: Final = Timer()
        contexts = DriverContexts(
            installation_id=credential.installation_id, cluster_id=credential.cluster_id, state=settings.state
        )
        self._providers: Final = load_providers(configuration, contexts, self._timer)
        self._reporter: Final = Reporter(self._journal, control_plane)
        self._executor: Final = Executor(
            self._providers, self._timer, backlog=settings.backlog, deliver=self._reporter.deliver
        )
        self._session: Final = ControlPlaneSession(control_plane, credential, self._providers, settings.state)
        self._inventory: Final = Inventory(control_plane, self._providers, self._session)
        self._rotation: Final = Rotation(control_plane, identity, self._session)
        self._intake: Final = Intake(
            control_plane,
            self._journal,
            self._executor,
            self._session,
            self._inventory,
            wanted_room=max(1, settings.backlog // 4),
        )

    def run(self, stop: threading.Event) -> int:
        """Run until ``stop`` is set; return how many operations and results remain in the journal."""
        pending = self._journal.pending()
        self._journal.prune()
        self._timer.every(_PRUNE_SECONDS, self._prune)
        self._timer.start()
        self._providers.prepare(self._settings.prepare_seconds)
        self._providers.on_change = self._inventory.provider_changed
        self._reporter.start(self._executor.running)
        for ended in pending.unreported:
            self._reporter.deliver(ended)
        self._inventory.start()
        self._rotation.start()
        self._intake.start(pending.unfinished)
        stop.wait()
        return self._end()

    def _end(self) -> int:
        """Let operations end within the grace period; the rest stays in the journal for the next run."""
        deadline = time.monotonic() + self._settings.grace_seconds
        self._intake.stop()
        self._rotation.stop()
        _log.info("stopping", running=self._executor.running())
        running = self._executor.drain(self._settings.grace_seconds)
        unreported = self._reporter.close(max(_REPORT_SECONDS, deadline - time.monotonic()))
        self._timer.stop()
        self._journal.close()
        self._session.end()
        _log.info("stopped", operations_left=running, results_left=unreported)
        return running + unreported

    def _prune(self) -> None:
        try:
            self._journal.prune()
        except JournalError as error:
            _log.warning("journal_not_pruned", reason=error)


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder's lock, which the system releases however the process ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    make_state_folder(state)
    descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"another agent uses {state}; stop it, or choose another state folder") from None
        yield
    finally:
        os.close(descriptor)


def is_running(state: Path) -> bool:
    """Tell whether a process holds the state folder's lock."""
    try:
        descriptor = os.open(_lock_file(state), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_file(state: Path) -> Path:
    return state / "agent.lock"
