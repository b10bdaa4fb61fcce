# SPDX-License-Identifier: Apache-2.0
"""How a role learns that it should stop."""

import signal
import threading
from types import FrameType


def stop_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; call it from the main thread."""
    stop = threading.Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request)
    signal.signal(signal.SIGINT, request)
    return stop
