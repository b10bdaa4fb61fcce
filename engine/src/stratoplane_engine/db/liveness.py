# SPDX-License-Identifier: Apache-2.0
"""When a cluster counts as online: in one place, for all statements that ask."""

from typing import Final

ONLINE_SECONDS: Final = 90
"""A cluster whose agent was not heard for longer gets no new resources."""


def is_online(cluster: str) -> str:
    """Return the SQL condition that the agent of the row ``cluster`` (an alias) was heard lately; false if never."""
    return f"coalesce({cluster}.seen_at > clock_timestamp() - interval '{ONLINE_SECONDS} seconds', false)"
