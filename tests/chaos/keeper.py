# SPDX-License-Identifier: Apache-2.0
"""Processes beside the supervisor's: the second scheduler, and the agent that goes through the proxy."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.5


class Keeper:
    """One process that is started again whenever it ends, as a service manager does."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command: Final = [sys.executable, "-m", module, *arguments]
        self._environment: Final = dict(environment)
        self._log: Final = log
        self._stop: Final = threading.Event()
        self._process = self._start()
        self._thread: Final = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process number, 0 while it does not run."""
        return self._process.pid if self._process.poll() is None else 0

    def stop(self) -> None:
        """Stop it for good."""
        self._stop.set()
        self._thread.join()
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def _keep(self) -> None:
        while not self._stop.wait(_PAUSE):
            if self._process.poll() is not None:
                self._process = self._start()
