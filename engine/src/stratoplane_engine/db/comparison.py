# SPDX-License-Identifier: Apache-2.0
"""Desired against observed, in set-based statements over the inventories."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.jobs import LIVE
from stratoplane_engine.db.connection import Connection, dump_json

_LIVE: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
_QUIET: Final = f"NOT EXISTS (SELECT FROM job j WHERE j.resource_id = r.id AND j.state IN {_LIVE})"

# A resource as its cluster showed it after the last change of it had come to rest: what was listed before does not
# count. Clocks of agent and database are not compared, but the answer took its time to get here.
_LISTED_SINCE: Final = """
    JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind
        AND p.taken_at > r.updated_at + interval '5 seconds'
"""
_MISSING: Final = text(f"""
WITH gone AS MATERIALIZED (
    SELECT r.organization_id, r.id FROM resource r {_LISTED_SINCE}
    WHERE r.deleted_at IS NULL AND r.status IN ('ACTIVE', 'RUNNING', 'STOPPED') AND {_QUIET}
        AND NOT EXISTS (SELECT FROM inventory v WHERE v.cluster_id = r.cluster_id AND v.uid = r.id)
    ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
),
lost AS (
    UPDATE resource r SET status = 'LOST', version = r.version + 1, updated_at = clock_timestamp(),
        detail = 'the cluster no longer has it; an operator must look'
    FROM gone g WHERE r.organization_id = g.organization_id AND r.id = g.id
    RETURNING r.*
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM lost
)
SELECT id, organization_id, project_id, kind, name, cluster_id FROM lost
""")
_FOUND_AGAIN: Final = text("""
WITH back AS MATERIALIZED (
    SELECT r.organization_id, r.id, CASE WHEN r.kind <> 'virtual_machine' THEN 'ACTIVE'
        WHEN v.status->>'power' = 'RUNNING' THEN 'RUNNING' ELSE 'STOPPED' END AS status
    FROM resource r JOIN inventory v ON v.uid = r.id AND v.cluster_id = r.cluster_id AND v.kind = r.kind
    WHERE r.status = 'LOST' AND r.deleted_at IS NULL
    ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
),
found AS (
    UPDATE resource r SET status = b.status, version = r.version + 1, updated_at = clock_timestamp(), detail = ''
    FROM back b WHERE r.organization_id = b.organization_id AND r.id = b.id
    RETURNING r.*
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM found
)
SELECT id, organization_id, project_id, kind, name, cluster_id FROM found
""")
_ORPHANS: Final = text("""
SELECT v.cluster_id, c.name AS cluster, v.uid, v.kind, v.first_seen_at FROM inventory v
JOIN cluster c ON c.id = v.cluster_id
JOIN inventory_report p ON p.cluster_id = v.cluster_id AND p.kind = v.kind
LEFT JOIN resource r ON r.id = v.uid AND r.cluster_id = v.cluster_id AND r.kind = v.kind
WHERE (r.id IS NULL OR r.deleted_at < p.taken_at - interval '5 seconds')
    AND (CAST(:cluster AS uuid) IS NULL OR (v.cluster_id, v.uid) > (CAST(:cluster AS uuid), CAST(:uid AS uuid)))
ORDER BY v.cluster_id, v.uid LIMIT :limit
""")
# Incidents about objects of nobody, marks of several and resources that were lost, whose cause is gone.
_SETTLED: Final = text("""
SELECT i.key FROM incident i WHERE i.status <> 'RESOLVED' AND (
    i.kind = 'orphan' AND NOT EXISTS (SELECT FROM inventory v LEFT JOIN resource r ON r.id = v.uid
        AND r.cluster_id = v.cluster_id AND r.kind = v.kind AND r.deleted_at IS NULL
        WHERE v.cluster_id = i.cluster_id AND v.uid = CAST(i.detail->>'uid' AS uuid) AND r.id IS NULL)
    OR i.kind = 'duplicate' AND (SELECT count(*) FROM inventory v WHERE v.uid = i.resource_id) < 2
    OR i.kind = 'resource-lost' AND NOT EXISTS (SELECT FROM resource r WHERE r.organization_id = i.organization_id
        AND r.id = i.resource_id AND r.deleted_at IS NULL AND r.status IN ('LOST', 'DELETING')))
""")
_INSERT_JOBS: Final = text("""
WITH written AS (
    INSERT INTO job (id, organization_id, project_id, resource_id, resource_kind, resource_name, cluster_id, kind,
        input, deadline_at, actor, priority)
    SELECT j.id, j.organization_id, j.project_id, j.resource_id, j.resource_kind, j.resource_name, j.cluster_id, j.kind,
        j.input, clock_timestamp() + interval '1 hour', j.actor, j.priority
    FROM jsonb_populate_recordset(NULL::job, CAST(:jobs AS jsonb)) AS j RETURNING id
),
steps AS (
    INSERT INTO job_step (organization_id, job_id, position, name)
    SELECT s.organization_id, s.job_id, s.position, s.name
    FROM jsonb_populate_recordset(NULL::job_step, CAST(:steps AS jsonb)) AS s
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM written)
SELECT pg_notify('stratoplane_outbox', '')
""")
_MARK_UPDATING: Final = text("""
UPDATE resource r SET status = 'UPDATING', version = r.version + 1, updated_at = clock_timestamp()
WHERE r.id = ANY(:ids)
""")


def mark_missing(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """Mark as LOST what its cluster's inventory no longer has; return what was marked now."""
    return [row._asdict() for row in connection.execute(_MISSING)]


def mark_found(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """Bring back what was LOST and is in an inventory again; return it."""
    return [row._asdict() for row in connection.execute(_FOUND_AGAIN)]


def orphans(
    connection: Connection, *, limit: int, after: tuple[UUID, UUID] | None = None
) -> Sequence[Mapping[str, Any]]:
    """Return a page of the objects that carry our mark and belong to no resource, by cluster and mark.

    Args:
        limit: objects at once.
        after: cluster and mark of the last one of the page before.
    """
    cluster, uid = after or (None, None)
    return [row._asdict() for row in connection.execute(_ORPHANS, {"limit": limit, "cluster": cluster, "uid": uid})]


def settled(connection: Connection) -> Sequence[str]:
    """Return the keys of incidents about strays and lost resources that are no longer what they were."""
    return list(connection.execute(_SETTLED).scalars())


def start_jobs(connection: Connection, jobs: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]]) -> None:
    """Insert correcting jobs with their steps, mark their resources as UPDATING and wake the workers."""
    connection.execute(_MARK_UPDATING, {"ids": [job["resource_id"] for job in jobs]})
    connection.execute(_INSERT_JOBS, {"jobs": dump_json(jobs), "steps": dump_json(steps)})
