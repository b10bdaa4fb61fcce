# SPDX-License-Identifier: Apache-2.0
"""Moving jobs on: a pure function from a claimed job to what becomes of it.

The claim brought everything that steps may look at; what comes out is persisted in one transaction, fenced by the
claim's epoch. Nothing in between touches the world, so a crash costs a lease.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stratoplane.errors import JobCancelledError, NotFoundError, PermanentError, StratoplaneError
from stratoplane.ids import new_id
from stratoplane.jobs import Dispatch, Done, JobState, RetryPolicy, Step, StepAnswer, StepState, Wait
from stratoplane.messages import Outcome
from stratoplane.resources import ResourceStatus
from stratoplane_engine.jobs.attempts import Failure, permanent, raised, reported
from stratoplane_engine.jobs.claims import ClaimedJob, notes_of
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.model.job import (
    Attempt,
    ClaimedOperation,
    JobError,
    JobStep,
    OperationDraft,
    OperationState,
    StepError,
)
from stratoplane_engine.model.job import StepNotes as Notes
from stratoplane_engine.workflows.catalogue import WORKFLOWS
from stratoplane_engine.workflows.context import ResourceOutcome, StepContext, Workflow

_log: Final = logging.getLogger(__name__)
RETRY: Final = RetryPolicy()
QUARANTINED: Final = "quarantined"


def _lost(_context: StepContext, why: str = "") -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.FAILED, detail=why)


# Stands in for the workflow of a job that an older or newer version has made.
_UNKNOWN: Final = Workflow(name="unknown", steps=(), settle=_lost, fail=_lost)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobUpdate:
    """What becomes of a claimed job.

    Attributes:
        next_run_in: seconds until a worker looks again; None while an agent has it, or at the end.
        steps: those that were touched, as they are now.
        operation: the driver call to offer.
        outcome: what the end makes of the resource.
    """

    job: ClaimedJob
    state: JobState
    position: int
    undoing: bool
    attempts: int
    next_run_in: float | None = None
    error: JobError | None = None
    steps: tuple[JobStep, ...] = ()
    operation: OperationDraft | None = None
    outcome: ResourceOutcome | None = None


@dataclass(slots=True)
class _JobRun:
    """The job while it is moved: what will be persisted."""

    job: ClaimedJob
    workflow: Workflow
    position: int
    undoing: bool
    error: JobError | None
    generator: random.Random
    steps: dict[int, JobStep] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, object]] = field(default_factory=dict)
    # What the agent reported for the step at the position, until it is used.
    attempt: Attempt | None = None

    def context(self) -> StepContext:
        token = self.job.context.token if self.position == self.job.position else {}
        return replace(self.job.context, outputs=self.outputs, token=token)

    def notes(self) -> Notes:
        """Return what was noted with the step at the position when the job was claimed."""
        return notes_of(self.job.steps, self.position)

    def step(self) -> Step[StepContext]:
        return self.workflow.steps[self.position]

    def recorded(self) -> JobStep:
        return self.steps.get(self.position) or self.job.steps[self.position]

    def record(
        self, state: StepState, *, output: Mapping[str, object], error: StepError | None = None, again: int = 0
    ) -> None:
        before = self.recorded()
        error = None if state is StepState.DONE else error or before.error
        attempts = before.attempts + again
        self.steps[self.position] = replace(before, state=state, output=output, error=error, attempts=attempts)

    def is_uncertain(self) -> bool:
        """Tell whether any attempt at the step may have taken effect; a later one without effect does not change it."""
        return self.notes().uncertain


def advance(job: ClaimedJob, generator: random.Random, workflows: Mapping[str, Workflow] = WORKFLOWS) -> JobUpdate:
    """Return what becomes of ``job`` now: as many steps as need neither time nor an agent, then the rest.

    ``generator`` supplies the jitter of retries.
    """
    run = _JobRun(
        job=job,
        workflow=workflows[job.kind].with_steps([step.name for step in job.steps]),
        position=job.position,
        undoing=job.undoing,
        error=job.error,
        generator=generator,
        outputs=dict(job.context.outputs),
    )
    operation = job.operation
    if operation is not None and operation.position == job.position:
        if operation.result is None:
            return _update(run, JobState.RUNNING)
        run.attempt = None if _is_used(run, operation) else operation.result
    while True:
        update = _undo_one(run) if run.undoing else _run_one(run)
        if update is not None:
            return update


def _is_used(run: _JobRun, operation: ClaimedOperation) -> bool:
    """Tell whether the result was acted on before: only a step that is running waits for one, and for each once."""
    return run.recorded().state is not StepState.RUNNING or run.notes().used == operation.id


def _run_one(run: _JobRun) -> JobUpdate | None:
    """Run the step at the position; None when the next one may follow at once."""
    if run.position == len(run.workflow.steps):
        return _end(run, JobState.SUCCEEDED, lambda: run.workflow.settle(run.context()))
    by_agent = run.attempt is not None
    if not by_agent and _may_stop(run, uncertain=run.is_uncertain()):
        _turn_back(run, _stopped(run), begun=run.is_uncertain())
        return None
    answer = _attempt(run, run.step().run, may_begin=not run.job.overdue)
    if isinstance(answer, Failure):
        if not answer.is_final:
            return _again(run, answer, by_agent=by_agent)
        _turn_back(run, answer.error, begun=by_agent or run.is_uncertain())
        return None
    if isinstance(answer, Done):
        run.record(StepState.DONE, output=answer.output, again=0 if by_agent else 1)
        run.outputs[run.step().name] = answer.output
        run.attempt = None
        run.position += 1
        return None
    return _hold(run, answer)


def _may_stop(run: _JobRun, *, uncertain: bool) -> bool:
    """Tell whether somebody wants the job stopped and it still can be: what may have begun must be undoable.

    Before a deletion it need not be: that removes whatever a change may have done.
    """
    return bool(run.job.cancelled_by) and (not uncertain or run.step().undo is not None or _is_pointless(run.job))


def _is_pointless(job: ClaimedJob) -> bool:
    is_deletion = job.kind.endswith(".delete")
    return job.context.resource.status is ResourceStatus.DELETING and not is_deletion


def _stopped(run: _JobRun) -> StepError:
    detail = f"stopped by {run.job.cancelled_by}; what was made has been undone"
    return StepError(code=JobCancelledError.code, detail=detail, own=True)


def _attempt(
    run: _JobRun, call: Callable[[StepContext], StepAnswer], *, may_begin: bool = True
) -> StepAnswer | Failure:
    """Use what the agent reported, even where it came late; or call the step, unless the job's deadline has passed."""
    if run.attempt is not None:
        return reported(run.attempt, run.notes().generation)
    if not may_begin:
        return permanent("the job's deadline has passed; what it had made was undone")
    try:
        return call(run.context())
    except StratoplaneError as error:
        return raised(error)
    except Exception as error:  # noqa: BLE001  # a broken step ends its own job, not the worker's batch
        doing = "undoing" if run.undoing else "step"
        _log.exception("%s %s of job %s broke", doing, run.step().name, run.job.id)
        return permanent(f"{doing} {run.step().name} broke ({type(error).__name__}); tell an operator")


def _undo_one(run: _JobRun) -> JobUpdate | None:
    """Undo the step at the position; None when the one before may follow at once."""
    if run.position < 0:
        return _end_undone(run)
    undo = run.step().undo
    if undo is None and run.attempt is None:
        run.position -= 1
        return None
    answer = _attempt(run, undo or _nothing_to_undo)
    if isinstance(answer, Wait | Dispatch):
        return _hold(run, answer)
    if isinstance(answer, Done) or (answer.is_final and answer.error.code == NotFoundError.code):
        _undone(run)  # what is not there needs no undoing
    elif not answer.is_final and run.recorded().attempts < 2 * RETRY.attempts:
        return _later(run, answer, by_agent=run.attempt is not None)
    else:
        _leak(run, answer.error)
    return None


def _nothing_to_undo(_context: StepContext) -> StepAnswer:
    return Done()


def _undone(run: _JobRun) -> None:
    run.record(StepState.UNDONE, output={})
    run.attempt = None
    run.position -= 1


def _end_undone(run: _JobRun) -> JobUpdate:
    error = run.error or JobError(code="", detail="")
    stopped = error.code == JobCancelledError.code
    settle = (run.workflow.cancel if stopped else None) or run.workflow.fail
    state = JobState.CANCELLED if stopped else JobState.FAILED
    return _end(run, state, lambda: settle(run.context(), for_tenants(error).detail))


def _again(run: _JobRun, failure: Failure, *, by_agent: bool) -> JobUpdate | None:
    uncertain = failure.is_uncertain or run.is_uncertain()
    made = run.recorded().attempts + (0 if by_agent else 1)
    if _may_stop(run, uncertain=uncertain):
        _turn_back(run, _stopped(run), begun=uncertain)
        return None
    if made < RETRY.attempts and not run.job.overdue:
        return _later(run, failure, by_agent=by_agent)
    _turn_back(run, failure.error, begun=uncertain)
    return None


def _later(run: _JobRun, failure: Failure, *, by_agent: bool) -> JobUpdate:
    """Come back after a back-off; the step's error is kept for people."""
    notes = run.notes()
    used = run.job.operation.id if by_agent and run.job.operation else notes.used
    notes = replace(notes, used=used, uncertain=failure.is_uncertain or notes.uncertain)
    run.record(StepState.RUNNING, error=failure.error, output=notes.members(), again=0 if by_agent else 1)
    # After the deadline only the undoing is left, and whoever waits for it does not wait for a provider's wishes.
    wish = None if run.job.overdue else failure.retry_after
    delay = RETRY.delay(max(1, run.recorded().attempts), wish, run.generator)
    _log.info("job %s repeats its step %d in %.1f s: %s", run.job.id, run.position, delay, failure.error.detail)
    return _update(run, JobState.RETRYING, next_run_in=delay)


def _turn_back(run: _JobRun, error: StepError, *, begun: bool) -> None:
    """Stop going forward: what was done is undone, the failing step too if it may have begun."""
    run.error = error.of_job(run.step().name)
    run.record(StepState.FAILED, output=run.notes().members(), error=error)
    run.undoing = True
    run.attempt = None
    run.position -= 0 if begun else 1


def _leak(run: _JobRun, error: StepError) -> None:
    """Go on without undoing the step: what it made may be left at the provider, and the job says so."""
    name, failed = run.step().name, run.error or error.of_job()
    run.error = replace(failed, leaks=(*(failed.leaks or ()), name))
    run.record(StepState.FAILED, output=run.notes().members(), error=error)
    _log.warning("job %s could not undo step %s: %s", run.job.id, name, error.detail)
    run.attempt = None
    run.position -= 1


def _hold(run: _JobRun, answer: Wait | Dispatch) -> JobUpdate:
    if isinstance(answer, Wait):
        waiting = replace(run.notes(), reason=answer.reason, token=answer.token)
        run.record(StepState.RUNNING, output=waiting.members())
        return _update(run, JobState.RUNNING, next_run_in=answer.seconds)
    resource = run.job.context.resource
    noted = replace(run.notes(), generation=resource.generation)
    run.record(StepState.RUNNING, again=1, output=noted.members())
    operation = OperationDraft(
        id=new_id(),
        organization_id=resource.organization_id,
        job_id=run.job.id,
        position=run.position,
        cluster_id=resource.cluster_id,
        resource_id=resource.id,
        kind=resource.kind,
        verb=answer.verb,
        spec=answer.spec,
        observe_first=run.is_uncertain(),
        timeout_seconds=run.step().timeout,
        priority=run.job.priority,
        trace_parent=run.job.trace_parent,
    )
    return _update(run, JobState.RUNNING, operation=operation)


def _end(run: _JobRun, state: JobState, make: Callable[[], ResourceOutcome]) -> JobUpdate:
    try:
        outcome = make()
    except Exception as error:  # noqa: BLE001  # what an agent reported may be of any shape
        _log.exception("the end of job %s broke", run.job.id)
        detail = f"the end of the job broke ({type(error).__name__}); tell an operator"
        run.error = run.error or JobError(code=PermanentError.code, detail=detail, own=True)
        state, outcome = JobState.FAILED, _failure_outcome(run.workflow, run.context(), detail)
    return _update(run, state, outcome=outcome)


def _failure_outcome(
    workflow: Workflow,
    context: StepContext,
    detail: str,
    settle: Callable[[StepContext, str], ResourceOutcome] | None = None,
) -> ResourceOutcome:
    try:
        return (settle or workflow.fail)(context, detail)
    except Exception:  # noqa: BLE001  # as in _end
        _log.exception("the failure of job %s broke", context.job_id)
        return ResourceOutcome(status=ResourceStatus.FAILED, detail=detail)


def quarantine(job: ClaimedJob, workflows: Mapping[str, Workflow] = WORKFLOWS) -> JobUpdate:
    """Return the end of a job that none of its workers survived."""
    detail = "several workers died in a row while they moved this job; tell an operator"
    return give_up(job, code=QUARANTINED, detail=detail, workflows=workflows)


def give_up(job: ClaimedJob, *, code: str, detail: str, workflows: Mapping[str, Workflow] = WORKFLOWS) -> JobUpdate:
    """Return the end of a job where it stands: no step runs, and what was made is left as it is and listed as leaks.

    ``code`` and ``detail`` become the job's error.
    """
    workflow = workflows.get(job.kind, _UNKNOWN)
    begun = {step.name for step in job.steps if step.state is not StepState.PENDING}
    leaks = tuple(step.name for step in workflow.steps if step.undo is not None and step.name in begun)
    run = _JobRun(
        job=job,
        workflow=workflow,
        position=job.position,
        undoing=job.undoing,
        error=JobError(code=code, detail=detail, leaks=leaks, own=True),
        generator=random.Random(0),  # noqa: S311  # nothing is drawn
    )
    _log.error("job %s (%s) is given up: %s", job.id, job.kind, detail)
    untouched = None if _may_have_begun(run) else workflow.cancel
    return _end(run, JobState.FAILED, lambda: _failure_outcome(workflow, job.context, detail, untouched))


def _may_have_begun(run: _JobRun) -> bool:
    """Tell whether the provider may have done something for the job."""
    operation = run.job.operation
    if operation is None:
        return False
    if run.is_uncertain() or any(step.state is StepState.DONE for step in run.job.steps):
        return True
    if operation.result is None:
        return operation.state not in {OperationState.QUEUED, OperationState.OFFERED}
    return operation.result.outcome is not Outcome.TRANSIENT


def _update(
    run: _JobRun,
    state: JobState,
    *,
    next_run_in: float | None = None,
    operation: OperationDraft | None = None,
    outcome: ResourceOutcome | None = None,
) -> JobUpdate:
    return JobUpdate(
        job=run.job,
        state=state,
        position=run.position,
        undoing=run.undoing,
        attempts=max([run.job.attempts, *(step.attempts for step in run.steps.values())]),
        error=run.error if state is not JobState.SUCCEEDED else None,
        steps=tuple(run.steps.values()),
        next_run_in=next_run_in,
        operation=operation,
        outcome=outcome,
    )
