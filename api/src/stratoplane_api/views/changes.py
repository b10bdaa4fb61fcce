# SPDX-License-Identifier: Apache-2.0
"""The answer to an accepted change, at once or, as ``Prefer: wait`` asks, when its job has ended."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from flask import Response

from stratoplane.errors import ResourceDeletedError
from stratoplane.jobs import TERMINAL
from stratoplane.kinds import Spec
from stratoplane.resources import ResourceStatus
from stratoplane_api import answers, prefer
from stratoplane_api.gateway import context, database, dry_run, gateway, preferred_wait
from stratoplane_api.views.kinds import KindRoutes
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.job import Job
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.services import jobs
from stratoplane_engine.services.resources import get_resource

_JOBS: Final = "/api/tenant/v1/projects/{project}/jobs"


def answer_change(routes: KindRoutes, project_id: UUID, outcome: ChangeResult) -> Response:
    """Return the answer to a change of a resource."""
    if dry_run():
        return answers.planned(routes.name, routes.present(outcome.resource), outcome.plan)
    seconds = preferred_wait()
    held = False
    if outcome.job is not None and seconds > 0:
        job, held = job_after(project_id, outcome.job.id, seconds)
        outcome = replace(outcome, job=job, resource=_as_it_is_now(routes, outcome.resource))
    shown = routes.present(outcome.resource)
    response = answers.accepted(routes.name, shown, outcome, _JOBS.format(project=project_id))
    if held:
        response.headers[prefer.APPLIED_HEADER] = f"wait={seconds:.0f}"
    return response


def _as_it_is_now(routes: KindRoutes, accepted: Resource[Spec]) -> Resource[Spec]:
    """Return the resource after the wait; one that is gone by now is shown as it was, with that status."""
    try:
        return get_resource(database(), context(), accepted.project_id, routes.kind, accepted.id)
    except ResourceDeletedError:
        return replace(accepted, status=ResourceStatus.DELETED)


def job_after(project_id: UUID, job_id: UUID, seconds: float) -> tuple[Job, bool]:
    """Return the job when it has ended, as it is after ``seconds``, or at once while too many requests are held.

    A process that is about to stop holds none any longer. The second value tells whether the request was held as long
    as was asked, or needed no holding.
    """
    draining = gateway().draining
    with gateway().wait_slots.take() as taken:
        held = seconds if taken else 0.0
        job = jobs.wait_for_job(database(), context(), project_id, job_id, seconds=held, pause=draining.wait)
    return job, taken and (job.state in TERMINAL or not draining.begun)
