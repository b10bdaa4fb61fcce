# SPDX-License-Identifier: Apache-2.0
"""Jobs of a project, and what a machine can be asked beside a change: each is a job too."""

from typing import Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import compute, examples
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.queries import ChangeQuery, JobQuery, JobsQuery
from stratoplane_api.schemas.resources import accepted, planned
from stratoplane_api.schemas.strict import list_of
from stratoplane_api.views.changes import answer_change, job_after
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import jobs, resources

_MACHINE: Final = "virtual_machine"
_EXAMPLE: Final = examples.job("virtual_machine.create", examples.MACHINE_ID, "web-1")


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_jobs(routes)
    _serve_action(routes, "reboot", "reboots", "reboot_virtual_machine", "Restart a running virtual machine")
    _serve_action(
        routes,
        "read_console",
        "console-logs",
        "read_virtual_machine_console",
        "Read what a virtual machine wrote to its serial console",
    )


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
            return answers.content(job_after(project_id, id, float(g.query["wait"])))
        return answers.content(jobs.get_job(database(), context(), project_id, id))


def _serve_action(routes: Routes, action: str, path: str, operation_id: str, summary: str) -> None:
    permission = Permission.CONSOLE_READ if action == "read_console" else Permission.RESOURCE_WRITE

    @routes.add(
        Endpoint(
            id=operation_id,
            method="POST",
            path=f"/projects/<id:project_id>/virtual-machines/<id:id>/{path}",
            access=permission,
            summary=summary,
            description="`output.text` of the job holds the console's text." if action == "read_console" else "",
            tag="Virtual machines",
            query=ChangeQuery,
            success=202,
            answer=accepted(_MACHINE, compute.VirtualMachine),
            plan=planned(_MACHINE, compute.VirtualMachine),
            features=frozenset({Feature.IDEMPOTENT, Feature.DEFERRED}),
            example={
                _MACHINE: examples.VIRTUAL_MACHINE,
                "job": examples.job(f"{_MACHINE}.{action}", examples.MACHINE_ID, "web-1"),
            },
            errors=(409, 410),
        )
    )
    def act(project_id: UUID, id: UUID) -> Response:  # noqa: A002
        return answer_change(_MACHINE, project_id, resources.act(database(), context(), project_id, id, action))
