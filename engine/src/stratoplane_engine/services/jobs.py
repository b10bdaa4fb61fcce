# SPDX-License-Identifier: Apache-2.0
"""Jobs as people see them."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import UUID

from stratoplane.errors import InvalidSpecError, ResourceNotFoundError, Violation
from stratoplane.jobs import TERMINAL, JobState
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.job import Job, JobFilter
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.listings import newest_first

LONGEST_WAIT: Final = 30.0
_FIRST_LOOK: Final = 0.01
_LONGEST_PAUSE: Final = 0.25
_BY_TIME: Final = newest_first(Job)


def get_job(database: Database, context: RequestContext, project_id: UUID, job_id: UUID) -> Job:
    """Return one job of a project.

    Raises:
        ResourceNotFoundError: the project has no such job.
    """
    require(context, Permission.JOB_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant_reads(context.organization_id) as connection:
        found = rows.get(connection, context.organization_id, project_id, job_id)
    if found is None:
        raise ResourceNotFoundError(f"this project has no job {job_id}; list its jobs")
    return found


def wait_for_job(
    database: Database,
    context: RequestContext,
    project_id: UUID,
    job_id: UUID,
    *,
    seconds: float,
    pause: Callable[[float], bool],
) -> Job:
    """Return the job when it has ended, or as it is after ``seconds`` (30 at most). Raises as :func:`get_job`.

    ``pause`` waits for so many seconds between two looks, and tells whether to wait no longer.

    The pauses between looks grow from 10 to 250 ms, so that a quick job is answered at once.
    """
    until = time.monotonic() + min(seconds, LONGEST_WAIT)
    length, over = _FIRST_LOOK, False
    while True:
        found = get_job(database, context, project_id, job_id)
        left = until - time.monotonic()
        if found.state in TERMINAL or left <= 0 or over:
            return found
        over = pause(min(length, left))
        length = min(length * 1.5, _LONGEST_PAUSE)


def list_jobs(
    database: Database, context: RequestContext, project_id: UUID, page: Page, resource_id: UUID | None = None
) -> Listing[Job]:
    """Return one page of a project's jobs, newest first; only those of a resource if one is named.

    Raises:
        InvalidSpecError: the cursor is not one of this list, or the status is not one of a job.
    """
    require(context, Permission.JOB_READ, organization_id=context.organization_id, project_id=project_id)
    wanted = JobFilter(organization_id=context.organization_id, project_id=project_id, resource_id=resource_id)
    return _listing(database, wanted, page)


def list_all_jobs(database: Database, context: RequestContext, page: Page) -> Listing[Job]:
    """Return one page of every organization's jobs, newest first, for operators. Raises as :func:`list_jobs`."""
    require(context, Permission.PLATFORM_READ)
    return _listing(database, JobFilter(), page)


def get_any_job(database: Database, context: RequestContext, job_id: UUID) -> Job:
    """Return a job of any organization, for operators.

    Raises:
        ResourceNotFoundError: there is no such job.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return existing(rows.get_any(connection, job_id), job_id)


def existing(job: Job | None, job_id: UUID) -> Job:
    """Return ``job``, which was looked up by ``job_id``.

    Raises:
        ResourceNotFoundError: there is none.
    """
    if job is None:
        raise ResourceNotFoundError(f"there is no job {job_id}; list the jobs")
    return job


def _listing(database: Database, wanted: JobFilter, page: Page) -> Listing[Job]:
    wanted, before = replace(wanted, state=_state(page.status)), _BY_TIME.begin(page)
    owner = wanted.organization_id
    with database.tenant_reads(owner) if owner else database.system_reads() as connection:
        found = rows.page(connection, wanted, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def _state(text: str) -> JobState | None:
    try:
        return JobState(text) if text else None
    except ValueError as error:
        detail = f"{text!r} is not a state of a job; choose one of {', '.join(JobState)}"
        raise InvalidSpecError(detail, [Violation(pointer="/status", detail=detail)]) from error
