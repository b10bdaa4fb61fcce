# SPDX-License-Identifier: Apache-2.0
"""Jobs of a project."""

from typing import Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.presentation.jobs import job
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.queries import JobQuery, JobsQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_api.views.changes import job_after
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import jobs

_EXAMPLE: Final = examples.job("virtual_machine.create", examples.MACHINE_ID, "web-1")


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_jobs(routes)


def _serve_jobs(routes: Routes) -> None:
    @routes.add(
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
            example={"items": [_EXAMPLE], "next": None},
        )
    )
    def list_jobs(project_id: UUID) -> Response:
        resource = g.query.get("resource_id")
        found = jobs.list_jobs(database(), context(), project_id, page(), UUID(resource) if resource else None)
        return answers.page(found)

    @routes.add(
        Endpoint(
            id="get_job",
            method="GET",
            path="/projects/<id:project_id>/jobs/<id:id>",
            access=Permission.JOB_READ,
            summary="Show a job, at once or when it has ended",
            tag="Jobs",
            query=JobQuery,
            answer=Job,
            example=_EXAMPLE,
        )
    )
    def get_job(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        if g.query["wait"]:
            return answers.content(job(job_after(project_id, id, float(g.query["wait"]))))
        return answers.content(job(jobs.get_job(database(), context(), project_id, id)))
