# SPDX-License-Identifier: Apache-2.0
"""Requests per credential in fixed windows, counted in Redis.

A limit protects the platform, it grants nothing: while Redis is away every request passes, and Redis is asked
again only after :data:`PAUSE`, so that its absence costs no request a time-out.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import redis

from stratoplane.errors import RateLimitedError
from stratoplane_engine.valkey import connect

PAUSE: Final = 5.0
"""Seconds without a question to Redis after one failed."""

_TIMEOUT: Final = 0.25
_SHARES: Final = 1000
_MOST_SHARES: Final = 10_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """``requests`` in any one window of ``seconds``."""

    name: str
    requests: int
    seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What is left of a limit: ``remaining`` requests until the window ends in ``reset`` seconds."""

    limit: Limit
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        limit = self.limit
        return {
            "RateLimit-Policy": f'"{limit.name}";q={limit.requests};w={limit.seconds}',
            "RateLimit": f'"{limit.name}";r={self.remaining};t={self.reset}',
        }


@dataclass(slots=True)
class _Share:
    """Requests of one credential that this process may let pass without asking: ``counted`` are taken in all."""

    window: int
    left: int
    counted: int


class RateLimiter:
    """Counts requests for everybody behind one Redis.

    A process takes requests of a credential in shares, so that most requests cost no round trip. What is left of a
    share at the end of its window is lost; with shares of a thousandth of the limit nobody notices. Limits under two
    thousand, those of logins among them, are counted one by one.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Keep ``url`` for the first request; no connection is made here.

        Args:
            url: of a Redis or Valkey server, as :func:`stratoplane_engine.valkey.connect` takes it.
            clock: seconds since the epoch.
        """
        self._redis = connect(url, timeout=_TIMEOUT, connect_timeout=_TIMEOUT)
        self._clock = clock
        self._silent_until = 0.0
        self._lock: Final = threading.Lock()
        self._shares: Final[OrderedDict[tuple[str, str], _Share]] = OrderedDict()

    def take(self, limit: Limit, credential: str) -> Allowance | None:
        """Count one request and return what is left, or None when Redis does not answer.

        Args:
            limit: what applies.
            credential: names the caller; a digest of a secret, never the secret.

        Raises:
            RateLimitedError: the window is used up; the caller waits ``retry_after`` seconds.
        """
        now = self._clock()
        if now < self._silent_until:
            return None
        window, elapsed = divmod(int(now), limit.seconds)
        remaining = self._from_share(limit, credential, window)
        if remaining is None:
            try:
                remaining = self._fetch_share(limit, credential, window)
            except redis.RedisError as error:
                self._silent_until = now + PAUSE
                _log.warning("rate limits are off for %.0f s, Redis does not answer: %s", PAUSE, error)
                return None
        reset = limit.seconds - elapsed
        if remaining < 0:
            raise RateLimitedError(
                f"more than {limit.requests} requests in {limit.seconds} s; repeat in {reset} s", retry_after=reset
            )
        return Allowance(limit=limit, remaining=remaining, reset=reset)

    def problem(self) -> str | None:
        """Return why requests are not counted at present, None while they are."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            return f"Redis does not answer: {error}"
        return None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _from_share(self, limit: Limit, credential: str, window: int) -> int | None:
        """Take one request of the share at hand and return what remains of the limit, None when there is no share."""
        with self._lock:
            share = self._shares.get((limit.name, credential))
            if share is None or share.window != window or share.left < 1:
                return None
            share.left -= 1
            return max(0, limit.requests - share.counted) + share.left

    def _fetch_share(self, limit: Limit, credential: str, window: int) -> int:
        """Take a share and one request of it; return what remains of the limit, less than 0 when it is used up."""
        size = max(1, limit.requests // _SHARES)
        counted = self._count(f"stratoplane:rate:{limit.name}:{credential}:{window}", size, 2 * limit.seconds)
        granted = size - max(0, counted - limit.requests)
        if granted < 1:
            return -1
        with self._lock:
            self._shares[limit.name, credential] = _Share(window=window, left=granted - 1, counted=counted)
            self._shares.move_to_end((limit.name, credential))
            while len(self._shares) > _MOST_SHARES:
                self._shares.popitem(last=False)
        return max(0, limit.requests - counted) + granted - 1

    def _count(self, key: str, amount: int, lifetime: int) -> int:
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.incrby(key, amount)
            pipeline.expire(key, lifetime)
            used, _ = pipeline.execute()
        return int(used)
