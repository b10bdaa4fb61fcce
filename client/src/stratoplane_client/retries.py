# SPDX-License-Identifier: Apache-2.0
"""When a failed call is retried: exponential back-off with full jitter, the server's ``Retry-After``, a budget."""

import random
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from stratoplane_client.errors import ApiError, ClientError, ConnectionFailedError

_FOR_NOW: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
# Capacity does not appear within seconds; the caller gets this answer immediately.
_NOT_SOON: Final = frozenset({"no_cluster_available"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried; by default long enough for a server that restarts.

    Attributes:
        attempts: attempts in total, 1 for no retry.
        base: seconds; the longest pause after the first failure, doubled with each further one.
        cap: seconds; no pause of our own choice is longer.
        budget: seconds that all pauses of one call take together at most. A ``Retry-After`` beyond it ends the call.
    """

    attempts: int = 7
    base: float = 0.2
    cap: float = 5.0
    budget: float = 30.0

    def pause(self, attempt: int, failure: ClientError, *, repeatable: bool, spent: float) -> float | None:
        """Return the seconds to wait before the next try, None when there is none.

        Args:
            attempt: how many tries were made.
            failure: of the last one.
            repeatable: whether the request may be sent again although it may have arrived.
            spent: seconds that the pauses of this call took so far.
        """
        if attempt >= self.attempts or not _worth_repeating(failure, repeatable=repeatable):
            return None
        pause = random.uniform(0, min(self.cap, self.base * 2 ** (attempt - 1)))  # noqa: S311  # spreads load
        if isinstance(failure, ApiError) and failure.retry_after is not None:
            pause += failure.retry_after
        return pause if spent + pause <= self.budget else None


NO_RETRIES: Final = RetryPolicy(attempts=1)
"""Every failure is raised immediately."""


def _worth_repeating(failure: ClientError, *, repeatable: bool) -> bool:
    if isinstance(failure, ConnectionFailedError):
        return repeatable or not failure.sent
    if not isinstance(failure, ApiError) or failure.code in _NOT_SOON:
        return False
    if failure.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True  # it was counted and not looked at
    return repeatable and failure.status in _FOR_NOW
