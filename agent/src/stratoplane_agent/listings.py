# SPDX-License-Identifier: Apache-2.0
"""What a driver is asked again and again: its objects, kind by kind, its capacity, its images and its health.

Each has a deadline of its own. A call that is late is given up and made again, while the late one may still hang: so
that one call that never returns does not end a listing.
"""

from dataclasses import dataclass, replace
from typing import Final

from stratoplane.messages import ListingReport
from stratoplane_agent.host import HOST, Host

CAPACITY: Final = "capacity"
IMAGES: Final = "images"
HEALTH: Final = "health"
_LONGEST_PAUSE: Final = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    """One listing.

    Attributes:
        answered_at: reading of the clock at its last answer, at first that at its beginning.
        error: why the last call failed, empty when it did not.
        attempt: number of the last call.
        asked: whether that call is under way and in time.
        hanging: how many calls were given up and have not returned.
        again_at: when a further call is due after one was given up.
    """

    answered_at: float
    error: str = ""
    attempt: int = 0
    asked: bool = False
    hanging: int = 0
    again_at: float = 0.0


class Listings:
    """The listings of all providers, by interface and name; threads share them."""

    def __init__(self, seconds: float, host: Host = HOST) -> None:
        """Start with none; a call is given up after ``seconds``."""
        self.seconds: Final = seconds
        self._host: Final = host
        self._lock: Final = host.lock()
        self._listings: Final[dict[tuple[str, str], _Listing]] = {}

    def expect(self, interface: str, name: str) -> None:
        """Report a listing from now on, also before it has answered."""
        with self._lock:
            self._listings.setdefault((interface, name), _Listing(answered_at=self._host.monotonic()))

    def begin(self, interface: str, name: str, *, spare: bool) -> int | None:
        """Return the number of a new call, None while one is under way or nothing is to be risked after late ones.

        Args:
            interface: whose driver is called.
            name: the listing.
            spare: whether the driver has threads to lose.
        """
        self.expect(interface, name)
        with self._lock:
            found = self._listings[interface, name]
            if found.asked or (found.hanging and (not spare or self._host.monotonic() < found.again_at)):
                return None
            self._listings[interface, name] = replace(found, asked=True, attempt=found.attempt + 1)
            return found.attempt + 1

    def end(self, interface: str, name: str, attempt: int, error: str = "") -> bool:
        """Note how a call ended; tell whether it was in time. The answer of one that was given up counts no more."""
        with self._lock:
            found, now = self._listings[interface, name], self._host.monotonic()
            if not found.asked or found.attempt != attempt:
                self._listings[interface, name] = replace(found, hanging=found.hanging - 1)
                return False
            answered_at = found.answered_at if error else now
            self._listings[interface, name] = replace(found, asked=False, error=error, answered_at=answered_at)
            health = self._listings.get((interface, HEALTH))
            if health and not error:
                self._listings[interface, HEALTH] = replace(health, answered_at=now)
            return True

    def give_up(self, interface: str, name: str, attempt: int) -> bool:
        """Give a call up that has not ended; tell whether it was still under way."""
        with self._lock:
            found = self._listings[interface, name]
            if not found.asked or found.attempt != attempt:
                return False
            pause = min(_LONGEST_PAUSE, self.seconds * (2.0**found.hanging - 1.0))
            self._listings[interface, name] = replace(
                found,
                asked=False,
                hanging=found.hanging + 1,
                again_at=self._host.monotonic() + pause,
                error=f"no answer within {self.seconds:g} s, {found.hanging + 1} calls hang in the driver",
            )
            return True

    def refuse(self, interface: str, name: str, error: str) -> None:
        """Note why a listing is not asked now."""
        self.expect(interface, name)
        with self._lock:
            found = self._listings[interface, name]
            if not found.hanging:
                self._listings[interface, name] = replace(found, error=error)

    def errors(self) -> frozenset[tuple[str, str, str]]:
        """Return what fails now, as interface, name and error."""
        with self._lock:
            return frozenset((*key, each.error) for key, each in self._listings.items() if each.error)

    def reports(self) -> tuple[ListingReport, ...]:
        """Return every listing as it is reported."""
        with self._lock:
            now = self._host.monotonic()
            return tuple(
                ListingReport(
                    interface=interface, name=name, age_seconds=round(now - each.answered_at, 3), error=each.error
                )
                for (interface, name), each in sorted(self._listings.items())
            )
