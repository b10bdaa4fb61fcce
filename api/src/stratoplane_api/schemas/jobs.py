# SPDX-License-Identifier: Apache-2.0
"""Jobs and audit events."""

from stratoplane.jobs import JobState, StepState
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.strict import Answer, Request
from stratoplane_engine.model.job import OperationState


class StepError(Answer):
    """Why a step failed."""

    code = m.text("Stable name of the problem, for programs to decide by.", required=True)
    detail = m.text(required=True)
    provider_text = m.text("The provider's own message, complete and unchanged; for operators only.", required=True)


class JobError(StepError):
    """Why a job failed, where, and what it could not undo; of a RETRYING one, why its last attempt failed."""

    step = m.text("Name of the step that failed.")
    leaks = m.strings((), "Steps that could not be undone; each is in the leak register.")


class JobProgress(Answer):
    """How far a job is."""

    done = m.whole(required=True)
    total = m.whole(required=True)
    step = m.text("Name of the step that is running.", required=True, allow_none=True)


class JobStep(Answer):
    """One step of a job."""

    name = m.text(required=True)
    state = m.choice(StepState, required=True)
    attempts = m.whole(required=True)
    started_at = m.timestamp("When the first attempt of the step began.", required=True, allow_none=True)
    finished_at = m.timestamp("When it ended; null until then.", required=True, allow_none=True)
    waits_for = m.text("What the job waits for at this step, for people; empty while it is worked on.", required=True)
    error = m.one(StepError, required=True, allow_none=True)


class Job(Answer):
    """A workflow that a change caused."""

    id = m.identifier(required=True)
    kind = m.text(
        "The kind of resource and what was asked for, as in `virtual_machine.create`, `virtual_machine.stop` or"
        " `volume.resize`; `update` if that was several things at once, `correct` if the platform corrects drift.",
        required=True,
    )
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
    cancelled_by = m.text("Who asked to cancel the job, as in `user:alice`.", required=True)
    error = m.one(JobError, required=True, allow_none=True)
    output = m.mapping("What the job found, such as the `text` of a console log.", required=True)
    created_at = m.timestamp("When the job was accepted.", required=True)
    started_at = m.timestamp("When the first step of the job began.", required=True, allow_none=True)
    finished_at = m.timestamp("When it ended; null until then.", required=True, allow_none=True)
    deadline_at = m.timestamp("When it is given up, at the latest.", required=True, allow_none=True)
    next_run_at = m.timestamp(
        "When the job continues, while it waits for a point in time.", required=True, allow_none=True
    )
    cancel_requested_at = m.timestamp("When somebody asked to cancel the job.", required=True, allow_none=True)
    created_by = m.text("Who asked for it, as in `user:alice`.", required=True)
    request_id = m.text("Id of the request that caused it, as in `X-Request-Id`.", required=True)
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
    provider_text = m.text("The provider's own message, complete and unchanged; for operators only.", required=True)
    provider_reference = m.text("The provider's own id of the object, where the driver told it.", required=True)
    created_at = m.timestamp("When the driver call was queued.", required=True)
    acknowledged_at = m.timestamp(
        "When the agent acknowledged the driver call; null until then.", required=True, allow_none=True
    )
    finished_at = m.timestamp("When it ended; null until then.", required=True, allow_none=True)
    deadline_at = m.timestamp("When the driver call is given up if it has no result by then.", required=True)


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
    step = m.text("Name of the step that could not be undone.", required=True)
    detail = m.text(required=True)
    found_at = m.timestamp("When the job that left the object behind ended.", required=True)
    resolved_at = m.timestamp("When an operator or the reconciler resolved it.", required=True, allow_none=True)
    resolved_by = m.text(required=True)
    note = m.text(required=True)


class Resolution(Request):
    """Why somebody ends or closes something, for the record."""

    note = m.text("A note for other people: why it is done.", 1000, shortest=1, required=True)


class AuditEvent(Answer):
    """One entry of the audit trail."""

    id = m.identifier(required=True)
    action = m.text("What was done, in the form `source:subject:action`.", required=True)
    outcome = m.text(required=True)
    actor = m.text(required=True)
    organization_id = m.identifier(required=True, allow_none=True)
    project_id = m.identifier(required=True, allow_none=True)
    subject_id = m.identifier(required=True, allow_none=True)
    subject_name = m.text(required=True)
    request_id = m.text(required=True)
    trace_id = m.text(required=True)
    detail = m.mapping(required=True)
    occurred_at = m.timestamp("When the event happened.", required=True)


class AuditCheckpoint(Answer):
    """A signed statement about the beginning of the audit trail."""

    size = m.whole("How many audit events the checkpoint covers.", required=True)
    root = m.text("Root hash of the Merkle tree over those events (RFC 6962), in hexadecimal digits.", required=True)
    sealed_at = m.timestamp("When the checkpoint was signed.", required=True)
    note = m.text("The signed note, to be kept elsewhere: a checkpoint as of c2sp.org/tlog-checkpoint.", required=True)
