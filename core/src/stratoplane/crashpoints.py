# SPDX-License-Identifier: Apache-2.0
"""Named places between two effects, where tests let a process die or stand still.

A test names a folder in the environment before the process starts and arms a point by a file in it: the first process
that comes by takes the file and meets its fate, once. Without the variable a point is a call of an empty function.
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
_FATES: Final = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}


def armed(folder: Path) -> Callable[[str], None]:
    """Return the function that looks for the files of armed points in ``folder``.

    A file ``<name>`` holds the fate, ``kill`` or ``stop``. It is renamed to ``<name>.<pid>.hit`` by the process that
    meets it, so that one process does and the test sees which.
    """

    def reach(name: str) -> None:
        hit = folder / f"{name}.{os.getpid()}{HIT}"
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(hit)
            os.kill(os.getpid(), _FATES[hit.read_text(encoding="utf-8").strip()])

    return reach


def _nothing(_name: str) -> None:
    """Do nothing: no test asked for more."""


_FOLDER: Final = os.environ.get(FOLDER_VARIABLE, "")
crashpoint: Final = armed(Path(_FOLDER)) if _FOLDER else _nothing
"""Call it with the name of the place, as ``crashpoint("worker-after-claim")``."""
