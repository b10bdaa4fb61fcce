# SPDX-License-Identifier: Apache-2.0
"""Jobs and audit events."""

from stratoplane.jobs import JobState, StepState
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.strict import Answer


class JobError(Answer):
    """Why a job or a step failed."""

    code = m.text("Stable name to program against.", required=True)
    detail = m.text(required=True)
    provider_text = m.text("The provider's own words, whole.", required=True)


class JobProgress(Answer):
    """How far a job is."""

    done = m.whole(required=True)
    total = m.whole(required=True)
    step = m.text("The step under way.", required=True, allow_none=True)


class JobStep(Answer):
    """One step of a job."""

    name = m.text(required=True)
    state = m.choice(StepState, required=True)
    attempts = m.whole(required=True)
    started_at = m.moment("When its first attempt began.", required=True, allow_none=True)
    finished_at = m.moment("When it ended.", required=True, allow_none=True)
    error = m.one(JobError, required=True, allow_none=True)


class Job(Answer):
    """A workflow that a change caused."""

    id = m.identifier(required=True)
    kind = m.text("As in `virtual_machine.create`.", required=True)
    state = m.choice(JobState, required=True)
    resource_id = m.identifier(required=True)
    resource_kind = m.text(required=True)
    resource_name = m.text(required=True)
    project_id = m.identifier(required=True)
    organization_id = m.identifier(required=True)
    progress = m.one(JobProgress, required=True)
    steps = m.several(JobStep, required=True)
    attempts = m.whole(required=True)
    error = m.one(JobError, required=True, allow_none=True)
    output = m.mapping("What the job found, as `text` of a console log.", required=True)
    created_at = m.moment("When it was accepted.", required=True)
    started_at = m.moment("When work on it began.", required=True, allow_none=True)
    finished_at = m.moment("When it ended.", required=True, allow_none=True)
    deadline_at = m.moment("When it is given up, at the latest.", required=True, allow_none=True)
    created_by = m.text("As in `user:alice`.", required=True)
    request_id = m.text("Names the request that caused it.", required=True)
    trace_id = m.text(required=True)


class AuditEvent(Answer):
    """One entry of the audit trail."""

    id = m.identifier(required=True)
    action = m.text("`source:subject:action`.", required=True)
    outcome = m.text(required=True)
    actor = m.text(required=True)
    organization_id = m.identifier(required=True, allow_none=True)
    project_id = m.identifier(required=True, allow_none=True)
    subject_id = m.identifier(required=True, allow_none=True)
    subject_name = m.text(required=True)
    request_id = m.text(required=True)
    trace_id = m.text(required=True)
    detail = m.mapping(required=True)
    occurred_at = m.moment("When it happened.", required=True)
