# SPDX-License-Identifier: Apache-2.0
"""What people do about jobs: stop one, try one again, end one where it stands, and look into its driver calls."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import StateConflictError
from stratoplane.jobs import TERMINAL, JobState
from stratoplane.resources import CHANGEABLE
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, job_control, resources
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.changes import keep_answer, read_job_result
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.resources import Collection
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_updates
from stratoplane_engine.jobs.runner import give_up
from stratoplane_engine.model.change import JobResult
from stratoplane_engine.model.job import Job, Operation
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.changes.delete import delete
from stratoplane_engine.services.changes.recreate import recreate
from stratoplane_engine.services.changes.replay import transact
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.rows import answer_row
from stratoplane_engine.services.changes.update import unchangeable
from stratoplane_engine.services.jobs import existing, get_any_job
from stratoplane_engine.workflows.catalogue import workflows_for

RESOLVED: Final = "resolved_by_operator"
_MOST_OPERATIONS: Final = 500


def cancel(database: Database, context: RequestContext, project_id: UUID, job_id: UUID) -> Job:
    """Cancel a job and return it: it ends CANCELLED between two steps, unless it is too late.

    A driver call that an agent executes is waited for, and what was made is undone. Asked again, nothing changes.

    Raises:
        ResourceNotFoundError: the project has no such job.
        StateConflictError: the job has ended.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)
    return _change(database, context, project_id, job_id, _cancel)


def cancel_any(database: Database, context: RequestContext, job_id: UUID) -> Job:
    """Cancel a job of any organization, for operators. Raises as :func:`cancel`."""
    require(context, Permission.PLATFORM_WRITE)
    found = get_any_job(database, context, job_id)
    return _change(database, _inside(context, found), found.project_id, job_id, _cancel)


def _cancel(connection: Connection, context: RequestContext, job: Job) -> Job:
    if not job_control.cancel(connection, job.id, actor=context.actor.name):
        raise _ended(job)
    if job.cancel_requested_at is None:
        _record(connection, context, AuditAction.JOB_CANCEL_REQUESTED, job, "")
    return existing(rows.get_any(connection, job.id), job.id)


def retry(database: Database, plugins: Plugins, context: RequestContext, project_id: UUID, job_id: UUID) -> Job:
    """Let a job that waits for its next attempt run now, or do again what a failed one was to do; return the job.

    A failed create is made again from the same specification, a failed deletion is asked for again; both get a job of
    their own. A failed change has gone back to what was before it: ask for the change again.

    Raises:
        ResourceNotFoundError: the project has no such job.
        StateConflictError: there is nothing to try again, or something later has happened to the resource.
        QuotaExceededError, NoClusterError: what is made again does not fit any more.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)
    return _change(database, context, project_id, job_id, partial(_retry, plugins))


def retry_any(database: Database, plugins: Plugins, context: RequestContext, job_id: UUID) -> Job:
    """Retry a job of any organization, for operators. Raises as :func:`retry`."""
    require(context, Permission.PLATFORM_WRITE)
    found = get_any_job(database, context, job_id)
    return _change(database, _inside(context, found), found.project_id, job_id, partial(_retry, plugins))


def _retry(plugins: Plugins, connection: Connection, context: RequestContext, job: Job) -> Job:
    if job.state in TERMINAL:
        return _again(plugins, connection, context, job)
    if not job_control.hasten(connection, job.id):
        raise StateConflictError("an agent executes a driver call of the job, which waits for no time; wait for it")
    _record(connection, context, AuditAction.JOB_RETRIED, job, "")
    return existing(rows.get_any(connection, job.id), job.id)


def _again(plugins: Plugins, connection: Connection, context: RequestContext, job: Job) -> Job:
    verb = job.kind.partition(".")[2]
    if job.state is JobState.SUCCEEDED:
        raise StateConflictError("the job has SUCCEEDED; there is nothing to try again")
    if job_control.is_superseded(connection, job.id):
        raise StateConflictError("a later job exists for the same resource; look at that one")
    again = {"create": recreate, "delete": delete}.get(verb)
    if again is None:
        raise _undone(connection, job)
    # The answer is kept for the caller's key by the one who asked, not by what is asked here.
    inner = replace(context, idempotency=None)
    request = ChangeRequest(
        context=inner, project_id=job.project_id, kind=connection.kinds[job.resource_kind], plugins=plugins
    )
    begun = again(connection, request, job.resource_id).job or job
    return existing(rows.get_any(connection, begun.id), begun.id)


def _undone(connection: Connection, job: Job) -> StateConflictError:
    """Return the refusal to do a change again: it is asked for again, unless its resource cannot be changed."""
    where = Collection(organization_id=job.organization_id, project_id=job.project_id, kind=job.resource_kind)
    resource = resources.get(connection, where, job.resource_id)
    if resource is not None and resource.deleted_at is None and resource.status not in CHANGEABLE:
        return unchangeable(resource)
    return StateConflictError(f"what {job.kind} began was undone; ask for it again")


def _change(
    database: Database,
    context: RequestContext,
    project_id: UUID,
    job_id: UUID,
    work: Callable[[Connection, RequestContext, Job], Job],
) -> Job:
    """Do ``work`` on the job in one transaction, which keeps the answer for the caller's key."""

    def change(connection: Connection) -> JobResult:
        found = existing(rows.get(connection, context.organization_id, project_id, job_id), job_id)
        result = JobResult(job=work(connection, context, found))
        if (kept := answer_row(context, datetime.now(UTC), result)) is not None:
            keep_answer(connection, kept)
        return result

    return transact(database, context, change, read_job_result).job


def _inside(context: RequestContext, job: Job) -> RequestContext:
    return replace(context, organization_id=job.organization_id)


def resolve(database: Database, context: RequestContext, job_id: UUID, *, note: str) -> Job:
    """End a live job where it stands, for operators: FAILED, without another step, whoever works on it.

    What it had made is left as it is and entered into the leak register; the resource becomes what a failure makes
    of it, or stays what it was where nothing had begun.

    Args:
        note: why, for people; part of the job's error and of the audit trail.

    Raises:
        ResourceNotFoundError: there is no such job.
        StateConflictError: the job has ended, or it waits for an earlier job of the resource: what that one makes of
            the resource is not known yet, and nothing of this one needs ending.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        before = existing(rows.get_any(connection, job_id), job_id)
        if before.ahead is not None:
            waits = f"the job waits for the {before.ahead.kind} {before.ahead.id} and has begun nothing"
            raise StateConflictError(f"{waits}; cancel it, or end that one first")
        seized = job_control.seize(connection, job_id, owner=context.actor.name)
        if seized is None:
            raise _ended(before)
        detail = f"ended by {context.actor.name}: {note}"
        claimed, workflows = read_claim(seized, database.kinds), workflows_for(database.kinds)
        persist_updates(connection, [give_up(claimed, code=RESOLVED, detail=detail, workflows=workflows)])
        _record(connection, context, AuditAction.JOB_RESOLVED, before, note)
        return existing(rows.get_any(connection, job_id), job_id)


def list_operations(database: Database, context: RequestContext, job_id: UUID, page: Page) -> Listing[Operation]:
    """Return the driver calls of a job, oldest first: where each ran, by whom, and what the provider said.

    Raises:
        ResourceNotFoundError: there is no such job.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        found = job_control.operations(connection, job_id, limit=min(page.limit, _MOST_OPERATIONS))
        if not found:
            existing(rows.get_any(connection, job_id), job_id)
    return Listing(items=tuple(found))


def _ended(job: Job) -> StateConflictError:
    return StateConflictError(f"the job has ended ({job.state}); it can no longer be stopped")


def _record(connection: Connection, context: RequestContext, action: AuditAction, job: Job, note: str) -> None:
    noted = record(
        context,
        action,
        job.resource_id,
        job.resource_name,
        organization_id=job.organization_id,
        project_id=job.project_id,
        detail={"job_id": str(job.id), "job": job.kind, "note": note},
    )
    audit.write(connection, replace(noted, outcome="accepted"))
