# SPDX-License-Identifier: Apache-2.0
"""How long to wait before another attempt at the control plane."""

import random
from typing import Final

_BASE: Final = 0.2
_CAP: Final = 30.0
_SHORTEST: Final = 0.05


class Backoff:
    """Delays that grow with every failure, with full jitter, so that a thousand agents do not reconnect at once."""

    def __init__(self, *, base: float = _BASE, cap: float = _CAP, generator: random.Random | None = None) -> None:
        """Start without failures.

        Args:
            base: seconds of the first delay's upper bound, doubled with every failure.
            cap: seconds that no bound exceeds.
            generator: where the jitter comes from.
        """
        self._base: Final = base
        self._cap: Final = cap
        self._generator: Final = generator or random.Random()  # noqa: S311  # jitter, not a secret
        self.failures = 0

    def delay(self, at_least: float | None = None) -> float:
        """Count a failure and return the seconds to wait, never fewer than ``at_least``, which a server asked for."""
        ceiling = min(self._cap, self._base * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return (at_least or 0.0) + max(_SHORTEST, self._generator.uniform(0.0, ceiling))

    def reset(self) -> None:
        """Note a success."""
        self.failures = 0
