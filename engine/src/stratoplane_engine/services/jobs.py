# SPDX-License-Identifier: Apache-2.0
"""Jobs as people see them."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import ResourceNotFoundError
from stratoplane.jobs import TERMINAL
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

LONGEST_WAIT: Final = 30.0
_FIRST_LOOK: Final = 0.01
_LONGEST_PAUSE: Final = 0.25
_SORT: Final = "-created_at"


def get_job(database: Database, context: RequestContext, project_id: UUID, job_id: UUID) -> dict[str, Any]:
    """Return one job of a project in wire form.

    Raises:
        ResourceNotFoundError: the project has no such job.
    """
    require(context, Permission.JOB_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
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
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Return the job when it has ended, or as it is after ``seconds`` (30 at most). Raises as :func:`get_job`.

    The pauses between looks grow from 10 to 250 ms, so that a quick job is answered at once.
    """
    until = time.monotonic() + min(seconds, LONGEST_WAIT)
    pause = _FIRST_LOOK
    while True:
        found = get_job(database, context, project_id, job_id)
        left = until - time.monotonic()
        if found["state"] in TERMINAL or left <= 0:
            return found
        sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def list_jobs(
    database: Database, context: RequestContext, project_id: UUID, page: Page, resource_id: UUID | None = None
) -> Listing[Mapping[str, object]]:
    """Return one page of a project's jobs, newest first."""
    require(context, Permission.JOB_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        found = rows.page(
            connection,
            organization_id=context.organization_id,
            project_id=project_id,
            after=cursors.decode(_SORT, page.cursor),
            limit=page.limit + 1,
            state=page.status,
            resource_id=resource_id,
        )
    return _listing(found, page)


def list_all_jobs(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return one page of every organization's jobs, newest first, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(
            connection,
            organization_id=None,
            project_id=None,
            after=cursors.decode(_SORT, page.cursor),
            limit=page.limit + 1,
            state=page.status,
        )
    return _listing(found, page)


def get_any_job(database: Database, context: RequestContext, job_id: UUID) -> dict[str, Any]:
    """Return a job of any organization, for operators.

    Raises:
        ResourceNotFoundError: there is no such job.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.get_any(connection, job_id)
    if found is None:
        raise ResourceNotFoundError(f"there is no job {job_id}; list the jobs")
    return found


def _listing(found: Any, page: Page) -> Listing[Mapping[str, object]]:
    shown = found[: page.limit]
    more = len(found) > page.limit
    return Listing(items=tuple(shown), next=cursors.encode(_SORT, shown[-1]["id"]) if more else None)
