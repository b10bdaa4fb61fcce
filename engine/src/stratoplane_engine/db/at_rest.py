# SPDX-License-Identifier: Apache-2.0
"""When a resource ``r`` is at rest, so that it can be compared with what its cluster shows."""

from typing import Final

from stratoplane.jobs import LIVE

_LIVE: Final = ", ".join(f"'{state}'" for state in sorted(LIVE))

HAS_NO_JOB: Final = f"NOT EXISTS (SELECT FROM job j WHERE j.resource_id = r.id AND j.state IN ({_LIVE}))"
"""No job of the resource is live."""

IS_SETTLED: Final = "r.deleted_at IS NULL AND r.status IN ('ACTIVE', 'RUNNING', 'STOPPED')"
"""The resource is where a job has left it."""

# Clocks of agent and database are not compared, but the answer took its time to get here.
IS_LISTED_SINCE: Final = "p.taken_at > r.updated_at + interval '5 seconds'"
"""The inventory report ``p`` was begun after the last change of the resource; one from before does not count."""
