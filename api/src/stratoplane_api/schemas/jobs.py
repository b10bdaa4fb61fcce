# SPDX-License-Identifier: Apache-2.0
"""Jobs and audit events."""

from stratoplane.jobs import JobState, StepState
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.strict import Answer, Request
from stratoplane_engine.model.job import OperationState


class StepError(Answer):
    """Why a step failed."""

    code = m.text("Stable name to program against.", required=True)
    detail = m.text(required=True)
    provider_text = m.text("The provider's own words, whole.", required=True)


class JobError(StepError):
    """Why a job failed, where, and what it could not undo."""

    step = m.text("The step that failed.")
    leaks = m.words((), "Steps that could not be undone; each is in the leak register.")


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
    waits_for = m.text("What it is waiting for, for people.", required=True)
    error = m.one(StepError, required=True, allow_none=True)


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
    priority = m.whole("Higher ones go first within an organization.", required=True)
    cancelled_by = m.text("Who wants it stopped, as in `user:alice`.", required=True)
    error = m.one(JobError, required=True, allow_none=True)
    output = m.mapping("What the job found, as `text` of a console log.", required=True)
    created_at = m.moment("When it was accepted.", required=True)
    started_at = m.moment("When work on it began.", required=True, allow_none=True)
    finished_at = m.moment("When it ended.", required=True, allow_none=True)
    deadline_at = m.moment("When it is given up, at the latest.", required=True, allow_none=True)
    next_run_at = m.moment("When it is looked at next, while it waits for a time.", required=True, allow_none=True)
    cancel_requested_at = m.moment("When somebody asked that it stops.", required=True, allow_none=True)
    created_by = m.text("As in `user:alice`.", required=True)
    request_id = m.text("Names the request that caused it.", required=True)
    trace_id = m.text(required=True)


class JobOperation(Answer):
    """One driver call of a job: where it ran, by whom, and what the provider said."""

    id = m.identifier(required=True)
    step = m.text(required=True)
    verb = m.text(required=True)
    state = m.choice(OperationState, required=True)
    epoch = m.whole("Grows with every offer; an answer at an older one counts for nothing.", required=True)
    observe_first = m.flag("Whether an earlier attempt may have taken effect.", required=True)
    cluster = m.text(required=True)
    agent = m.text(required=True)
    outcome = m.text("`done`, `transient`, `uncertain` or `permanent`; empty while there is none.", required=True)
    code = m.text(required=True)
    detail = m.text(required=True)
    provider_text = m.text("The provider's own words, whole.", required=True)
    created_at = m.moment("When it was queued.", required=True)
    acknowledged_at = m.moment("When the agent took it.", required=True, allow_none=True)
    finished_at = m.moment("When it ended.", required=True, allow_none=True)
    deadline_at = m.moment("When it is given up.", required=True)


class Leak(Answer):
    """What a failed job could not undo and may have left at a provider."""

    id = m.identifier(required=True)
    organization_id = m.identifier(required=True)
    project_id = m.identifier(required=True)
    resource_id = m.identifier(required=True)
    kind = m.text(required=True)
    name = m.text(required=True)
    cluster = m.text(required=True)
    job_id = m.identifier(required=True)
    step = m.text("The step that could not be undone.", required=True)
    detail = m.text(required=True)
    found_at = m.moment("When the job ended.", required=True)
    resolved_at = m.moment("When an operator or the reconciler resolved it.", required=True, allow_none=True)
    resolved_by = m.text(required=True)
    note = m.text(required=True)


class Resolution(Request):
    """Why somebody ends or closes something, for the record."""

    note = m.text("For people.", 1000, shortest=1, required=True)


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


class AuditCheckpoint(Answer):
    """A signed statement about the beginning of the audit trail."""

    size = m.whole("How many events it covers.", required=True)
    root = m.text("Their hash by RFC 6962, hexadecimal.", required=True)
    sealed_at = m.moment("When it was signed.", required=True)
    note = m.text("The signed note, to be kept elsewhere: a checkpoint as of c2sp.org/tlog-checkpoint.", required=True)
