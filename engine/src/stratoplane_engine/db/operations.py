# SPDX-License-Identifier: Apache-2.0
"""Operations on their way between the engine and the agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from stratoplane.messages import Operation, OperationReference, OperationResult
from stratoplane_engine.db.circuits import HURTS, LIMITS, MOVE_CIRCUIT, ROOM
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.statement import Statement

ACKNOWLEDGE_SECONDS: Final = 15.0
OPERATION_CHANNEL: Final = "stratoplane_operation"

_OPEN: Final = """o.cluster_id = :cluster AND o.state IN ('QUEUED', 'OFFERED')"""
# Organizations take turns, as in the claim.
_TURNS: Final = f"""
after AS (
    SELECT CAST(:start AS uuid) AS id
    UNION ALL
    SELECT (SELECT o.organization_id FROM operation o WHERE {_OPEN} AND o.organization_id > a.id
        ORDER BY o.organization_id LIMIT 1) FROM after a WHERE a.id IS NOT NULL
),
before AS (
    SELECT CAST('{UUID(int=0)}' AS uuid) AS id
    UNION ALL
    SELECT (SELECT o.organization_id FROM operation o WHERE {_OPEN} AND o.organization_id > b.id
        AND o.organization_id <= :start ORDER BY o.organization_id LIMIT 1) FROM before b WHERE b.id IS NOT NULL
),
turn AS MATERIALIZED (
    SELECT id, CAST(ceil(CAST((SELECT amount FROM room) AS numeric) / count(*) OVER ()) AS bigint) AS share FROM (
        SELECT id FROM after WHERE id <> :start UNION ALL SELECT id FROM before WHERE id <> '{UUID(int=0)}'
        LIMIT (SELECT amount FROM room)
    ) AS waiting
)
"""
_OFFER: Final = Statement(f"""
WITH RECURSIVE {ROOM}, {_TURNS},
chosen AS MATERIALIZED (
    SELECT own.id FROM turn CROSS JOIN LATERAL (
        SELECT o.id FROM operation o
        WHERE {_OPEN} AND o.organization_id = turn.id AND (o.state = 'QUEUED' OR o.offered_until < clock_timestamp())
        ORDER BY o.priority DESC, o.id LIMIT turn.share FOR UPDATE SKIP LOCKED
    ) AS own LIMIT (SELECT amount FROM room)
)
UPDATE operation o SET state = 'OFFERED', epoch = o.epoch + 1, agent_id = :agent,
    offered_until = clock_timestamp() + make_interval(secs => :acknowledge)
FROM chosen WHERE o.id = chosen.id
RETURNING o.id, o.epoch, o.kind, o.verb, o.resource_id AS uid, o.spec, o.timeout_seconds, o.observe_first,
    o.trace_parent
""")
_ACKNOWLEDGE: Final = Statement("""
UPDATE operation o SET state = 'RUNNING', acknowledged_at = clock_timestamp(),
    deadline_at = clock_timestamp() + make_interval(secs => o.timeout_seconds + 60)
FROM jsonb_to_recordset(CAST(:operations AS jsonb)) AS a(id uuid, epoch bigint)
WHERE o.id = a.id AND o.epoch = a.epoch AND o.cluster_id = :cluster AND o.state IN ('OFFERED', 'RUNNING')
RETURNING o.id
""")
_RESULT: Final = Statement(f"""
WITH reported AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS r(id uuid, epoch bigint, result jsonb)
),
ended AS (
    UPDATE operation o SET state = 'DONE', result = r.result, finished_at = clock_timestamp()
    FROM reported r
    WHERE o.id = r.id AND o.epoch = r.epoch AND o.cluster_id = :cluster AND o.state IN ('OFFERED', 'RUNNING')
    RETURNING o.id, o.job_id, {HURTS} AS hurts
),
{MOVE_CIRCUIT},
runnable AS (
    UPDATE job j SET next_run_at = clock_timestamp() FROM ended WHERE j.id = ended.job_id RETURNING j.id
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM runnable)
SELECT coalesce((SELECT jsonb_agg(id) FROM ended), '[]') AS accepted,
    coalesce((SELECT jsonb_agg(r.id) FROM reported r JOIN operation o ON o.id = r.id
        WHERE o.cluster_id = :cluster AND o.state = 'DONE' AND o.epoch = r.epoch), '[]') AS repeated,
    (SELECT pg_notify('stratoplane_outbox', '') FROM (SELECT count(*) AS rows FROM runnable) AS c WHERE c.rows > 0)
        AS told,
    (SELECT to_jsonb(m) FROM circuit_moved m WHERE m.trips_now OR m.closes) AS circuit,
    (SELECT pg_notify('stratoplane_operation', CAST(:cluster AS text)) FROM circuit_moved m WHERE m.closes) AS resumed
""")
_ABANDON: Final = Statement(f"""
WITH late AS MATERIALIZED (
    SELECT o.id, CASE
        WHEN NOT {is_online("c")} THEN 'no agent of the cluster took the operation within its time; it is silent'
        WHEN k.open_until > clock_timestamp() THEN 'the cluster''s provider keeps failing: it is sent nothing until '
            || to_char(k.open_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        WHEN k.trips > 0 THEN 'the cluster''s provider kept failing: one operation at a time tries whether it is well'
        WHEN o.state = 'OFFERED' THEN 'the cluster''s agent was offered the operation and did not acknowledge it'
        ELSE 'the cluster''s agent is connected and was at its limit of parallel operations' END AS obstacle
    FROM operation o JOIN cluster c ON c.id = o.cluster_id LEFT JOIN circuit k ON k.cluster_id = o.cluster_id
    WHERE o.state IN ('QUEUED', 'OFFERED', 'RUNNING') AND o.deadline_at < clock_timestamp()
        AND (o.state = 'RUNNING' OR NOT EXISTS (
            SELECT FROM cluster d WHERE d.id = o.cluster_id AND d.state = 'DISABLED'))
    ORDER BY o.deadline_at LIMIT :limit FOR UPDATE OF o SKIP LOCKED
),
ended AS (
    UPDATE operation o SET state = 'ABANDONED', epoch = o.epoch + 1, finished_at = clock_timestamp(),
        result = CASE WHEN o.state = 'RUNNING'
            THEN jsonb_build_object('outcome', 'uncertain', 'code', 'uncertain',
                'detail', 'the agent took the operation and did not report within its time')
            ELSE jsonb_build_object('outcome', 'transient', 'code', 'unreachable',
                'detail', late.obstacle) END
    FROM late WHERE o.id = late.id RETURNING o.job_id
)
UPDATE job j SET next_run_at = clock_timestamp() FROM ended WHERE j.id = ended.job_id RETURNING j.id
""")


def offer(connection: Connection, cluster_id: UUID, agent_id: UUID, maximum: int) -> list[Operation]:
    """Hand up to ``maximum`` open operations of a cluster to its agent; each offer has a higher epoch.

    Organizations take turns; within one the higher priority goes first, then the older. While the cluster's circuit is
    open nothing is handed out, and then one operation at a time until the provider answers again.
    """
    parameters = {
        "cluster": cluster_id,
        "agent": agent_id,
        "maximum": maximum,
        "acknowledge": ACKNOWLEDGE_SECONDS,
        "start": uuid4(),
    }
    return sorted(connection.all(Operation, _OFFER, parameters), key=lambda operation: operation.id)


def acknowledge(connection: Connection, cluster_id: UUID, operations: Sequence[OperationReference]) -> frozenset[UUID]:
    """Note that the agent is about to execute; return the ids that it now owns."""
    parameters = {"cluster": cluster_id, "operations": dump_json(operations)}
    return frozenset(connection.values(UUID, _ACKNOWLEDGE, parameters))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reception:
    """What became of reported results.

    Attributes:
        accepted: ids whose result was taken now, or before at the same epoch.
        stale: ids of an older epoch.
        trips: how often in a row the cluster's circuit has opened, when these results opened it.
        closed: whether these results closed the circuit.
    """

    accepted: frozenset[UUID]
    stale: frozenset[UUID]
    trips: int = 0
    closed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _CircuitMove:
    trips: int
    trips_now: bool
    closes: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reported:
    accepted: tuple[UUID, ...]
    repeated: tuple[UUID, ...]
    circuit: _CircuitMove | None


def report(connection: Connection, cluster_id: UUID, results: Sequence[OperationResult]) -> Reception:
    """Take results, make their jobs runnable and charge the cluster's circuit."""
    reported = [{"id": each.id, "epoch": each.epoch, "result": each} for each in results]
    row = connection.one(_Reported, _RESULT, {"cluster": cluster_id, "results": dump_json(reported), **LIMITS})
    accepted = frozenset(row.accepted) | frozenset(row.repeated)
    return Reception(
        accepted=accepted,
        stale=frozenset(each.id for each in results) - accepted,
        trips=row.circuit.trips if row.circuit and row.circuit.trips_now else 0,
        closed=bool(row.circuit and row.circuit.closes),
    )


def abandon(connection: Connection, limit: int) -> int:
    """End operations whose time has passed and make their jobs runnable; return how many.

    What a disabled cluster is not to begin waits however long it takes.
    """
    return len(connection.documents(_ABANDON, {"limit": limit}))
