# SPDX-License-Identifier: Apache-2.0
"""Common to the embedded servers: a folder of their own, start as a child process, lock, readiness, stop."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Final, Self

from stratoplane_embedded import processes
from stratoplane_embedded.errors import AlreadyRunningError, StartError

_REFUSAL_SECONDS: Final = 0.5
_LOCK_SECONDS: Final = 15.0


class EmbeddedServer(ABC):
    """A database server that is a child of this process and lives in a folder of its own.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. A supervisor that keeps the child itself calls
    :meth:`spawn` and asks :meth:`is_ready`.
    """

    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """How clients reach the server.

        Raises:
            StartError: it has not been spawned yet, so the socket's folder is not known.
        """

    @property
    def has_url(self) -> bool:
        """Whether the server was spawned, so that :attr:`url` is known."""
        return self._sockets is not None

    @abstractmethod
    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether ``process``, which :meth:`spawn` returned, accepts connections."""

    @abstractmethod
    def _spawn(self, log: IO[bytes] | int, lock: int) -> subprocess.Popen[bytes]:
        """Prepare what is missing in the folder and start the server, which inherits ``lock``."""

    @abstractmethod
    def _recorded_process(self) -> int | None:
        """Return the process that the server's own file names; it may have ended and its number been reused."""

    @property
    def log_file(self) -> Path:
        """The log file that :meth:`start` uses."""
        return self.folder / "server.log"

    def spawn(self, log: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start the server without waiting until it answers; its folder is created if it does not exist.

        After a crash this waits until the last child of the old server has ended.

        Args:
            log: where standard output and standard error go.

        Raises:
            AlreadyRunningError: another process serves the folder; use that one or stop it.
            BinariesNotFoundError: the server is not installed.
            IdentityError: this process is root and cannot run it as another user.
            StartError: the folder could not be prepared; the text says why.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._take_lock()
            try:
                return self._spawn(log, lock)
            finally:
                processes.release(lock)
        except OSError as error:
            raise StartError(f"{self.title} in {self.folder} cannot be started: {error}") from error

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and wait up to ``timeout`` seconds until it answers.

        Raises:
            EmbeddedError: see :meth:`spawn`; also when it ends or does not answer in time.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            log = self.log_file.open("ab")
        except OSError as error:
            raise StartError(f"{self.title} in {self.folder} cannot be started: {error}") from error
        with log:
            process = self.spawn(log)
        self._process = process
        began = time.monotonic()
        if processes.wait_until(lambda: process.poll() is not None or self.is_ready(process), timeout):
            if process.poll() is None:
                return
            problem = f"ended with code {process.returncode} after {time.monotonic() - began:.1f} s"
        else:
            problem = f"does not answer after {timeout:.0f} s"
        self.stop()
        raise StartError(f"{self.title} in {self.folder} {problem}:\n{processes.tail(self.log_file)}")

    def stop(self, timeout: float = 30.0) -> bool:
        """Stop the server that :meth:`start` started; return whether it ended by itself within ``timeout`` seconds."""
        process, self._process = self._process, None
        return process is None or processes.end(process, self.stop_signal, timeout)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The child that :meth:`start` started, None before and after."""
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_lock(self) -> int:
        """Lock the folder; a server that is just ending gets time to release it, a running one is refused soon."""
        path = self.folder / "lock"
        lock = processes.take_lock(path, _REFUSAL_SECONDS)
        if lock is None:
            self._refuse_second()
            lock = processes.take_lock(path, _LOCK_SECONDS)
        if lock is None:
            raise AlreadyRunningError(self._occupied("a server that is starting or stopping"))
        try:
            self._refuse_second()  # one may have been started without our lock
        except AlreadyRunningError:
            processes.release(lock)
            raise
        return lock

    def _refuse_second(self) -> None:
        running = self._recorded_process()
        if running is None:
            return
        if not processes.wait_until(lambda: not processes.works_in(running, self.folder / "data"), _REFUSAL_SECONDS):
            raise AlreadyRunningError(self._occupied(f"process {running}"))

    def _socket_folder(self) -> Path:
        if self._sockets is None:
            raise StartError(f"{self.title} in {self.folder} was not started yet")
        return self._sockets

    def _occupied(self, holder: str) -> str:
        return f"{self.title} in {self.folder} is in use by {holder}; use it, stop it, or choose another folder"
