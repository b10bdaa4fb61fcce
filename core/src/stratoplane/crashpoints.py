# SPDX-License-Identifier: Apache-2.0
"""Named places between two effects, where tests kill or stop a process.

A test names a folder in the environment before the process starts and arms a point by a file in it: the first process
that reaches the point consumes the file and is killed or stopped, once. Without the variable a point is a call of an
empty function.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "STRATOPLANE_CRASHPOINTS"
"""Names the folder that arms the points; set by tests only."""
KILL: Final = "kill"
STOP: Final = "stop"
HIT: Final = ".hit"
_SIGNALS: Final = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}


def armed(folder: Path) -> Callable[[str], None]:
    """Return the function that looks for the files of armed points in ``folder``.

    A file ``<name>`` contains ``kill`` or ``stop``. The process that reaches the point renames it to
    ``<name>.<pid>.hit``, so that only one process is affected and the test sees which.
    """

    def reach(name: str) -> None:
        hit = folder / f"{name}.{os.getpid()}{HIT}"
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(hit)
            os.kill(os.getpid(), _SIGNALS[hit.read_text(encoding="utf-8").strip()])

    return reach


def _nothing(_name: str) -> None:
    """Do nothing: no crash point is armed."""


_FOLDER: Final = os.environ.get(FOLDER_VARIABLE, "")
crashpoint: Final = armed(Path(_FOLDER)) if _FOLDER else _nothing
"""Call it with the name of the place, as ``crashpoint("worker-after-claim")``."""
