# SPDX-License-Identifier: Apache-2.0
"""One child of the supervisor: started, monitored, restarted after a pause, stopped."""

import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from stratoplane.errors import StratoplaneError
from stratoplane_embedded.errors import EmbeddedError
from stratoplane_embedded.processes import tail
from stratoplane_server.process_table import key_of
from stratoplane_server.state import ChildReport, ChildState

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
_STEADY_SECONDS: Final = 10.0
_LARGEST_LOG: Final = 10 * 1024 * 1024

_log: Final = logging.getLogger(__name__)
Process = subprocess.Popen[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSpec:
    """How the supervisor runs a child.

    Attributes:
        start: starts the process with its log as standard output and error.
        is_ready: whether the process, which has run for the given seconds, is ready.
        after: names of the children that must be ready before this one starts.
        once: whether it ends when it is done; code 0 means done, any other code restarts it.
        stop_signal, stop_seconds: the signal that stops it, and how long that may take.
        holds_state: whether it is a database, which stops only after everything that uses it.
    """

    name: str
    start: Callable[[IO[bytes]], Process]
    is_ready: Callable[[Process, float], bool]
    after: tuple[str, ...] = ()
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    holds_state: bool = False


class Child:
    """The state of one child; ``look`` advances it and never waits."""

    def __init__(self, spec: ChildSpec, logs: Path) -> None:
        self.spec: Final = spec
        self.ready = False
        self._log_file: Final = logs / f"{spec.name}.log"
        self._process: Process | None = None
        self._began = 0.0
        self._due = 0.0
        self._pause = FIRST_PAUSE
        self._restarts = 0
        self._problem = ""
        self._stopping = False
        self._log_read = self._log_size()

    @property
    def starting(self) -> bool:
        """Whether its process is running and not ready yet."""
        return self._process is not None and not self.ready

    @property
    def due(self) -> float | None:
        """When it restarts, on the monotonic clock; None while it runs or is done."""
        return None if self._process is not None or self.ready else self._due

    def report(self) -> ChildReport:
        return ChildReport(
            name=self.spec.name,
            state=self._state,
            stop_signal=self.spec.stop_signal,
            stop_seconds=self.spec.stop_seconds,
            process=key_of(self._process.pid) if self._process is not None else None,
            restarts=self._restarts,
            problem="" if self.ready else self._problem,
        )

    @property
    def _state(self) -> ChildState:
        if self._process is not None:
            return ChildState.RUNNING if self.ready else ChildState.STARTING
        if self.ready:
            return ChildState.DONE
        return ChildState.WAITING if self._problem else ChildState.PENDING

    def look(self, now: float, *, may_start: bool) -> bool:
        """Check the child and do what is due; return whether anything changed."""
        if self._process is None:
            if self.ready or not may_start or now < self._due:
                return False
            self._start()
            return True
        code = self._process.poll()
        if code is not None:
            self._ended(code, now)
            return True
        if not self.ready and not self.spec.once and self.spec.is_ready(self._process, now - self._began):
            self.ready = True
            _log.info("%s is ready after %.2f s (process %d)", self.spec.name, now - self._began, self._process.pid)
            return True
        return False

    def new_lines(self) -> list[str]:
        """Return the complete lines that the child has written since the last call, of its current run only."""
        if not self._log_file.exists():
            return []
        with self._log_file.open("rb") as log:
            log.seek(self._log_read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._log_read += len(whole)
        lines = whole.decode(errors="replace").splitlines()
        self._problem = lines[-1] if lines else self._problem
        return lines

    def ask_to_stop(self) -> None:
        """Send the child its stop signal; it is not restarted."""
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.spec.stop_signal)

    def await_stop(self) -> None:
        """Wait until the child has ended; kill it with all of its processes if it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(self.spec.stop_seconds)
        except subprocess.TimeoutExpired:
            _log.warning("%s did not stop within %.0f s and was killed", self.spec.name, self.spec.stop_seconds)
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        _log.info("%s stopped", self.spec.name)
        self._process, self.ready = None, False

    def allow_again(self) -> None:
        """Allow a stopped child to start again at once."""
        self._stopping, self._due, self._problem = False, 0.0, ""

    def _start(self) -> None:
        self.keep_log_small()
        self._log_read = self._log_size()
        self._began = time.monotonic()
        try:
            with self._log_file.open("ab") as log:
                self._process = self.spec.start(log)
        except (OSError, EmbeddedError, StratoplaneError) as error:
            self._try_later(str(error), self._began)

    def _ended(self, code: int, now: float) -> None:
        was_ready, self.ready, self._process = self.ready, False, None
        if self._stopping:
            return
        if self.spec.once and code == 0:
            self.ready = True
            _log.info("%s is done after %.2f s", self.spec.name, now - self._began)
            return
        if was_ready and now - self._began > _STEADY_SECONDS:
            self._pause = FIRST_PAUSE
        if code < 0:
            self._try_later(f"was terminated by {signal.Signals(-code).name}", now)
        else:
            last = tail(self._log_file, 1)
            self._try_later(f"ended with code {code}: {last}" if last else f"ended with code {code}", now)

    def _try_later(self, problem: str, now: float) -> None:
        self._problem = problem
        self._restarts += 1
        self._due = now + self._pause
        _log.warning("%s %s; restarting it in %.1f s (see %s)", self.spec.name, problem, self._pause, self._log_file)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _log_size(self) -> int:
        return self._log_file.stat().st_size if self._log_file.exists() else 0

    def keep_log_small(self) -> None:
        """Rotate a large log, keeping one old one; the child keeps writing to its open file."""
        if self._log_size() > _LARGEST_LOG:
            shutil.copyfile(self._log_file, self._log_file.with_suffix(".log.1"))
            os.truncate(self._log_file, 0)
            self._log_read = 0
