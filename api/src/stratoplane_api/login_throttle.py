# SPDX-License-Identifier: Apache-2.0
"""How guesses of passwords are slowed down without locking out whose password is guessed.

The rule is that of the OWASP Authentication Cheat Sheet (*Login Throttling*, *Account Lockout*) and NIST SP 800-63B,
section 5.2.2: failures are counted by account and address together, at most 100 before the verifier slows down; an
address from which the user has logged in before, and a device that shows a token of the user, are not held back by
what others do elsewhere; a login that succeeds clears the failures of its own address.

Three counts, each for :data:`WINDOW` from its first attempt:

- of one user name at one address,
- of one user name at all addresses from which that user never logged in,
- of one address, for names that never logged in from there.

A count that is full never refuses for good: one attempt in :data:`PAUSE` seconds is still checked. What shows a token
of the user, in use or not any more, is counted by that token alone.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from stratoplane.errors import RateLimitedError
from stratoplane_api.counters import Counters
from stratoplane_api.origin import origin
from stratoplane_api.settings import LoginBounds

WINDOW: Final = 900
"""Seconds from the first attempt of a count until it begins again."""
PAUSE: Final = 5
"""Seconds between two attempts that are checked while a count is full."""
FAMILIAR: Final = 30 * 86_400
"""Seconds for which an address is remembered as one of a user's own."""

# KEYS: the mark of a familiar address, then the counts. ARGV: window, pause, then how many each count may have.
# The first count is that of the address or device and the name together; a familiar address is held by it alone.
_BEGIN: Final = """
local last = redis.call('EXISTS', KEYS[1]) == 1 and 2 or #KEYS
local full, wait = {}, 0
for i = 2, last do
    if tonumber(redis.call('GET', KEYS[i]) or '0') >= tonumber(ARGV[i + 1]) then
        table.insert(full, KEYS[i] .. ':turn')
        wait = math.max(wait, redis.call('PTTL', KEYS[i] .. ':turn'))
    end
end
if wait > 0 then return {wait, 0} end
for _, turn in ipairs(full) do redis.call('SET', turn, '1', 'EX', ARGV[2]) end
for i = 2, last do
    if redis.call('INCR', KEYS[i]) == 1 then redis.call('EXPIRE', KEYS[i], ARGV[1]) end
end
return {0, last - 1}
"""
# KEYS: as above, but only the counts that the attempt was counted in. ARGV: how long the address is familiar.
_SUCCEED: Final = """
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
redis.call('DEL', KEYS[2], KEYS[2] .. ':turn')
for i = 3, #KEYS do
    if tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then redis.call('DECR', KEYS[i]) end
end
return 0
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginAttempt:
    """One login that may be checked: the mark of its address and the counts that it is in."""

    familiar: str
    counts: tuple[str, ...]


class LoginThrottle:
    """Counts logins for everybody behind one Redis; while it is away, every login is checked."""

    def __init__(self, counters: Counters, bounds: LoginBounds) -> None:
        """Count in ``counters``, up to ``bounds``."""
        self._counters: Final = counters
        self._bounds: Final = bounds
        self._begin: Final = counters.redis.register_script(_BEGIN)
        self._succeed: Final = counters.redis.register_script(_SUCCEED)

    def begin(self, address: str | None, username: str) -> LoginAttempt | None:
        """Count one login before its password is looked at; None when Redis does not answer.

        Args:
            address: of the connection.
            username: as it was typed.

        Raises:
            RateLimitedError: a count is full; the caller waits ``retry_after`` seconds, or shows a token of the user.
        """
        place = origin(address)
        counts = {
            _key("pair", place, username): self._bounds.attempts,
            _key("name", username): self._bounds.attempts,
            _key("address", place): self._bounds.address,
        }
        return self._count(_key("familiar", place, username), counts)

    def begin_from_device(self, address: str | None, username: str, token: str) -> LoginAttempt | None:
        """Count one login by a token that was issued to this user; the caller has made sure of that.

        Raises as :meth:`begin`.
        """
        counts = {_key("device", token, username): self._bounds.attempts}
        return self._count(_key("familiar", origin(address), username), counts)

    def succeed(self, attempt: LoginAttempt) -> None:
        """Forget the failures of an attempt's own address, and remember the address as one of the user's."""
        self._counters.ask(lambda: self._succeed(keys=[attempt.familiar, *attempt.counts], args=[FAMILIAR]))

    def _count(self, familiar: str, counts: dict[str, int]) -> LoginAttempt | None:
        answer = self._counters.ask(
            lambda: self._begin(keys=[familiar, *counts], args=[WINDOW, PAUSE, *counts.values()])
        )
        if answer is None:
            return None
        wait, counted = map(int, answer)
        if wait > 0:
            seconds = -(-wait // 1000)
            raise RateLimitedError(
                f"too many wrong logins; try again in {seconds} s, or send a token that you have or had as"
                " 'Authorization: Bearer <token>' with the login",
                retry_after=seconds,
            )
        return LoginAttempt(familiar=familiar, counts=tuple(counts)[:counted])


def _key(kind: str, *parts: str) -> str:
    """Return where something is counted: a digest, because a password may be typed as a user name by mistake."""
    return f"stratoplane:login:{kind}:{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:32]}"
