# SPDX-License-Identifier: Apache-2.0
"""Jobs in the database, as people read them."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_states import AHEAD, IS_HELD, LIVE_STATES
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.job import Job, JobFilter

JOB_STEPS: Final = """
    (SELECT coalesce(jsonb_agg(jsonb_build_object('position', s.position, 'name', s.name, 'state', s.state,
        'attempts', s.attempts, 'output', s.output,
        'error', s.error, 'started_at', s.started_at, 'finished_at', s.finished_at)
        ORDER BY s.position), '[]')
        FROM job_step s WHERE s.job_id = j.id) AS steps
"""
"""The steps of a job ``j`` as one column."""

_JOB: Final = f"""
SELECT j.id, j.organization_id, j.project_id, j.resource_id, j.resource_kind, j.resource_name, j.cluster_id, j.kind,
    j.state, j.input, j.output, j.error, j.attempts, j.priority, j.actor, j.request_id, j.trace_parent, j.cancelled_by,
    j.cancel_requested_at, j.created_at, j.started_at, j.finished_at, j.deadline_at, j.next_run_at, {JOB_STEPS},
    (SELECT c.name FROM cluster c WHERE j.state = 'RUNNING' AND c.id = j.cluster_id AND NOT {is_online("c")})
        AS silent_cluster,
    (SELECT c.name FROM cluster c WHERE j.state IN {LIVE_STATES} AND {IS_HELD} AND c.id = j.cluster_id)
        AS disabled_cluster,
    (SELECT jsonb_build_object('id', e.id, 'kind', e.kind) {AHEAD} AND j.state IN {LIVE_STATES}
        ORDER BY e.created_at, e.id LIMIT 1) AS ahead,
    (SELECT jsonb_build_object('cluster', c.name, 'state', o.state, 'on_trial', coalesce(k.trips > 0, false),
            'open_until', CASE WHEN k.open_until > clock_timestamp() THEN k.open_until END)
        FROM operation o JOIN cluster c ON c.id = o.cluster_id LEFT JOIN circuit k ON k.cluster_id = o.cluster_id
        WHERE j.state = 'RUNNING' AND o.job_id = j.id AND o.state IN ('QUEUED', 'OFFERED', 'RUNNING') LIMIT 1) AS call,
    coalesce(j.state = 'RUNNING' AND j.lease_until < clock_timestamp(), false) AS worker_ended
FROM job j
"""
_OF_PROJECT: Final = Statement(
    f"{_JOB} WHERE j.organization_id = :organization AND j.project_id = :project AND j.id = :id"
)
_ANY: Final = Statement(f"{_JOB} WHERE j.id = :id")
_NEWEST_LIVE: Final = Statement(
    f"{_JOB} WHERE j.resource_id = :resource AND j.state IN {LIVE_STATES} ORDER BY j.id DESC LIMIT 1"
)
# The first and the last of each resource: what stands between them waits for the first as the last does.
_ENDS: Final = Statement(f"""
WITH live AS MATERIALIZED (
    SELECT l.id, l.resource_id, l.created_at FROM job l
    WHERE l.organization_id = :organization AND l.resource_id = ANY(:resources) AND l.state IN {LIVE_STATES}
)
{_JOB} WHERE j.id IN (
    (SELECT DISTINCT ON (resource_id) id FROM live ORDER BY resource_id, created_at, id)
    UNION (SELECT DISTINCT ON (resource_id) id FROM live ORDER BY resource_id, created_at DESC, id DESC)
) ORDER BY j.created_at, j.id
""")


def get(connection: Connection, organization_id: UUID, project_id: UUID, job_id: UUID) -> Job | None:
    """Return a job of a project, None when there is none."""
    return connection.first(Job, _OF_PROJECT, {"organization": organization_id, "project": project_id, "id": job_id})


def get_any(connection: Connection, job_id: UUID) -> Job | None:
    """Return a job of any organization, None when there is none."""
    return connection.first(Job, _ANY, {"id": job_id})


def live_job(connection: Connection, resource_id: UUID) -> Job | None:
    """Return the newest job of a resource that has not ended, None when all have."""
    return connection.first(Job, _NEWEST_LIVE, {"resource": resource_id})


def first_and_last(
    connection: Connection, organization_id: UUID, resources: Sequence[UUID]
) -> dict[UUID, tuple[Job, Job]]:
    """Return, by resource, the first and the last job that has not ended, which may be the same one."""
    parameters = {"organization": organization_id, "resources": list(resources)}
    found: dict[UUID, tuple[Job, Job]] = {}
    for job in connection.all(Job, _ENDS, parameters):
        found[job.resource_id] = (found.get(job.resource_id, (job, job))[0], job)
    return found


def page(connection: Connection, wanted: JobFilter, *, before: UUID | None, limit: int) -> list[Job]:
    """Return up to ``limit`` jobs before the id ``before``, newest first."""
    conditions, parameters = ["true"], dict[str, object](limit=limit)
    for name in (each.name for each in fields(wanted)):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(f"j.{name} = :{name}")
            parameters[name] = value
    if before is not None:
        conditions.append("j.id < :before")
        parameters["before"] = before
    statement = Statement(f"{_JOB} WHERE {' AND '.join(conditions)} ORDER BY j.id DESC LIMIT :limit")
    return connection.all(Job, statement, parameters)
