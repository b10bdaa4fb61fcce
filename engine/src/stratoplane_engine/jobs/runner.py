# SPDX-License-Identifier: Apache-2.0
"""Moving jobs on: a pure function from a claimed job to its verdict.

The claim brought everything that steps may look at; what comes out is persisted in one
transaction, fenced by the claim's epoch. Nothing in between touches the world, so a crash costs a lease.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stratoplane.errors import (
    JobCancelledError,
    NotFoundError,
    PermanentError,
    StratoplaneError,
    TransientError,
    UncertainError,
)
from stratoplane.ids import new_id
from stratoplane.jobs import Dispatch, Done, JobState, RetryPolicy, Step, StepAnswer, StepState, Wait
from stratoplane.messages import Outcome
from stratoplane.resources import ResourceStatus
from stratoplane_engine.jobs.claims import ClaimedJob, notes_of
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
class Verdict:
    """What became of a claimed job.

    Attributes:
        next_run_in: seconds until a worker looks again; None while an agent has it, or at the end.
        steps: what became of the steps that were touched, as rows.
        operation: the driver call to offer, as a row.
        settlement: what the end makes of the resource.
    """

    job: ClaimedJob
    state: JobState
    position: int
    undoing: bool
    attempts: int
    next_run_in: float | None = None
    error: Mapping[str, Any] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    operation: Mapping[str, Any] | None = None
    settlement: ResourceOutcome | None = None


@dataclass(slots=True)
class _Course:
    """The job while it is moved: what will be written back."""

    job: ClaimedJob
    workflow: Workflow
    position: int
    undoing: bool
    error: Mapping[str, Any] | None
    generator: random.Random
    steps: dict[int, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    # The agent's answer to the step at the position, until it is used.
    answer: Mapping[str, Any] | None = None

    def context(self) -> StepContext:
        token = self.job.context.token if self.position == self.job.position else {}
        return replace(self.job.context, outputs=self.outputs, token=token)

    def notes(self) -> Mapping[str, Any]:
        """Return what was noted with the step at the position: operation, generation, whether it is uncertain."""
        return notes_of(self.job.steps, self.position)

    def record(self, state: StepState, *, output: Mapping[str, Any], error: Any = None, again: int = 0) -> None:
        before = self.steps.get(self.position) or self.job.steps[self.position]
        self.steps[self.position] = {
            "job_id": self.job.id,
            "position": self.position,
            "name": before["name"],
            "state": state.value,
            "attempts": before["attempts"] + again,
            "output": output,
            "error": None if state is StepState.DONE else error or before.get("error"),
        }

    def attempts(self) -> int:
        step = self.steps.get(self.position) or self.job.steps[self.position]
        made: int = step["attempts"]
        return made


def advance(job: ClaimedJob, generator: random.Random, workflows: Mapping[str, Workflow] = WORKFLOWS) -> Verdict:
    """Return what becomes of ``job`` now: as many steps as need neither time nor an agent, then the rest.

    ``generator`` supplies the jitter of retries.
    """
    course = _Course(
        job=job,
        workflow=workflows[job.kind],
        position=job.position,
        undoing=job.undoing,
        error=job.error,
        generator=generator,
        outputs=dict(job.context.outputs),
    )
    operation = job.operation
    if operation is not None and operation["position"] == job.position:
        if operation["result"] is None:
            return _verdict(course, JobState.RUNNING)
        course.answer = None if _is_used(course, operation) else operation["result"]
    while True:
        verdict = _undo_one(course) if course.undoing else _run_one(course)
        if verdict is not None:
            return verdict


def _is_used(course: _Course, operation: Mapping[str, Any]) -> bool:
    """Tell whether the operation's result was acted on before: only a step at work waits for one, and for each once."""
    at_work = course.job.steps[course.position]["state"] == StepState.RUNNING
    return not at_work or bool(course.notes().get("used") == operation["id"])


def _run_one(course: _Course) -> Verdict | None:
    """Run the step at the position; None when the next one may follow at once."""
    if course.position == len(course.workflow.steps):
        return _end(course, JobState.SUCCEEDED, lambda: course.workflow.settle(course.context()))
    step, by_agent = course.workflow.steps[course.position], course.answer is not None
    if not by_agent and _may_stop(course):
        _turn_back(course, _stopped(course), begun=_is_uncertain(course))
        return None
    try:
        answer = _answered(course) if by_agent else _attempt(course, step)
    except (TransientError, UncertainError) as error:
        return _again(course, error, by_agent=by_agent)
    except StratoplaneError as error:
        _turn_back(course, error, begun=by_agent or _is_uncertain(course))
        return None
    except Exception as error:  # noqa: BLE001  # a broken step ends its own job, not the worker's batch
        _log.exception("step %s of job %s broke", step.name, course.job.id)
        broken = PermanentError(f"step {step.name} broke ({type(error).__name__}); tell an operator")
        _turn_back(course, broken, begun=_is_uncertain(course))
        return None
    if isinstance(answer, Done):
        course.record(StepState.DONE, output=answer.output, again=0 if by_agent else 1)
        course.outputs[step.name] = answer.output
        course.answer = None
        course.position += 1
        return None
    return _hold(course, step, answer)


def _may_stop(course: _Course) -> bool:
    """Tell whether somebody wants the job stopped and it still can be: what may have begun must be undoable."""
    undoable = course.workflow.steps[course.position].undo is not None
    return bool(course.job.cancelled_by) and (undoable or not _is_uncertain(course))


def _stopped(course: _Course) -> JobCancelledError:
    return JobCancelledError(f"stopped by {course.job.cancelled_by}; what was made has been taken back")


def _attempt(course: _Course, step: Step[StepContext]) -> StepAnswer:
    """Run the step, unless the job's time is over; an agent's answer that came late still counts."""
    if course.job.overdue:
        raise PermanentError("the job's time is over; what it had made was taken back")
    return step.run(course.context())


def _undo_one(course: _Course) -> Verdict | None:
    """Undo the step at the position; None when the one before may follow at once."""
    if course.position < 0:
        return _end_undone(course)
    step, by_agent = course.workflow.steps[course.position], course.answer is not None
    try:
        answer = _answered(course) if by_agent else step.undo(course.context()) if step.undo else None
    except (TransientError, UncertainError) as error:
        if course.attempts() < 2 * RETRY.attempts:
            return _later(course, error, by_agent=by_agent)
        _leak(course, error)
    except StratoplaneError as error:
        if error.code == NotFoundError.code:
            _undone(course)  # what is not there needs no undoing
        else:
            _leak(course, error)
    except Exception as error:  # noqa: BLE001  # as in _run_one
        _log.exception("undoing step %s of job %s broke", step.name, course.job.id)
        _leak(course, PermanentError(f"undoing {step.name} broke ({type(error).__name__}); tell an operator"))
    else:
        if isinstance(answer, Wait | Dispatch):
            return _hold(course, step, answer)
        if answer is None:
            course.position -= 1
        else:
            _undone(course)
    return None


def _end_undone(course: _Course) -> Verdict:
    error = course.error or {}
    stopped = error.get("code") == JobCancelledError.code
    settle = (course.workflow.cancel if stopped else None) or course.workflow.fail
    state = JobState.CANCELLED if stopped else JobState.FAILED
    return _end(course, state, lambda: settle(course.context(), str(error.get("detail", ""))))


def _undone(course: _Course) -> None:
    course.record(StepState.UNDONE, output={})
    course.answer = None
    course.position -= 1


def _answered(course: _Course) -> Done:
    """Turn the agent's answer into the step's.

    Raises:
        TransientError, UncertainError, PermanentError: as the agent reported.
    """
    result = course.answer or {}
    if result["outcome"] == Outcome.DONE:
        return Done(output={"status": result.get("status"), "generation": course.notes().get("generation")})
    text, words = result.get("detail", ""), result.get("provider_text", "")
    error: StratoplaneError
    if result["outcome"] == Outcome.TRANSIENT:
        error = TransientError(text, provider_text=words, retry_after=result.get("retry_after"))
    elif result["outcome"] == Outcome.UNCERTAIN:
        error = UncertainError(text, provider_text=words)
    else:
        error = PermanentError(text, provider_text=words)
    error.code = result.get("code") or error.code  # type: ignore[misc]  # the agent's more exact class, by its code
    raise error


def _described(error: StratoplaneError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail, "provider_text": getattr(error, "provider_text", "")}


def _is_uncertain(course: _Course) -> bool:
    """Tell whether any attempt at the step may have taken effect; a later attempt without effect does not change it."""
    return bool(course.notes().get("uncertain"))


def _again(course: _Course, error: TransientError | UncertainError, *, by_agent: bool) -> Verdict | None:
    uncertain = isinstance(error, UncertainError) or _is_uncertain(course)
    made = course.attempts() + (0 if by_agent else 1)
    if course.job.cancelled_by and (not uncertain or course.workflow.steps[course.position].undo):
        _turn_back(course, _stopped(course), begun=uncertain)
        return None
    if made < RETRY.attempts and not course.job.overdue:
        return _later(course, error, by_agent=by_agent)
    _turn_back(course, error, begun=uncertain)
    return None


def _later(course: _Course, error: TransientError | UncertainError, *, by_agent: bool) -> Verdict:
    """Come back after a back-off; the step's error is kept for people."""
    uncertain = isinstance(error, UncertainError) or _is_uncertain(course)
    used = course.job.operation["id"] if by_agent and course.job.operation else course.notes().get("used")
    notes = {**course.notes(), "used": used, "uncertain": uncertain}
    course.record(StepState.RUNNING, error=_described(error), output=notes, again=0 if by_agent else 1)
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    delay = RETRY.delay(max(1, course.attempts()), retry_after, course.generator)
    _log.info("job %s repeats its step %d in %.1f s: %s", course.job.id, course.position, delay, error.detail)
    return _verdict(course, JobState.RETRYING, next_run_in=delay)


def _turn_back(course: _Course, error: StratoplaneError, *, begun: bool) -> None:
    """Stop going forward: what was done is undone, the failing step too if it may have begun."""
    course.error = _described(error) | {"step": course.workflow.steps[course.position].name}
    course.record(StepState.FAILED, output=course.notes(), error=_described(error))
    course.undoing = True
    course.answer = None
    course.position -= 0 if begun else 1


def _leak(course: _Course, error: StratoplaneError) -> None:
    """Go on without undoing the step: what it made may be left at the provider, and the job says so."""
    leaks = [*(course.error or {}).get("leaks", ()), course.workflow.steps[course.position].name]
    course.error = {**(course.error or {}), "leaks": leaks}
    course.record(StepState.FAILED, output=course.notes(), error=_described(error))
    _log.warning("job %s could not undo step %s: %s", course.job.id, leaks[-1], error.detail)
    course.answer = None
    course.position -= 1


def _hold(course: _Course, step: Step[StepContext], answer: Wait | Dispatch) -> Verdict:
    if isinstance(answer, Wait):
        waiting = {**course.notes(), "reason": answer.reason, "token": answer.token}
        course.record(StepState.RUNNING, output=waiting)
        return _verdict(course, JobState.RUNNING, next_run_in=answer.seconds)
    resource = course.job.context.resource
    course.record(StepState.RUNNING, again=1, output={**course.notes(), "generation": resource.generation})
    operation = {
        "id": new_id(),
        "organization_id": resource.organization_id,
        "job_id": course.job.id,
        "position": course.position,
        "cluster_id": resource.cluster_id,
        "resource_id": resource.id,
        "kind": resource.kind,
        "verb": answer.verb,
        "spec": answer.spec,
        "observe_first": _is_uncertain(course),
        "timeout_seconds": step.timeout,
        "priority": course.job.priority,
        "trace_parent": course.job.trace_parent,
    }
    return _verdict(course, JobState.RUNNING, operation=operation)


def _end(course: _Course, state: JobState, make: Callable[[], ResourceOutcome]) -> Verdict:
    try:
        settlement = make()
    except Exception as error:  # noqa: BLE001  # what an agent reported may be of any shape
        _log.exception("the end of job %s broke", course.job.id)
        detail = f"the end of the job broke ({type(error).__name__}); tell an operator"
        course.error = course.error or _described(PermanentError(detail))
        state, settlement = JobState.FAILED, _failure(course.workflow, course.context(), detail)
    return _verdict(course, state, settlement=settlement)


def _failure(workflow: Workflow, context: StepContext, detail: str) -> ResourceOutcome:
    try:
        return workflow.fail(context, detail)
    except Exception:  # noqa: BLE001  # as in _end
        _log.exception("the failure of job %s broke", context.job_id)
        return ResourceOutcome(status=ResourceStatus.FAILED, detail=detail)


def quarantine(job: ClaimedJob, workflows: Mapping[str, Workflow] = WORKFLOWS) -> Verdict:
    """Return the end of a job that none of its workers survived."""
    detail = "several workers died in a row while they moved this job; tell an operator"
    return give_up(job, code=QUARANTINED, detail=detail, workflows=workflows)


def give_up(job: ClaimedJob, *, code: str, detail: str, workflows: Mapping[str, Workflow] = WORKFLOWS) -> Verdict:
    """Return the end of a job where it stands: no step runs, and what was made is left as it is and listed as leaks.

    ``code`` and ``detail`` become the job's error.
    """
    workflow = workflows.get(job.kind, _UNKNOWN)
    begun = {step["name"] for step in job.steps if step["state"] != StepState.PENDING}
    course = _Course(
        job=job,
        workflow=workflow,
        position=job.position,
        undoing=job.undoing,
        error={"code": code, "detail": detail, "provider_text": "", "leaks": _undoable(workflow, begun)},
        generator=random.Random(0),  # noqa: S311  # nothing is drawn
    )
    _log.error("job %s (%s) is given up: %s", job.id, job.kind, detail)
    return _end(course, JobState.FAILED, lambda: _failure(workflow, job.context, detail))


def _undoable(workflow: Workflow, names: set[str]) -> list[str]:
    return [step.name for step in workflow.steps if step.undo is not None and step.name in names]


def _verdict(course: _Course, state: JobState, **rest: Any) -> Verdict:
    return Verdict(
        job=course.job,
        state=state,
        position=course.position,
        undoing=course.undoing,
        attempts=max([course.job.attempts, *(step["attempts"] for step in course.steps.values())]),
        error=course.error if state is not JobState.SUCCEEDED else None,
        steps=tuple(course.steps.values()),
        **rest,
    )
