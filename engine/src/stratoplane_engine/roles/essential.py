# SPDX-License-Identifier: Apache-2.0
"""Threads without which a process does not do its work: when one breaks, the process ends, and is started again.

A process that lives on without one looks healthy and does nothing. The supervisor, systemd and gunicorn restart what
ends with an error; what was begun is finished elsewhere when its lease has expired.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

BROKEN: Final = 70
"""The code that the process ends with: an internal error, as of ``sysexits.h``."""
_log: Final = logging.getLogger(__name__)


def start_essential(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread for ``work``; an exception that leaves it is logged and ends the process with an error."""
    thread = threading.Thread(target=_run, args=(work, name), name=name, daemon=True)
    thread.start()
    return thread


def _run(work: Callable[[], object], name: str) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001  # whatever it is, nobody else would hear of it
        _log.critical("the thread %s broke; the process ends and is to be started again", name, exc_info=True)
        logging.shutdown()
        # Only this ends a process from a thread, whichever server or loop its main thread is in.
        os._exit(BROKEN)
