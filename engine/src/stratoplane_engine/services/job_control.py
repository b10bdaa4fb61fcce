# SPDX-License-Identifier: Apache-2.0
"""What people do about jobs: stop one, try one again, end one where it stands, and look into its driver calls."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import ResourceNotFoundError, StateConflictError
from stratoplane.jobs import TERMINAL, JobState
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, job_control
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.changes import keep_answer
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_verdicts
from stratoplane_engine.jobs.runner import give_up
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import changes_old as changes
from stratoplane_engine.services import jobs, resources
from stratoplane_engine.services.changes_rows_old import idempotency_row

RESOLVED: Final = "resolved_by_operator"
_MOST_OPERATIONS: Final = 500
_Job = dict[str, Any]


def cancel(database: Database, context: RequestContext, project_id: UUID, job_id: UUID) -> _Job:
    """Ask that a job stops, and return it: it ends CANCELLED between two steps, unless it is too late.

    What an agent is at is waited for, and what was made is taken back. Asked again, nothing changes.

    Raises:
        ResourceNotFoundError: the project has no such job.
        StateConflictError: the job has ended.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)
    return _transact(database, context, project_id, job_id, _cancel)


def cancel_any(database: Database, context: RequestContext, job_id: UUID) -> _Job:
    """Ask that a job of any organization stops, for operators. Raises as :func:`cancel`."""
    require(context, Permission.PLATFORM_WRITE)
    found = jobs.get_any_job(database, context, job_id)
    return _transact(database, _inside(context, found), UUID(found["project_id"]), job_id, _cancel)


def _cancel(connection: Connection, context: RequestContext, job: _Job) -> _Job:
    job_id = UUID(job["id"])
    if not job_control.cancel(connection, job_id, actor=context.actor.name):
        raise _ended(job)
    if job["cancel_requested_at"] is None:
        _record(connection, context, AuditAction.JOB_CANCEL_REQUESTED, job, "")
    return _found(rows.get_any(connection, job_id), job_id)


def retry(database: Database, plugins: Plugins, context: RequestContext, project_id: UUID, job_id: UUID) -> _Job:
    """Let a job that waits for its next attempt run now, or do again what a failed one was to do; return the job.

    A failed create is made again from the same specification, a failed deletion is asked for again; both get a job of
    their own. A failed change has gone back to what was before it: ask for the change again.

    Raises:
        ResourceNotFoundError: the project has no such job.
        StateConflictError: there is nothing to try again, or something later has happened to the resource.
        QuotaExceededError, NoClusterError: what is made again does not fit any more.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)
    return _transact(database, context, project_id, job_id, partial(_retry, plugins))


def retry_any(database: Database, plugins: Plugins, context: RequestContext, job_id: UUID) -> _Job:
    """Try a job of any organization again, for operators. Raises as :func:`retry`."""
    require(context, Permission.PLATFORM_WRITE)
    found = jobs.get_any_job(database, context, job_id)
    return _transact(database, _inside(context, found), UUID(found["project_id"]), job_id, partial(_retry, plugins))


def _retry(plugins: Plugins, connection: Connection, context: RequestContext, job: _Job) -> _Job:
    job_id = UUID(job["id"])
    if job["state"] in TERMINAL:
        return _again(plugins, connection, context, job)
    if not job_control.hasten(connection, job_id):
        raise StateConflictError("the job is at work and waits for no time; wait for it")
    _record(connection, context, AuditAction.JOB_RETRIED, job, "")
    return _found(rows.get_any(connection, job_id), job_id)


def _again(plugins: Plugins, connection: Connection, context: RequestContext, job: _Job) -> _Job:
    kind, verb = job["resource_kind"], job["kind"].partition(".")[2]
    if job["state"] == JobState.SUCCEEDED:
        raise StateConflictError("the job has SUCCEEDED; there is nothing to try again")
    if not job_control.is_latest(connection, UUID(job["id"])):
        raise StateConflictError("a later job exists for the same resource; look at that one")
    again = {"create": changes.recreate, "delete": changes.delete}.get(verb)
    if again is None:
        raise StateConflictError(f"what the {verb} began was taken back; ask for it again")
    # The answer is kept for the caller's key by the one who asked, not by what is asked here.
    inner = replace(context, idempotency=None)
    accepted = again(connection, plugins, inner, UUID(job["project_id"]), kind, UUID(job["resource_id"]))
    return dict(accepted.job or {})


def _transact(
    database: Database,
    context: RequestContext,
    project_id: UUID,
    job_id: UUID,
    work: Callable[[Connection, RequestContext, _Job], _Job],
) -> _Job:
    """Do ``work`` on the job in one transaction, which keeps the answer for the caller's key."""

    def transact(connection: Connection) -> Accepted:
        found = _found(rows.get(connection, context.organization_id, project_id, job_id), job_id)
        answer = Accepted(resource={}, job=work(connection, context, found))
        if (kept := idempotency_row(context, datetime.now(UTC), answer)) is not None:
            keep_answer(connection, kept)
        return answer

    return dict(resources.transact(database, context, transact).job or {})


def _inside(context: RequestContext, job: Mapping[str, Any]) -> RequestContext:
    return replace(context, organization_id=UUID(job["organization_id"]))


def resolve(database: Database, context: RequestContext, job_id: UUID, *, note: str) -> _Job:
    """End a live job where it stands, for operators: FAILED, without another step, whoever works on it.

    What it had made is left as it is and entered into the leak register; the resource becomes what a failure makes
    of it.

    Args:
        note: why, for people; part of the job's error and of the audit trail.

    Raises:
        ResourceNotFoundError: there is no such job.
        StateConflictError: the job has ended.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        before = _found(rows.get_any(connection, job_id), job_id)
        seized = job_control.seize(connection, job_id, owner=context.actor.name)
        if seized is None:
            raise _ended(before)
        detail = f"ended by {context.actor.name}: {note}"
        persist_verdicts(connection, [give_up(read_claim(seized), code=RESOLVED, detail=detail)])
        _record(connection, context, AuditAction.JOB_RESOLVED, before, note)
        return _found(rows.get_any(connection, job_id), job_id)


def list_operations(
    database: Database, context: RequestContext, job_id: UUID, page: Page
) -> Listing[Mapping[str, object]]:
    """Return the driver calls of a job, oldest first: where each ran, by whom, and what the provider said.

    Raises:
        ResourceNotFoundError: there is no such job.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        _found(rows.get_any(connection, job_id), job_id)
        found = job_control.operations(connection, job_id, limit=min(page.limit, _MOST_OPERATIONS))
    return Listing(items=tuple(map(wire_form.operation, found)), next=None)


def _found(job: _Job | None, job_id: UUID) -> _Job:
    if job is None:
        raise ResourceNotFoundError(f"there is no job {job_id}; list the jobs")
    return job


def _ended(job: Mapping[str, Any]) -> StateConflictError:
    return StateConflictError(f"the job has ended ({job['state']}); it can no longer be stopped")


def _record(
    connection: Connection, context: RequestContext, action: AuditAction, job: Mapping[str, Any], note: str
) -> None:
    record = AuditRecord(
        action=action,
        actor=context.actor.name,
        occurred_at=datetime.now(UTC),
        outcome="accepted",
        organization_id=UUID(job["organization_id"]),
        project_id=UUID(job["project_id"]),
        subject_id=UUID(job["resource_id"]),
        subject_name=job["resource_name"],
        request_id=context.request_id,
        detail={"job_id": job["id"], "job": job["kind"], "note": note},
    )
    audit.write(connection, record)
