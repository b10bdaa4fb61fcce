# SPDX-License-Identifier: Apache-2.0
"""What exists at clusters against what should: missing resources, leaks, jobs that correct, and ended incidents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from stratoplane.kinds import Observed
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.at_rest import HAS_NO_JOB, IS_LISTED_SINCE, IS_SETTLED
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.duplicates import DUPLICATED
from stratoplane_engine.db.orphans import IS_ORPHAN, LISTED
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.observed import BrokenKind, SeenObject, read_statuses
from stratoplane_engine.model.drift import ComparedResource, NewJob

_MISSING: Final = Statement(f"""
WITH gone AS MATERIALIZED (
    SELECT r.organization_id, r.id FROM resource r
    JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind AND {IS_LISTED_SINCE}
    WHERE {IS_SETTLED} AND {HAS_NO_JOB}
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
_BACK: Final = Statement("""
SELECT r.organization_id, r.id, r.kind, v.status AS observed
FROM resource r JOIN inventory v ON v.uid = r.id AND v.cluster_id = r.cluster_id AND v.kind = r.kind
WHERE r.status = 'LOST' AND r.deleted_at IS NULL AND r.kind = ANY(:kinds)
ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
""")
_FOUND_AGAIN: Final = Statement("""
WITH found AS (
    UPDATE resource r SET status = b.status, version = r.version + 1, updated_at = clock_timestamp(), detail = ''
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS b(organization_id uuid, id uuid, status text)
    WHERE r.organization_id = b.organization_id AND r.id = b.id
    RETURNING r.*
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM found
)
SELECT id, organization_id, project_id, kind, name, cluster_id FROM found
""")
# What rests and is shown otherwise than it was last observed; all of it, or what has changed since then.
_SHOWN: Final = Statement(f"""
SELECT r.organization_id, r.id, r.kind, v.status AS observed
FROM inventory v JOIN inventory_report p ON p.cluster_id = v.cluster_id AND p.kind = v.kind
JOIN resource r ON r.id = v.uid AND r.cluster_id = v.cluster_id AND r.kind = v.kind
WHERE (CAST(:since AS timestamptz) IS NULL OR v.changed_at > CAST(:since AS timestamptz))
    AND r.observed IS DISTINCT FROM v.status AND r.kind = ANY(:kinds)
    AND {IS_SETTLED} AND {IS_LISTED_SINCE} AND {HAS_NO_JOB}
ORDER BY r.id LIMIT :limit FOR NO KEY UPDATE OF r SKIP LOCKED
""")
# The time of the last change stays: nothing was asked of the resource, and it is compared with the same listing.
_OBSERVE: Final = Statement("""
WITH shown AS (
    SELECT s.*, r.status AS former FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS s(organization_id uuid, id uuid, status text, observed jsonb)
    JOIN resource r ON r.organization_id = s.organization_id AND r.id = s.id
),
written AS (
    UPDATE resource r SET status = s.status, observed = s.observed, version = r.version + 1 FROM shown s
    WHERE r.organization_id = s.organization_id AND r.id = s.id
    RETURNING r.*, s.former
)
INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec, quota_usage)
SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM written
WHERE status <> former
""")
# Incidents about orphans, duplicates, lost resources and broken kinds whose cause is gone.
_ENDED: Final = Statement(f"""
WITH {DUPLICATED}
SELECT i.key FROM incident i WHERE i.status <> 'RESOLVED' AND (
    i.kind = 'orphan' AND NOT EXISTS ({LISTED}
        WHERE v.cluster_id = i.cluster_id AND v.uid = CAST(i.detail->>'uid' AS uuid) AND {IS_ORPHAN})
    OR i.kind = 'duplicate' AND NOT EXISTS (SELECT FROM duplicated d WHERE d.uid = i.resource_id)
    OR i.kind = 'shared-provider' AND NOT EXISTS (SELECT FROM shared s
        WHERE s.first = i.cluster_id AND s.second = CAST(i.detail->>'other_cluster_id' AS uuid))
    OR i.kind = 'kind-broken' AND NOT i.detail->>'kind' = ANY(:broken)
    OR i.kind = 'resource-lost' AND NOT EXISTS (SELECT FROM resource r WHERE r.organization_id = i.organization_id
        AND r.id = i.resource_id AND r.deleted_at IS NULL AND r.status IN ('LOST', 'DELETING')))
""")
_CLOSE_LEAKS: Final = Statement("""
WITH gone AS (
    UPDATE leak l SET resolved_at = clock_timestamp(), resolved_by = 'reconciler',
        note = 'the cluster does not have it'
    FROM inventory_report p WHERE l.resolved_at IS NULL AND p.cluster_id = l.cluster_id AND p.kind = l.kind
        AND p.taken_at > l.found_at + interval '5 seconds'
        AND NOT EXISTS (SELECT FROM inventory v WHERE v.cluster_id = l.cluster_id AND v.uid = l.resource_id)
    RETURNING l.id, l.resource_id
)
SELECT DISTINCT g.resource_id FROM gone g WHERE NOT EXISTS (SELECT FROM leak o
    WHERE o.resource_id = g.resource_id AND o.resolved_at IS NULL AND o.id NOT IN (SELECT id FROM gone))
""")
_INSERT_JOBS: Final = Statement("""
WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:jobs AS jsonb)) AS j(id uuid, organization_id uuid, project_id uuid,
        resource_id uuid, resource_kind text, resource_name text, cluster_id uuid, kind text, input jsonb, actor text,
        priority int, steps jsonb)
),
written AS (
    INSERT INTO job (id, organization_id, project_id, resource_id, resource_kind, resource_name, cluster_id, kind,
        input, deadline_at, actor, priority)
    SELECT j.id, j.organization_id, j.project_id, j.resource_id, j.resource_kind, j.resource_name, j.cluster_id, j.kind,
        j.input, clock_timestamp() + interval '1 hour', j.actor, j.priority FROM wanted j RETURNING id
),
steps AS (
    INSERT INTO job_step (organization_id, job_id, position, name)
    SELECT j.organization_id, j.id, s.number - 1, s.name
    FROM wanted j, jsonb_array_elements_text(j.steps) WITH ORDINALITY AS s(name, number)
),
announced AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM written)
SELECT pg_notify('stratoplane_outbox', '')
""")
_MARK_UPDATING: Final = Statement("""
UPDATE resource r SET status = 'UPDATING', version = r.version + 1, updated_at = clock_timestamp()
WHERE r.id = ANY(:ids)
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown(SeenObject):
    """A resource as an inventory shows it."""

    organization_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settled:
    """The status that a resource is brought back in."""

    organization_id: UUID
    id: UUID
    status: ResourceStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class _Observed(_Settled):
    """The status that a resource is in, and all that is shown of it."""

    observed: Observed


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """How many resources are seen as their clusters show them now, and the kinds that broke on an object, by name."""

    count: int
    broken: Mapping[str, BrokenKind]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundAgain:
    """The resources that are back, and the kinds that broke on an object, by name."""

    resources: Sequence[ComparedResource]
    broken: Mapping[str, BrokenKind]


def observe(connection: Connection, *, since: datetime | None, limit: int) -> Seen:
    """Let up to ``limit`` resources at rest be seen as their clusters show them; return how many.

    Those that their kind breaks on stay as they are, and take no other's place among the ``limit``.

    Args:
        connection: reads and writes.
        since: looks at what has changed since then, at everything if None.
        limit: resources at once; the next round sees the others.
    """
    count, broken = 0, dict[str, BrokenKind]()
    while True:
        asked = [name for name in connection.kinds if name not in broken]
        shown = connection.all(_Shown, _SHOWN, {"since": since, "limit": limit, "kinds": asked})
        statuses = read_statuses(connection.kinds, shown)
        rows = [
            _Observed(organization_id=each.organization_id, id=each.id, status=status, observed=each.observed)
            for each in shown
            if (status := statuses.of.get(each.id)) is not None
        ]
        if rows:
            connection.run(_OBSERVE, {"rows": dump_json(rows)})
        count += len(rows)
        broken |= statuses.broken
        if not statuses.broken or len(shown) < limit:
            return Seen(count=count, broken=broken)


def mark_missing(connection: Connection) -> list[ComparedResource]:
    """Mark as LOST what its cluster's inventory no longer has; return what was marked now."""
    return connection.all(ComparedResource, _MISSING)


def mark_found(connection: Connection) -> FoundAgain:
    """Bring back what was LOST and is in an inventory again, in the status that its kind says; return it."""
    back = connection.all(_Shown, _BACK, {"kinds": list(connection.kinds)})
    statuses = read_statuses(connection.kinds, back)
    rows = [
        _Settled(organization_id=each.organization_id, id=each.id, status=status)
        for each in back
        if (status := statuses.of.get(each.id)) is not None
    ]
    found = connection.all(ComparedResource, _FOUND_AGAIN, {"rows": dump_json(rows)}) if rows else []
    return FoundAgain(resources=found, broken=statuses.broken)


def ended_incidents(connection: Connection, broken_kinds: Iterable[str]) -> list[str]:
    """Return the keys of open incidents about what comparisons find whose cause is gone.

    Args:
        connection: reads.
        broken_kinds: those that broke in this comparison.
    """
    return connection.values(str, _ENDED, {"broken": list(broken_kinds)})


def close_leaks(connection: Connection) -> list[UUID]:
    """Close leaks whose cluster shows no such object any more; return resources that have no open one left."""
    return connection.values(UUID, _CLOSE_LEAKS)


def start_jobs(connection: Connection, jobs: Sequence[NewJob]) -> None:
    """Insert correcting jobs with their steps, mark their resources as UPDATING and wake the workers."""
    connection.run(_MARK_UPDATING, {"ids": [job.resource_id for job in jobs]})
    insert_jobs(connection, jobs)


def insert_jobs(connection: Connection, jobs: Sequence[NewJob]) -> None:
    """Insert jobs with their steps and wake the workers; their resources stay as they are."""
    connection.run(_INSERT_JOBS, {"jobs": dump_json(jobs)})
