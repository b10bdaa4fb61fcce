# SPDX-License-Identifier: Apache-2.0
"""Requests of one user, agent or address in fixed windows."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from stratoplane.errors import RateLimitedError
from stratoplane_api.counters import Counters

_SHARES: Final = 1000
_MOST_SHARES: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """``requests`` in any one window of ``seconds``; ``whose`` tells people what is counted together."""

    name: str
    requests: int
    seconds: int
    whose: str = ""


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
    """Requests of one caller that this process may let pass without asking: ``counted`` are taken in all."""

    window: int
    left: int
    counted: int


class RateLimiter:
    """Counts requests for everybody behind one Redis; while it is away, every request passes.

    A process takes requests of a caller in shares, so that most requests cost no round trip, and none more than one.
    What is left of a share at the end of its window is lost; with shares of a thousandth of the limit nobody notices.
    Limits under two thousand are counted one by one.
    """

    def __init__(self, counters: Counters) -> None:
        """Count in ``counters``."""
        self._counters: Final = counters
        self._lock: Final = threading.Lock()
        self._shares: Final[OrderedDict[tuple[str, str], _Share]] = OrderedDict()

    def take(self, limit: Limit, caller: str) -> Allowance | None:
        """Count one request and return what is left, or None when Redis does not answer.

        Args:
            limit: what applies.
            caller: who is counted: a user, an agent, an address. Never something that the caller may choose freely.

        Raises:
            RateLimitedError: the window is used up; the caller waits ``retry_after`` seconds.
        """
        if self._counters.is_silent:
            return None
        window, elapsed = divmod(int(self._counters.clock()), limit.seconds)
        remaining = self._from_share(limit, caller, window)
        if remaining is None:
            remaining = self._counters.ask(lambda: self._fetch_share(limit, caller, window))
        if remaining is None:
            return None
        reset = limit.seconds - elapsed
        if remaining < 0:
            detail = f"more than {limit.requests} requests in {limit.seconds} s{limit.whose}; repeat in {reset} s"
            raise RateLimitedError(detail, retry_after=reset)
        return Allowance(limit=limit, remaining=remaining, reset=reset)

    def _from_share(self, limit: Limit, caller: str, window: int) -> int | None:
        """Take one request of the share at hand and return what remains of the limit, None when there is no share."""
        with self._lock:
            share = self._shares.get((limit.name, caller))
            if share is None or share.window != window or share.left < 1:
                return None
            share.left -= 1
            return max(0, limit.requests - share.counted) + share.left

    def _fetch_share(self, limit: Limit, caller: str, window: int) -> int:
        """Take a share and one request of it; return what remains of the limit, less than 0 when it is used up."""
        size = max(1, limit.requests // _SHARES)
        counted = self._count(f"stratoplane:rate:{limit.name}:{caller}:{window}", size, 2 * limit.seconds)
        granted = size - max(0, counted - limit.requests)
        if granted < 1:
            return -1
        with self._lock:
            self._shares[limit.name, caller] = _Share(window=window, left=granted - 1, counted=counted)
            self._shares.move_to_end((limit.name, caller))
            while len(self._shares) > _MOST_SHARES:
                self._shares.popitem(last=False)
        return max(0, limit.requests - counted) + granted - 1

    def _count(self, key: str, amount: int, lifetime: int) -> int:
        with self._counters.redis.pipeline(transaction=False) as pipeline:
            pipeline.incrby(key, amount)
            pipeline.expire(key, lifetime)
            used, _ = pipeline.execute()
        return int(used)
