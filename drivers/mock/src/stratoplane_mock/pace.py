# SPDX-License-Identifier: Apache-2.0
"""A token bucket: a number of calls per second, with bursts of one second's worth."""

import threading
import time
from typing import Final


class Pace:
    """Limits the calls of one driver; ``calls_per_second`` 0 means no limit."""

    def __init__(self, calls_per_second: float) -> None:
        self._rate: Final = calls_per_second
        self._depth: Final = max(1.0, calls_per_second)
        self._tokens = self._depth
        self._counted_at = time.monotonic()
        self._lock: Final = threading.Lock()

    def take(self) -> float:
        """Take a token and return 0, or return the seconds until one is available."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._depth, self._tokens + (now - self._counted_at) * self._rate)
            self._counted_at = now
            if self._tokens < 1.0:
                return (1.0 - self._tokens) / self._rate
            self._tokens -= 1.0
            return 0.0
