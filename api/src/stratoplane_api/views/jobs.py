# SPDX-License-Identifier: Apache-2.0
"""Jobs as tenants and operators read them."""

from typing import Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import OPS, TENANT
from stratoplane_api.presentation import jobs as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.queries import JobQuery, JobsQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_api.views.changes import job_after
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import jobs

_JOB: Final = examples.job("virtual_machine.create", examples.MACHINE_ID, "web-1")
_JOBS: Final = {"items": [_JOB], "next": None}


@TENANT.add(
    Endpoint(
        id="list_jobs",
        method="GET",
        path="/projects/<id:project_id>/jobs",
        access=Permission.JOB_READ,
        summary="List the jobs of a project, newest first",
        tag="Jobs",
        query=JobsQuery,
        answer=list_of(Job),
        features=frozenset({Feature.PAGED}),
        example=_JOBS,
    )
)
def list_jobs(project_id: UUID) -> Response:
    """Serve a page of a project's jobs."""
    asked = g.query.get("resource_id")
    found = jobs.list_jobs(database(), context(), project_id, page(), UUID(asked) if asked else None)
    return answers.page_of(found, presentation.tenants_job)


@TENANT.add(
    Endpoint(
        id="get_job",
        method="GET",
        path="/projects/<id:project_id>/jobs/<id:id>",
        access=Permission.JOB_READ,
        summary="Show a job, at once or when it has ended",
        tag="Jobs",
        query=JobQuery,
        answer=Job,
        example=_JOB,
    )
)
def get_job(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Serve a job of a project."""
    if g.query["wait"]:
        found, _ = job_after(project_id, id, float(g.query["wait"]))
        return answers.content(presentation.tenants_job(found))
    return answers.content(presentation.tenants_job(jobs.get_job(database(), context(), project_id, id)))


@OPS.add(
    Endpoint(
        id="list_all_jobs",
        method="GET",
        path="/jobs",
        access=Permission.PLATFORM_READ,
        summary="List every organization's jobs, newest first",
        tag="Jobs",
        query=JobsQuery,
        answer=list_of(Job),
        features=frozenset({Feature.PAGED}),
        example=_JOBS,
    )
)
def list_all_jobs() -> Response:
    """Serve a page of all jobs."""
    return answers.page_of(jobs.list_all_jobs(database(), context(), page()), presentation.job)


@OPS.add(
    Endpoint(
        id="get_any_job",
        method="GET",
        path="/jobs/<id:id>",
        access=Permission.PLATFORM_READ,
        summary="Show a job of any organization",
        tag="Jobs",
        answer=Job,
        example=_JOB,
    )
)
def get_any_job(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Serve a job of any organization."""
    return answers.content(presentation.job(jobs.get_any_job(database(), context(), id)))
