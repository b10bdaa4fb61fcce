# SPDX-License-Identifier: Apache-2.0
"""Which jobs are live: in one place, for all statements that ask."""

from typing import Final

from stratoplane.jobs import LIVE

LIVE_STATES: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
"""The SQL list of states that a worker, an agent or the clock will move, for ``state IN ...``."""

IS_HELD: Final = """(j.cancelled_by = '' AND EXISTS (
    SELECT FROM cluster h WHERE h.id = j.cluster_id AND h.state = 'DISABLED'))"""
"""The job ``j`` waits until its cluster is enabled; one that is to be stopped need not wait for that."""
