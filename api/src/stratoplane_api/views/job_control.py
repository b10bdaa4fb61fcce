# SPDX-License-Identifier: Apache-2.0
"""Cancel, retry and end jobs; leaks of failed jobs."""

from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import OPS, TENANT
from stratoplane_api.presentation import jobs as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.jobs import Job, JobOperation, Leak, Resolution
from stratoplane_api.schemas.queries import ChangeQuery, LeaksQuery, PageQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.job import LeakFilter
from stratoplane_engine.services import job_control, leaks
from stratoplane_engine.services.job_control import RESOLVED

_JOB: Final = examples.job("virtual_machine.create", examples.MACHINE_ID, "web-1")
_STOPPING: Final = _JOB | {"cancelled_by": "user:alice", "cancel_requested_at": _JOB["created_at"]}
_RESOLVED: Final = _JOB | {
    "state": "FAILED",
    "finished_at": _JOB["steps"][0]["finished_at"],
    "error": {
        "code": RESOLVED,
        "detail": "ended by user:olga: the rack is gone for good",
        "provider_text": "",
        "leaks": ["provision"],
    },
}
_CANCEL: Final = (
    "It ends CANCELLED between two steps: a driver call that an agent executes is waited for, and what was made is"
    " undone. A job whose last step is done by then has SUCCEEDED."
)
_RETRY: Final = (
    "A job that waits for its next attempt runs now. A failed create is made again from the same specification, a"
    " failed deletion is asked for again; the answer is the new job."
)
_RESOLVE: Final = (
    "No further step runs and whoever works on it is told that it is too late. What it had made is left as it is and"
    " listed as a leak."
)


@TENANT.add(
    Endpoint(
        id="cancel_job",
        method="POST",
        path="/projects/<id:project_id>/jobs/<id:id>/cancel",
        access=Permission.RESOURCE_WRITE,
        summary="Cancel a job",
        description=_CANCEL,
        tag="Jobs",
        query=ChangeQuery,
        answer=Job,
        plan=Job,
        features=frozenset({Feature.IDEMPOTENT}),
        example=_STOPPING,
        errors=(409,),
    )
)
def cancel_job(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Cancel a job of a project."""
    return answers.content(presentation.tenants_job(job_control.cancel(database(), context(), project_id, id)))


@TENANT.add(
    Endpoint(
        id="retry_job",
        method="POST",
        path="/projects/<id:project_id>/jobs/<id:id>/retry",
        access=Permission.RESOURCE_WRITE,
        summary="Retry a job",
        description=_RETRY,
        tag="Jobs",
        query=ChangeQuery,
        answer=Job,
        plan=Job,
        features=frozenset({Feature.IDEMPOTENT}),
        example=_JOB,
        errors=(409, 410, 503),
    )
)
def retry_job(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Retry a job of a project."""
    return answers.content(
        presentation.tenants_job(job_control.retry(database(), plugins(), context(), project_id, id))
    )


@OPS.add(
    Endpoint(
        id="cancel_any_job",
        method="POST",
        path="/jobs/<id:id>/cancel",
        access=Permission.PLATFORM_WRITE,
        summary="Cancel a job of any organization",
        description=_CANCEL,
        tag="Jobs",
        answer=Job,
        example=_STOPPING,
        errors=(409,),
    )
)
def cancel_any_job(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Cancel a job of any organization."""
    return answers.content(presentation.job(job_control.cancel_any(database(), context(), id)))


@OPS.add(
    Endpoint(
        id="retry_any_job",
        method="POST",
        path="/jobs/<id:id>/retry",
        access=Permission.PLATFORM_WRITE,
        summary="Retry a job of any organization",
        description=_RETRY,
        tag="Jobs",
        answer=Job,
        example=_JOB,
        errors=(409, 410, 503),
    )
)
def retry_any_job(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Retry a job of any organization."""
    return answers.content(presentation.job(job_control.retry_any(database(), plugins(), context(), id)))


@OPS.add(
    Endpoint(
        id="resolve_job",
        method="POST",
        path="/jobs/<id:id>/resolve",
        access=Permission.PLATFORM_WRITE,
        summary="End a job immediately",
        description=_RESOLVE,
        tag="Jobs",
        body=Resolution,
        body_example={"note": "the rack is gone for good"},
        answer=Job,
        example=_RESOLVED,
        errors=(409,),
    )
)
def resolve_job(id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002  # the path parameter's public name
    """End a job immediately."""
    return answers.content(presentation.job(job_control.resolve(database(), context(), id, note=body["note"])))


@OPS.add(
    Endpoint(
        id="list_job_operations",
        method="GET",
        path="/jobs/<id:id>/operations",
        access=Permission.PLATFORM_READ,
        summary="List the driver calls of a job, oldest first",
        tag="Jobs",
        query=PageQuery,
        answer=list_of(JobOperation),
        features=frozenset({Feature.PAGED}),
        example={"items": [examples.JOB_OPERATION], "next": None},
    )
)
def list_job_operations(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """List the driver calls of a job."""
    found = job_control.list_operations(database(), context(), id, page())
    return answers.page_of(found, presentation.operation)


@OPS.add(
    Endpoint(
        id="list_leaks",
        method="GET",
        path="/leaks",
        access=Permission.PLATFORM_READ,
        summary="List leaks: objects that failed jobs may have left at providers, newest first",
        tag="Leaks",
        query=LeaksQuery,
        answer=list_of(Leak),
        features=frozenset({Feature.PAGED}),
        example={"items": [examples.LEAK], "next": None},
    )
)
def list_leaks() -> Response:
    """List leaks, a page at a time."""
    shown = LeakFilter.OPEN if g.query["open"] else LeakFilter.ALL
    return answers.page_of(leaks.list_leaks(database(), context(), page(), shown), presentation.leak)


@OPS.add(
    Endpoint(
        id="resolve_leak",
        method="POST",
        path="/leaks/<id:id>/resolve",
        access=Permission.PLATFORM_WRITE,
        summary="Resolve a leak after checking the provider",
        tag="Leaks",
        body=Resolution,
        body_example={"note": "deleted manually at the provider"},
        answer=Leak,
        example=examples.LEAK | {"resolved_by": "user:operator", "note": "deleted manually at the provider"},
    )
)
def resolve_leak(id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002  # the path parameter's public name
    """Resolve a leak."""
    return answers.content(presentation.leak(leaks.resolve_leak(database(), context(), id, note=body["note"])))
