# SPDX-License-Identifier: Apache-2.0
"""Counters that all processes of the gateway share, in Valkey or Redis.

They protect the platform and grant nothing: while Redis is away nothing is counted and everything passes, and Redis is
asked again only after :data:`PAUSE`, so that its absence costs no request a time-out.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

import redis

from stratoplane_engine.valkey import connect

PAUSE: Final = 5.0
"""Seconds without a question to Redis after one failed."""

_TIMEOUT: Final = 0.25
_log: Final = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class Counters:
    """One connection to where requests and logins are counted, for all threads of a process."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Keep ``url`` for the first question; no connection is made here.

        Args:
            url: of a Redis or Valkey server, as :func:`stratoplane_engine.valkey.connect` takes it.
            clock: seconds since the epoch.
        """
        self.redis: Final = connect(url, timeout=_TIMEOUT, connect_timeout=_TIMEOUT)
        self.clock: Final = clock
        self._silent_until = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether Redis did not answer a moment ago, so that nothing is counted."""
        return self.clock() < self._silent_until

    def ask(self, question: Callable[[], _Answer]) -> _Answer | None:
        """Return the answer of Redis to ``question``, None while it does not answer."""
        if self.is_silent:
            return None
        try:
            return question()
        except redis.RedisError as error:
            self._silent_until = self.clock() + PAUSE
            _log.warning("rate limits are off for %.0f s, Redis does not answer: %s", PAUSE, error)
            return None

    def problem(self) -> str | None:
        """Return why nothing is counted at present, None while Redis answers."""
        try:
            self.redis.ping()
        except redis.RedisError as error:
            return f"Redis does not answer: {error}"
        return None

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()
