# SPDX-License-Identifier: Apache-2.0
"""What people may do to a job that is under way: stop it, hasten it, end it where it stands."""

from typing import Final
from uuid import UUID

from stratoplane_engine.db.claims import CLAIMED, LEASE_SECONDS, Claim, as_claim
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_states import IS_CHANGE, LIVE_STATES
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.job import Operation

# A statement of its own: the next one must see the operation that whoever holds the row was about to offer.
_LOCK: Final = Statement("SELECT j.id FROM job j WHERE j.id = :job FOR NO KEY UPDATE")
_POINTLESS: Final = "j.resource_id = :resource AND j.kind NOT LIKE '%.delete'"
_LOCK_POINTLESS: Final = Statement(f"""
SELECT j.id FROM job j WHERE {_POINTLESS} AND j.state IN {LIVE_STATES} ORDER BY j.id FOR NO KEY UPDATE
""")
# What no agent has acknowledged is taken back; what an agent executes is waited for. A worker that moves the job at
# this moment does not know of the wish: what it makes of it is fenced off, and the next claim knows.
_STOP: Final = f"""
WITH wanted AS MATERIALIZED (
    SELECT j.id, EXISTS (SELECT FROM operation o WHERE o.job_id = j.id AND o.state = 'RUNNING') AS executes
    FROM job j WHERE {{which}} AND j.state IN {LIVE_STATES} FOR NO KEY UPDATE OF j
),
taken_back AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp(),
        result = jsonb_build_object('outcome', 'transient', 'code', 'cancelled', 'detail', 'taken back before it began')
    FROM wanted w WHERE o.job_id = w.id AND o.state IN ('QUEUED', 'OFFERED')
),
stopped AS (
    UPDATE job j SET cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp()),
        cancelled_by = coalesce(nullif(j.cancelled_by, ''), :actor),
        next_run_at = CASE WHEN w.executes THEN j.next_run_at ELSE clock_timestamp() END,
        epoch = CASE WHEN j.cancel_requested_at IS NULL THEN j.epoch + 1 ELSE j.epoch END,
        lease_until = CASE WHEN j.cancel_requested_at IS NULL THEN NULL ELSE j.lease_until END
    FROM wanted w WHERE j.id = w.id RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM stopped)
SELECT id, pg_notify('stratoplane_outbox', '') FROM stopped
"""
_CANCEL: Final = Statement(_STOP.format(which="j.id = :job"))
_CANCEL_POINTLESS: Final = Statement(_STOP.format(which=_POINTLESS))
_HASTEN: Final = Statement(f"""
WITH hastened AS (
    UPDATE job j SET next_run_at = clock_timestamp()
    WHERE j.id = :job AND j.state IN {LIVE_STATES} AND j.next_run_at IS NOT NULL RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM hastened)
SELECT id, pg_notify('stratoplane_outbox', '') FROM hastened
""")
# Whoever worked on it finds a later epoch when it comes back, its agent too.
_SEIZE: Final = Statement(f"""
WITH claimed AS (
    UPDATE job j SET state = 'RUNNING', epoch = j.epoch + 1, lease_owner = :owner,
        lease_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE j.id = :job AND j.state IN {LIVE_STATES} RETURNING j.*, 1 AS share
),
ended AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp()
    FROM claimed WHERE o.job_id = claimed.id AND o.state IN ('QUEUED', 'OFFERED', 'RUNNING')
)
{CLAIMED}
""")
_OPERATIONS: Final = Statement("""
SELECT o.id, o.position, s.name AS step, o.verb, o.state, o.epoch, o.observe_first, c.name AS cluster, a.name AS agent,
    o.created_at, o.acknowledged_at, o.finished_at, o.deadline_at, o.result
FROM operation o JOIN cluster c ON c.id = o.cluster_id LEFT JOIN agent a ON a.id = o.agent_id
LEFT JOIN job_step s ON s.job_id = o.job_id AND s.position = o.position
WHERE o.job_id = :job ORDER BY o.id LIMIT :limit
""")
# A later change that came to nothing has left the resource as it was.
_IS_SUPERSEDED: Final = Statement(f"""
SELECT EXISTS (SELECT FROM job e WHERE e.organization_id = j.organization_id AND e.project_id = j.project_id
    AND e.resource_id = j.resource_id AND e.id > j.id AND NOT ({IS_CHANGE} AND e.state IN ('FAILED', 'CANCELLED')))
FROM job j WHERE j.id = :job
""")


def cancel(connection: Connection, job_id: UUID, *, actor: str) -> bool:
    """Note that a live job is to stop and take back what no agent has begun; return whether it was live."""
    connection.defer(_LOCK, {"job": job_id})
    return connection.value(UUID, _CANCEL, {"job": job_id, "actor": actor}) is not None


def cancel_pointless(connection: Connection, resource_id: UUID, *, actor: str) -> None:
    """Note, before the next statement, that all live jobs of a resource are to stop, since it will be deleted."""
    connection.defer(_LOCK_POINTLESS, {"resource": resource_id})
    connection.defer(_CANCEL_POINTLESS, {"resource": resource_id, "actor": actor})


def hasten(connection: Connection, job_id: UUID) -> bool:
    """Let a live job that waits for a time run now; return whether it was one."""
    return connection.value(UUID, _HASTEN, {"job": job_id}) is not None


def seize(connection: Connection, job_id: UUID, *, owner: str) -> Claim | None:
    """Take a live job from whoever works on it, and its operation from the agent; None when it has ended."""
    connection.defer(_LOCK, {"job": job_id})
    rows = connection.documents(_SEIZE, {"job": job_id, "owner": owner, "lease": LEASE_SECONDS})
    return as_claim(rows[0]) if rows else None


def operations(connection: Connection, job_id: UUID, *, limit: int) -> list[Operation]:
    """Return the driver calls of a job, oldest first, up to ``limit``."""
    return connection.all(Operation, _OPERATIONS, {"job": job_id, "limit": limit})


def is_superseded(connection: Connection, job_id: UUID) -> bool:
    """Tell whether a later job has made something of the job's resource, or still may."""
    return bool(connection.value(bool, _IS_SUPERSEDED, {"job": job_id}))
