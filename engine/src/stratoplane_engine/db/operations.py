# SPDX-License-Identifier: Apache-2.0
"""Operations on their way between the engine and the agents."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from stratoplane_engine.db.connection import dump_json

ACKNOWLEDGE_SECONDS: Final = 15.0
OPERATION_CHANNEL: Final = "stratoplane_operation"

_OFFER: Final = text("""
WITH chosen AS MATERIALIZED (
    SELECT o.id FROM operation o
    WHERE o.cluster_id = :cluster AND o.state IN ('QUEUED', 'OFFERED')
        AND (o.state = 'QUEUED' OR o.offered_until < clock_timestamp())
    ORDER BY o.id LIMIT :maximum FOR UPDATE SKIP LOCKED
)
UPDATE operation o SET state = 'OFFERED', epoch = o.epoch + 1, agent_id = :agent,
    offered_until = clock_timestamp() + make_interval(secs => :acknowledge)
FROM chosen WHERE o.id = chosen.id
RETURNING o.id, o.epoch, o.kind, o.verb, o.resource_id AS uid, o.spec, o.timeout_seconds, o.observe_first,
    o.trace_parent
""")
_ACKNOWLEDGE: Final = text("""
UPDATE operation o SET state = 'RUNNING', acknowledged_at = clock_timestamp(),
    deadline_at = clock_timestamp() + make_interval(secs => o.timeout_seconds + 60)
FROM jsonb_to_recordset(CAST(:operations AS jsonb)) AS a(id uuid, epoch bigint)
WHERE o.id = a.id AND o.epoch = a.epoch AND o.cluster_id = :cluster AND o.state IN ('OFFERED', 'RUNNING')
RETURNING o.id
""")
_RESULT: Final = text("""
WITH reported AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS r(id uuid, epoch bigint, result jsonb)
),
ended AS (
    UPDATE operation o SET state = 'DONE', result = r.result, finished_at = clock_timestamp()
    FROM reported r
    WHERE o.id = r.id AND o.epoch = r.epoch AND o.cluster_id = :cluster AND o.state IN ('OFFERED', 'RUNNING')
    RETURNING o.id, o.job_id
),
runnable AS (
    UPDATE job j SET next_run_at = clock_timestamp() FROM ended WHERE j.id = ended.job_id RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM runnable)
SELECT (SELECT jsonb_agg(id) FROM ended) AS accepted,
    (SELECT jsonb_agg(r.id) FROM reported r JOIN operation o ON o.id = r.id
        WHERE o.cluster_id = :cluster AND o.state = 'DONE' AND o.epoch = r.epoch) AS repeated,
    (SELECT pg_notify('stratoplane_outbox', '') FROM (SELECT count(*) AS rows FROM runnable) AS c WHERE c.rows > 0)
        AS told
""")
_ABANDON: Final = text("""
WITH late AS MATERIALIZED (
    SELECT o.id FROM operation o
    WHERE o.state IN ('QUEUED', 'OFFERED', 'RUNNING') AND o.deadline_at < clock_timestamp()
    ORDER BY o.deadline_at LIMIT :limit FOR UPDATE SKIP LOCKED
),
ended AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp(),
        result = CASE WHEN o.state = 'RUNNING'
            THEN jsonb_build_object('outcome', 'uncertain', 'code', 'uncertain',
                'detail', 'the agent took the operation and did not report within its time')
            ELSE jsonb_build_object('outcome', 'transient', 'code', 'unreachable',
                'detail', 'no agent of the cluster took the operation within its time') END
    FROM late WHERE o.id = late.id RETURNING o.job_id
)
UPDATE job j SET next_run_at = clock_timestamp() FROM ended WHERE j.id = ended.job_id RETURNING j.id
""")


def offer(connection: Connection, cluster_id: UUID, agent_id: UUID, maximum: int) -> Sequence[Mapping[str, Any]]:
    """Hand up to ``maximum`` open operations of a cluster to its agent, oldest first; each offer has a higher epoch."""
    parameters = {"cluster": cluster_id, "agent": agent_id, "maximum": maximum, "acknowledge": ACKNOWLEDGE_SECONDS}
    rows = [row._asdict() for row in connection.execute(_OFFER, parameters)]
    return sorted(rows, key=lambda row: row["id"])


def acknowledge(connection: Connection, cluster_id: UUID, operations: Sequence[Mapping[str, Any]]) -> frozenset[UUID]:
    """Note that the agent is about to execute; return the ids that it now owns."""
    parameters = {"cluster": cluster_id, "operations": dump_json(operations)}
    return frozenset(connection.execute(_ACKNOWLEDGE, parameters).scalars())


def report(
    connection: Connection, cluster_id: UUID, results: Sequence[Mapping[str, Any]]
) -> tuple[frozenset[UUID], frozenset[UUID]]:
    """Take results (``{id, epoch, result}``) and make their jobs runnable.

    Returns:
        The ids whose result was taken now or before at the same epoch, and those of an older epoch.
    """
    row = connection.execute(_RESULT, {"cluster": cluster_id, "results": dump_json(results)}).one()
    accepted = frozenset(UUID(each) for each in [*(row.accepted or ()), *(row.repeated or ())])
    return accepted, frozenset(UUID(str(each["id"])) for each in results) - accepted


def abandon(connection: Connection, limit: int) -> int:
    """End operations whose time is over and make their jobs runnable; return how many."""
    return len(connection.execute(_ABANDON, {"limit": limit}).all())
