# SPDX-License-Identifier: Apache-2.0
"""Names under which processes that hold agents' polls are told to look."""

from uuid import UUID


def wake_name(agent_id: UUID) -> str:
    """Return the notification's payload that concerns one agent alone; a cluster's is its id."""
    return f"agent:{agent_id}"
