# SPDX-License-Identifier: Apache-2.0
"""Jobs in the database, as people read them."""

from dataclasses import fields
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_states import LIVE_STATES
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
    (SELECT e.kind FROM job e WHERE j.state = 'PENDING' AND e.resource_id = j.resource_id AND e.state IN {LIVE_STATES}
        AND (e.created_at, e.id) < (j.created_at, j.id) ORDER BY e.created_at, e.id LIMIT 1) AS behind
FROM job j
"""
_OF_PROJECT: Final = Statement(
    f"{_JOB} WHERE j.organization_id = :organization AND j.project_id = :project AND j.id = :id"
)
_ANY: Final = Statement(f"{_JOB} WHERE j.id = :id")
_NEWEST_LIVE: Final = Statement(
    f"{_JOB} WHERE j.resource_id = :resource AND j.state IN {LIVE_STATES} ORDER BY j.id DESC LIMIT 1"
)


def get(connection: Connection, organization_id: UUID, project_id: UUID, job_id: UUID) -> Job | None:
    """Return a job of a project, None when there is none."""
    return connection.first(Job, _OF_PROJECT, {"organization": organization_id, "project": project_id, "id": job_id})


def get_any(connection: Connection, job_id: UUID) -> Job | None:
    """Return a job of any organization, None when there is none."""
    return connection.first(Job, _ANY, {"id": job_id})


def live_job(connection: Connection, resource_id: UUID) -> Job | None:
    """Return the newest job of a resource that has not ended, None when all have."""
    return connection.first(Job, _NEWEST_LIVE, {"resource": resource_id})


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
