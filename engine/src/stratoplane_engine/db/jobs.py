# SPDX-License-Identifier: Apache-2.0
"""Jobs in the database: reading them for people, claiming them for a worker, writing back what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.jobs import LIVE
from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.connection import Connection, Document, dump_json, read
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.job import Job

LEASE_SECONDS: Final = 30.0
_LIVE: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
_STEPS: Final = """
    (SELECT jsonb_agg(jsonb_build_object('position', s.position, 'name', s.name, 'state', s.state,
        'attempts', s.attempts, 'output', s.output,
        'error', s.error, 'started_at', s.started_at, 'finished_at', s.finished_at)
        ORDER BY s.position)
        FROM job_step s WHERE s.job_id = j.id) AS steps
"""
_SHOWN: Final = f"""
    j.*, {_STEPS},
    (SELECT c.name FROM cluster c WHERE j.state = 'RUNNING' AND c.id = j.cluster_id AND NOT {is_online("c")}) AS silent
"""

CLAIMED: Final = f"""
SELECT j.id, j.organization_id, j.project_id, j.kind, j.input, j.position, j.undoing, j.attempts, j.epoch, j.crashes,
    j.share, j.error, j.priority, j.cancelled_by,
    j.deadline_at < clock_timestamp() AS overdue, j.actor, j.request_id, j.trace_parent, j.cluster_id,
    to_jsonb(r) AS resource, {_STEPS},
    (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'kind', t.kind, 'name', t.name, 'status', t.status))
        FROM resource_link l JOIN resource t ON t.organization_id = l.organization_id AND t.id = l.target_id
        WHERE l.organization_id = j.organization_id AND l.source_id = j.resource_id) AS targets,
    (SELECT jsonb_build_object('id', o.id, 'position', o.position, 'verb', o.verb, 'state', o.state, 'result', o.result)
        FROM operation o WHERE o.job_id = j.id ORDER BY o.id DESC LIMIT 1) AS operation
FROM claimed j JOIN resource r ON r.organization_id = j.organization_id AND r.id = j.resource_id
"""
_WAITS: Final = f"j.state IN {_LIVE} AND j.next_run_at IS NOT NULL AND j.lease_until IS NULL"
_DUE: Final = f"""
    j.next_run_at <= clock_timestamp() AND NOT EXISTS (
        SELECT FROM job e WHERE e.resource_id = j.resource_id AND e.state IN {_LIVE}
            AND (e.created_at, e.id) < (j.created_at, j.id))
"""
# Organizations take turns, whatever each has waiting: beginning anywhere, one look into the index for each of them.
_TURNS: Final = f"""
after AS (
    SELECT CAST(:start AS uuid) AS id
    UNION ALL
    SELECT (SELECT j.organization_id FROM job j WHERE {_WAITS} AND j.organization_id > a.id
        ORDER BY j.organization_id LIMIT 1) FROM after a WHERE a.id IS NOT NULL
),
before AS (
    SELECT CAST('{UUID(int=0)}' AS uuid) AS id
    UNION ALL
    SELECT (SELECT j.organization_id FROM job j WHERE {_WAITS} AND j.organization_id > b.id
        AND j.organization_id <= :start ORDER BY j.organization_id LIMIT 1) FROM before b WHERE b.id IS NOT NULL
),
turn AS MATERIALIZED (
    SELECT id, CAST(ceil(CAST(:limit AS numeric) / count(*) OVER ()) AS bigint) AS share FROM (
        SELECT id FROM after WHERE id <> :start UNION ALL SELECT id FROM before WHERE id <> '{UUID(int=0)}' LIMIT :limit
    ) AS waiting
)
"""
# A job whose lease ran out may be what killed its worker. It is taken alone, so that it takes no other with it.
_CLAIM: Final = text(f"""
WITH RECURSIVE {_TURNS},
fresh AS MATERIALIZED (
    SELECT own.id, turn.share FROM turn CROSS JOIN LATERAL (
        SELECT j.id FROM job j WHERE j.organization_id = turn.id AND {_WAITS} AND {_DUE}
        ORDER BY j.priority DESC, j.next_run_at LIMIT turn.share FOR UPDATE OF j SKIP LOCKED
    ) AS own
),
suspect AS MATERIALIZED (
    SELECT j.id FROM job j WHERE j.state IN {_LIVE} AND j.lease_until < clock_timestamp() AND {_DUE}
    ORDER BY j.next_run_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
),
claimed AS (
    UPDATE job j SET state = 'RUNNING', epoch = j.epoch + 1, lease_owner = :owner,
        crashes = j.crashes + CASE WHEN j.lease_until IS NULL THEN 0 ELSE 1 END,
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        started_at = coalesce(j.started_at, clock_timestamp())
    FROM (SELECT id, share FROM fresh UNION ALL SELECT id, 1 FROM suspect) AS runnable
    WHERE j.id = runnable.id RETURNING j.*, runnable.share
)
{CLAIMED}
""")
_MOVE: Final = text(f"""
WITH verdict AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:verdicts AS jsonb)) AS v(id uuid, epoch bigint, state text, position int,
        undoing boolean, attempts bigint, next_run_in double precision, error jsonb, output jsonb)
)
UPDATE job j SET state = v.state, position = v.position, undoing = v.undoing, attempts = v.attempts, error = v.error,
    output = coalesce(v.output, j.output), lease_until = NULL, lease_owner = '', crashes = 0,
    next_run_at = clock_timestamp() + make_interval(secs => v.next_run_in),
    finished_at = CASE WHEN v.state IN {_LIVE} THEN NULL ELSE clock_timestamp() END
FROM verdict v WHERE j.id = v.id AND j.epoch = v.epoch AND j.state IN {_LIVE}
RETURNING j.id
""")
_MOVE_STEPS: Final = text("""
UPDATE job_step s SET state = v.state, attempts = v.attempts, output = coalesce(v.output, s.output), error = v.error,
    started_at = coalesce(s.started_at, clock_timestamp()),
    finished_at = CASE WHEN v.state IN ('DONE', 'UNDONE', 'FAILED') THEN clock_timestamp() END
FROM jsonb_to_recordset(CAST(:steps AS jsonb)) AS v(job_id uuid, position int, state text, attempts bigint,
    output jsonb, error jsonb)
WHERE s.job_id = v.job_id AND s.position = v.position
""")
_INSERT_OPERATIONS: Final = text("""
WITH written AS (
    INSERT INTO operation (id, organization_id, job_id, position, cluster_id, resource_id, kind, verb, spec,
        observe_first, timeout_seconds, trace_parent, priority, deadline_at)
    SELECT o.id, o.organization_id, o.job_id, o.position, o.cluster_id, o.resource_id, o.kind, o.verb, o.spec,
        o.observe_first, o.timeout_seconds, o.trace_parent, o.priority,
        clock_timestamp() + make_interval(secs => o.timeout_seconds)
    FROM jsonb_populate_recordset(NULL::operation, CAST(:operations AS jsonb)) AS o
    RETURNING cluster_id
)
SELECT pg_notify('stratoplane_operation', cluster_id::text) FROM (SELECT DISTINCT cluster_id FROM written) AS clusters
""")
_SETTLEMENT: Final = """
settlement AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:settlements AS jsonb)) AS s(id uuid, organization_id uuid, status text,
        observed jsonb, provider_reference text, quota_usage jsonb, spec jsonb, name text, detail text,
        generation bigint, observed_generation bigint, keep jsonb)
)
"""
# A change or deletion that was accepted meanwhile has the last word on what is desired. It is either a live job that
# this statement sees, or a later generation of the row, which is read after its lock was waited for.
_SETTLE: Final = text(f"""
WITH {_SETTLEMENT},
before AS MATERIALIZED (
    SELECT r.id, r.quota_usage, r.status,
        r.status IN ('UPDATING', 'DELETING') AND (e.id IS NOT NULL OR r.generation > s.generation) AS overtaken,
        EXISTS (SELECT FROM resource o WHERE o.organization_id = r.organization_id AND o.project_id = r.project_id
            AND o.kind = r.kind AND o.name = s.name AND o.id <> r.id AND o.deleted_at IS NULL) AS name_taken
    FROM resource r JOIN settlement s ON r.organization_id = s.organization_id AND r.id = s.id
    LEFT JOIN LATERAL (SELECT e.id FROM job e WHERE e.resource_id = s.id AND e.state IN {_LIVE}
        AND e.kind LIKE ANY (ARRAY['%.update', '%.delete']) LIMIT 1) AS e ON true
    ORDER BY r.id FOR NO KEY UPDATE OF r
),
settled AS (
    UPDATE resource r SET
        status = CASE WHEN b.overtaken THEN b.status ELSE coalesce(s.status, r.status) END,
        observed = coalesce(s.observed, r.observed),
        provider_reference = coalesce(s.provider_reference, r.provider_reference),
        quota_usage = CASE WHEN b.overtaken AND s.status <> 'FAILED' THEN r.quota_usage
            ELSE coalesce(s.quota_usage, r.quota_usage) END,
        spec = CASE WHEN b.overtaken THEN r.spec ELSE coalesce(s.spec, r.spec) END,
        name = CASE WHEN b.overtaken OR b.name_taken THEN r.name ELSE coalesce(s.name, r.name) END,
        detail = coalesce(s.detail, r.detail),
        observed_generation = coalesce(s.observed_generation, r.observed_generation),
        version = r.version + 1, updated_at = clock_timestamp(),
        deleted_at = CASE WHEN s.status = 'DELETED' THEN clock_timestamp() ELSE r.deleted_at END
    FROM settlement s JOIN before b USING (id) WHERE r.organization_id = s.organization_id AND r.id = s.id
    RETURNING r.organization_id, r.project_id, r.id, r.kind, r.cluster_id, r.generation, r.status, r.spec,
        r.quota_usage, b.quota_usage AS previous_usage, b.overtaken, s.status AS wanted
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM settled
)
SELECT organization_id, project_id, id, kind, cluster_id, status, quota_usage, previous_usage, overtaken,
    overtaken AND wanted <> 'FAILED' AS links_stay FROM settled
""")
# A failed change that others wait behind: the next of them begins where this one began.
_HAND_ON: Final = text(f"""
WITH {_SETTLEMENT}
UPDATE job j SET input = j.input || jsonb_build_object('before', jsonb_build_object('spec', s.spec, 'name', s.name))
FROM settlement s
WHERE s.spec IS NOT NULL AND s.id = ANY(:ids) AND j.id = (
    SELECT e.id FROM job e WHERE e.resource_id = s.id AND e.state IN {_LIVE} AND e.kind LIKE '%.update'
    ORDER BY e.created_at, e.id LIMIT 1)
""")
_UNLINK: Final = text(f"""
WITH {_SETTLEMENT}
DELETE FROM resource_link l USING settlement s
WHERE s.keep IS NOT NULL AND l.organization_id = s.organization_id AND l.source_id = s.id AND s.id = ANY(:ids)
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(s.keep) AS k(target_id uuid, role text)
        WHERE k.target_id = l.target_id AND k.role = l.role)
""")
_RETURN_QUOTA: Final = text("""
WITH change AS MATERIALIZED (
    SELECT c.organization_id, c.scope_id, c.key, sum(c.amount) AS amount
    FROM jsonb_to_recordset(CAST(:quota AS jsonb)) AS c(organization_id uuid, scope_id uuid, key text, amount bigint)
    GROUP BY c.organization_id, c.scope_id, c.key
),
locked AS MATERIALIZED (
    SELECT q.organization_id, q.scope_id, q.key, c.amount FROM quota q
    JOIN change c USING (organization_id, scope_id, key)
    ORDER BY q.scope_id, q.key FOR UPDATE OF q
)
UPDATE quota q SET used = q.used + l.amount FROM locked l
WHERE q.organization_id = l.organization_id AND q.scope_id = l.scope_id AND q.key = l.key
""")
_RETURN_CLAIMS: Final = text("""
WITH change AS MATERIALIZED (
    SELECT c.cluster_id, sum(c.vcpus) AS vcpus, sum(c.memory_mib) AS memory_mib, sum(c.storage_gib) AS storage_gib
    FROM jsonb_to_recordset(CAST(:claims AS jsonb)) AS c(cluster_id uuid,
        vcpus bigint, memory_mib bigint, storage_gib bigint)
    GROUP BY c.cluster_id
),
locked AS MATERIALIZED (
    SELECT c.id FROM cluster c JOIN change ON change.cluster_id = c.id ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE cluster c SET vcpus_claimed = c.vcpus_claimed + change.vcpus,
    memory_mib_claimed = c.memory_mib_claimed + change.memory_mib,
    storage_gib_claimed = c.storage_gib_claimed + change.storage_gib
FROM change JOIN locked ON locked.id = change.cluster_id WHERE c.id = change.cluster_id
""")
_WAKE: Final = text(f"""
WITH finished AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:settlements AS jsonb)) AS s(id uuid, organization_id uuid)
),
waiting AS (
    SELECT d.id FROM finished f JOIN job d ON d.resource_id = f.id WHERE d.state IN {_LIVE}
    UNION
    SELECT d.id FROM finished f JOIN resource_link l ON l.organization_id = f.organization_id AND l.target_id = f.id
        JOIN job d ON d.resource_id = l.source_id WHERE d.state IN {_LIVE}
),
locked AS MATERIALIZED (
    SELECT d.id FROM job d JOIN waiting w USING (id) WHERE d.next_run_at IS NOT NULL AND d.lease_until IS NULL
    ORDER BY d.id FOR NO KEY UPDATE OF d
),
woken AS (UPDATE job d SET next_run_at = clock_timestamp() FROM locked l WHERE d.id = l.id RETURNING d.id),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM woken RETURNING id)
SELECT pg_notify('stratoplane_outbox', '') FROM told LIMIT 1
""")
_READ: Final = Statement(f"""
SELECT {_SHOWN} FROM job j WHERE j.organization_id = :organization AND j.project_id = :project AND j.id = :id
""")
_LIVE_JOB: Final = Statement(f"""
SELECT {_SHOWN} FROM job j WHERE j.resource_id = :resource AND j.state IN {_LIVE} ORDER BY j.id DESC LIMIT 1
""")
_READ_ANY: Final = text(f"SELECT {_SHOWN} FROM job j WHERE j.id = :id")


def claim(connection: Connection, *, owner: str, limit: int, start: UUID) -> Sequence[Mapping[str, Any]]:
    """Take up to ``limit`` runnable jobs with everything that their steps may look at.

    Organizations take turns from the id ``start`` on, with an equal ``share`` each; within one the higher priority goes
    first, then the longer wait. At most one more comes with ``crashes``: its lease ran out, and the caller moves it
    after the others, alone. Jobs of one resource run one after the other; the lease is on the database's clock and the
    epoch grows with each claim, so that a worker that was thought dead cannot write back.
    """
    parameters = {"owner": owner, "limit": limit, "lease": LEASE_SECONDS, "start": start}
    return [row._asdict() for row in connection.execute(_CLAIM, parameters)]


def move(connection: Connection, verdicts: Sequence[Mapping[str, Any]]) -> frozenset[UUID]:
    """Write the jobs' new states, each only at its claim's epoch; return the ids that were still this worker's."""
    return frozenset(connection.execute(_MOVE, {"verdicts": dump_json(verdicts)}).scalars())


def move_steps(connection: Connection, steps: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of steps."""
    if steps:
        connection.execute(_MOVE_STEPS, {"steps": dump_json(steps)})


def insert_operations(connection: Connection, operations: Sequence[Mapping[str, Any]]) -> None:
    """Offer operations to their clusters' agents and wake those that wait."""
    if operations:
        connection.execute(_INSERT_OPERATIONS, {"operations": dump_json(operations)})


def settle(connection: Connection, settlements: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Write what ended jobs make of their resources and wake the jobs that waited for that.

    A resource that a later request has changed again keeps what that request wants.

    Returns:
        The resources with what they hold now and what they held before, for the quotas.
    """
    if not settlements:
        return ()
    document = {"settlements": dump_json(settlements)}
    settled = [row._asdict() for row in connection.execute(_SETTLE, document)]
    connection.execute(_WAKE, document)
    if any(each["keep"] is not None for each in settlements):
        connection.execute(_UNLINK, document | {"ids": [row["id"] for row in settled if not row["links_stay"]]})
    if overtaken := [row["id"] for row in settled if row["overtaken"]]:
        connection.execute(_HAND_ON, document | {"ids": overtaken})
    return settled


def give_back(connection: Connection, quota: Sequence[QuotaChange], claims: Sequence[ClaimChange]) -> None:
    """Change quotas and clusters' claims by the given amounts (negative gives back), without looking at limits."""
    if quota:
        connection.execute(_RETURN_QUOTA, {"quota": dump_json(quota)})
    if claims:
        connection.execute(_RETURN_CLAIMS, {"claims": dump_json(claims)})


def get(connection: Connection, organization_id: UUID, project_id: UUID, job_id: UUID) -> dict[str, Any] | None:
    """Return a job in wire form, None when there is none."""
    found = connection.execute(
        _READ, {"organization": organization_id, "project": project_id, "id": job_id}
    ).one_or_none()
    return _wire(found._asdict()) if found else None


def find(connection: Connection, organization_id: UUID, project_id: UUID, job_id: UUID) -> Job | None:
    """Return a job of a project, None when there is none."""
    found = connection.documents(_READ, {"organization": organization_id, "project": project_id, "id": job_id})
    return _value(found[0]) if found else None


def live_job(connection: Connection, resource_id: UUID) -> Job | None:
    """Return the newest job of a resource that has not ended."""
    found = connection.documents(_LIVE_JOB, {"resource": resource_id})
    return _value(found[0]) if found else None


def _value(row: Document) -> Job:
    return read(Job, {**row, "steps": row["steps"] or (), "silent_cluster": row["silent"]})


def get_any(connection: Connection, job_id: UUID) -> dict[str, Any] | None:
    """Return a job of any organization in wire form, None when there is none."""
    found = connection.execute(_READ_ANY, {"id": job_id}).one_or_none()
    return _wire(found._asdict()) if found else None


def page(
    connection: Connection,
    *,
    organization_id: UUID | None,
    project_id: UUID | None,
    after: str | None,
    limit: int,
    state: str = "",
    resource_id: UUID | None = None,
) -> Sequence[dict[str, Any]]:
    """Return up to ``limit`` jobs before the id ``after``, newest first, in wire form; None: every organization."""
    conditions = ["true"]
    parameters: dict[str, Any] = {"limit": limit}
    wanted = {"organization_id": organization_id, "project_id": project_id, "resource_id": resource_id, "state": state}
    for column, value in wanted.items():
        if value:
            conditions.append(f"j.{column} = :{column}")
            parameters[column] = value
    if after is not None:
        conditions.append("j.id < :after")
        parameters["after"] = UUID(after)
    where = " AND ".join(conditions)
    statement = f"SELECT {_SHOWN} FROM job j WHERE {where} ORDER BY j.id DESC LIMIT :limit"
    return [_wire(row._asdict()) for row in connection.execute(text(statement), parameters)]


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    return wire_form.job(row, row["steps"] or ())
