# SPDX-License-Identifier: Apache-2.0
"""Which jobs are live, and which go first: in one place, for all statements that ask."""

from typing import Final

from stratoplane.jobs import LIVE

LIVE_STATES: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
"""The SQL list of states that a worker, an agent or the clock will move, for ``state IN ...``."""

IS_CHANGE: Final = "(e.input ? 'before' OR e.input ? 'drift')"
"""The job ``e`` changes a resource, whatever it is called: it was given what it began from, or what it corrects."""

IS_HELD: Final = """(j.cancelled_by = '' AND EXISTS (
    SELECT FROM cluster h WHERE h.id = j.cluster_id AND h.state = 'DISABLED'))"""
"""The job ``j`` waits until its cluster is enabled; one that is to be stopped need not wait for that."""

AHEAD: Final = f"""FROM job e WHERE e.resource_id = j.resource_id AND e.state IN {LIVE_STATES}
    AND (e.created_at, e.id) < (j.created_at, j.id)"""
"""The SQL of the jobs ``e`` that a job ``j`` waits for, since those of one resource run one after the other."""
