# SPDX-License-Identifier: Apache-2.0
"""The answer to an accepted change, at once or, as ``Prefer: wait`` asks, when its job has ended."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from flask import Response

from stratoplane.errors import ResourceDeletedError
from stratoplane.resources import ResourceStatus
from stratoplane_api import answers, prefer
from stratoplane_api.gateway import context, database, dry_run, gateway, preferred_wait
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.services import jobs, resources

_JOBS: Final = "/api/tenant/v1/projects/{project}/jobs"


def answer_change(kind: str, project_id: UUID, outcome: Accepted) -> Response:
    """Return the answer to a change of a resource of ``kind``."""
    if dry_run():
        return answers.planned(kind, outcome)
    seconds = preferred_wait()
    held = outcome.job is not None and seconds > 0
    if outcome.job is not None and held:
        job = job_after(project_id, UUID(str(outcome.job["id"])), seconds)
        outcome = replace(outcome, job=job, resource=_as_it_is_now(kind, project_id, outcome.resource))
    response = answers.accepted(kind, outcome, _JOBS.format(project=project_id))
    if held:
        response.headers[prefer.APPLIED_HEADER] = f"wait={seconds:.0f}"
    return response


def _as_it_is_now(kind: str, project_id: UUID, accepted: Mapping[str, object]) -> Mapping[str, object]:
    """Return the resource after the wait; one that is gone by now is shown as it was, with that status."""
    try:
        return resources.get(database(), context(), project_id, kind, UUID(str(accepted["id"])))
    except ResourceDeletedError:
        return {**accepted, "status": ResourceStatus.DELETED.value}


def job_after(project_id: UUID, job_id: UUID, seconds: float) -> dict[str, Any]:
    """Return the job when it has ended, as it is after ``seconds``, or at once while too many requests are held."""
    with gateway().wait_slots.take() as taken:
        return jobs.wait_for_job(database(), context(), project_id, job_id, seconds=seconds if taken else 0.0)
