# SPDX-License-Identifier: Apache-2.0
"""Which jobs are live: in one place, for all statements that ask."""

from typing import Final

from stratoplane.jobs import LIVE

LIVE_STATES: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
"""The SQL list of states that a worker, an agent or the clock will move, for ``state IN ...``."""
