# SPDX-License-Identifier: Apache-2.0
"""What people may do to a job that is under way: stop it, hasten it, end it where it stands."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.jobs import LIVE
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.jobs import CLAIMED, LEASE_SECONDS

_LIVE: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"

# A statement of its own: the next one must see the operation that whoever holds the row was about to offer.
_LOCK: Final = text("SELECT j.id FROM job j WHERE j.id = :job FOR NO KEY UPDATE")
# What no agent has acknowledged is taken back; what an agent is at is waited for. A worker that is judging the job at
# this moment does not know of the wish: its verdict is fenced off, and the next claim knows.
_CANCEL: Final = text(f"""
WITH wanted AS MATERIALIZED (
    SELECT j.id, EXISTS (SELECT FROM operation o WHERE o.job_id = j.id AND o.state = 'RUNNING') AS at_work
    FROM job j WHERE j.id = :job AND j.state IN {_LIVE} FOR NO KEY UPDATE OF j
),
taken_back AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp(),
        result = jsonb_build_object('outcome', 'transient', 'code', 'cancelled', 'detail', 'taken back before it began')
    FROM wanted w WHERE o.job_id = w.id AND o.state IN ('QUEUED', 'OFFERED')
),
stopped AS (
    UPDATE job j SET cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp()),
        cancelled_by = coalesce(nullif(j.cancelled_by, ''), :actor),
        next_run_at = CASE WHEN w.at_work THEN j.next_run_at ELSE clock_timestamp() END,
        epoch = CASE WHEN j.cancel_requested_at IS NULL THEN j.epoch + 1 ELSE j.epoch END,
        lease_until = CASE WHEN j.cancel_requested_at IS NULL THEN NULL ELSE j.lease_until END
    FROM wanted w WHERE j.id = w.id RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM stopped)
SELECT pg_notify('stratoplane_outbox', '') FROM stopped
""")
_HASTEN: Final = text(f"""
WITH hastened AS (
    UPDATE job j SET next_run_at = clock_timestamp()
    WHERE j.id = :job AND j.state IN {_LIVE} AND j.next_run_at IS NOT NULL RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM hastened)
SELECT pg_notify('stratoplane_outbox', '') FROM hastened
""")
# Whoever worked on it finds a later epoch when it comes back, its agent too.
_SEIZE: Final = text(f"""
WITH claimed AS (
    UPDATE job j SET state = 'RUNNING', epoch = j.epoch + 1, lease_owner = :owner,
        lease_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE j.id = :job AND j.state IN {_LIVE} RETURNING j.*, 1 AS share
),
ended AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp()
    FROM claimed WHERE o.job_id = claimed.id AND o.state IN ('QUEUED', 'OFFERED', 'RUNNING')
)
{CLAIMED}
""")
_OPERATIONS: Final = text("""
SELECT o.id, o.position, s.name AS step, o.verb, o.state, o.epoch, o.observe_first, c.name AS cluster, a.name AS agent,
    o.created_at, o.acknowledged_at, o.finished_at, o.deadline_at, o.result
FROM operation o JOIN cluster c ON c.id = o.cluster_id LEFT JOIN agent a ON a.id = o.agent_id
LEFT JOIN job_step s ON s.job_id = o.job_id AND s.position = o.position
WHERE o.job_id = :job ORDER BY o.id LIMIT :limit
""")
_IS_LATEST: Final = text("""
SELECT NOT EXISTS (SELECT FROM job l WHERE l.organization_id = j.organization_id AND l.project_id = j.project_id
    AND l.resource_id = j.resource_id AND l.id > j.id) FROM job j WHERE j.id = :job
""")


def cancel(connection: Connection, job_id: UUID, *, actor: str) -> bool:
    """Note that a live job is to stop and take back what no agent has begun; return whether it was live."""
    connection.execute(_LOCK, {"job": job_id})
    return connection.execute(_CANCEL, {"job": job_id, "actor": actor}).one_or_none() is not None


def hasten(connection: Connection, job_id: UUID) -> bool:
    """Let a live job that waits for a time run now; return whether it was one."""
    return connection.execute(_HASTEN, {"job": job_id}).one_or_none() is not None


def seize(connection: Connection, job_id: UUID, *, owner: str) -> Mapping[str, Any] | None:
    """Take a live job from whoever works on it, and its operation from the agent; None when it has ended."""
    connection.execute(_LOCK, {"job": job_id})
    parameters = {"job": job_id, "owner": owner, "lease": LEASE_SECONDS}
    found = connection.execute(_SEIZE, parameters).one_or_none()
    return found._asdict() if found else None


def operations(connection: Connection, job_id: UUID, *, limit: int) -> list[dict[str, Any]]:
    """Return the driver calls of a job, oldest first, up to ``limit``."""
    return [row._asdict() for row in connection.execute(_OPERATIONS, {"job": job_id, "limit": limit})]


def is_latest(connection: Connection, job_id: UUID) -> bool:
    """Tell whether no later job exists for the job's resource."""
    return bool(connection.execute(_IS_LATEST, {"job": job_id}).scalar_one())
