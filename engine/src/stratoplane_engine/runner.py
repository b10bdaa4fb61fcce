# SPDX-License-Identifier: Apache-2.0
"""Moving jobs on: a pure function from a claimed job to its verdict.

The claim brought everything that steps may look at; what comes out is written back by :mod:`stratoplane_engine.drain`
in one transaction, fenced by the claim's epoch. Nothing in between touches the world, so a crash costs a lease.
"""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import (
    PermanentError,
    StratoplaneError,
    TransientError,
    UncertainError,
)
from stratoplane.ids import new_id
from stratoplane.jobs import Dispatch, Done, JobState, RetryPolicy, Step, StepAnswer, StepState, Wait
from stratoplane.messages import Outcome
from stratoplane.resources import ResourceStatus
from stratoplane_engine.kinds.draft import Described
from stratoplane_engine.workflows.catalogue import WORKFLOWS
from stratoplane_engine.workflows.context import LinkedTarget, Settlement, StepContext, Workflow

_log: Final = logging.getLogger(__name__)
RETRY: Final = RetryPolicy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of a claimed job.

    Attributes:
        next_run_in: seconds until a worker looks again; None while an agent has it, or at the end.
        steps: what became of the steps that were touched, as rows.
        operation: the driver call to offer, as a row.
        settlement: what the end makes of the resource.
    """

    job: "ClaimedJob"
    state: JobState
    position: int
    undoing: bool
    attempts: int
    next_run_in: float | None = None
    error: Mapping[str, Any] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    operation: Mapping[str, Any] | None = None
    settlement: Settlement | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedJob:
    """A job as the claim brought it."""

    id: UUID
    kind: str
    epoch: int
    position: int
    undoing: bool
    attempts: int
    error: Mapping[str, Any] | None
    overdue: bool
    actor: str
    request_id: str
    trace_parent: str
    context: StepContext
    steps: tuple[Mapping[str, Any], ...]
    operation: Mapping[str, Any] | None


def read_claim(row: Mapping[str, Any]) -> ClaimedJob:
    """Make the claimed job of a claim's row."""
    resource = row["resource"]
    described = Described(
        id=UUID(resource["id"]),
        organization_id=row["organization_id"],
        project_id=row["project_id"],
        kind=resource["kind"],
        name=resource["name"],
        status=ResourceStatus(resource["status"]),
        cluster_id=row["cluster_id"],
        spec=resource["spec"],
        observed=resource["observed"],
        holds=resource["holds"],
        generation=resource["generation"],
        observed_generation=resource["observed_generation"],
    )
    targets = tuple(
        LinkedTarget(id=UUID(each["id"]), kind=each["kind"], name=each["name"], status=ResourceStatus(each["status"]))
        for each in row["targets"] or ()
    )
    steps = tuple(row["steps"] or ())
    context = StepContext(
        job_id=row["id"],
        resource=described,
        given=row["input"],
        targets=targets,
        outputs={step["name"]: step["output"] for step in steps if step["state"] == StepState.DONE},
    )
    copied = ("id", "kind", "epoch", "position", "undoing", "attempts", "error", "overdue", "actor", "request_id")
    return ClaimedJob(
        **{name: row[name] for name in copied},
        trace_parent=row["trace_parent"],
        context=context,
        steps=steps,
        operation=row["operation"],
    )


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
        kept = self.job.context
        return StepContext(
            job_id=kept.job_id, resource=kept.resource, given=kept.given, targets=kept.targets, outputs=self.outputs
        )

    def record(
        self, state: StepState, *, output: Mapping[str, Any] | None = None, error: Any = None, again: int = 0
    ) -> None:
        before = self.steps.get(self.position) or self.job.steps[self.position]
        self.steps[self.position] = {
            "job_id": self.job.id,
            "position": self.position,
            "name": before["name"],
            "state": state.value,
            "attempts": before["attempts"] + again,
            "output": output if output is not None else before.get("output"),
            "error": error,
        }

    def attempts(self) -> int:
        step = self.steps.get(self.position) or self.job.steps[self.position]
        made: int = step["attempts"]
        return made


def advance(job: ClaimedJob, generator: random.Random) -> Verdict:
    """Return what becomes of ``job`` now: as many steps as need neither time nor an agent, then the rest.

    ``generator`` supplies the jitter of retries.
    """
    course = _Course(
        job=job,
        workflow=WORKFLOWS[job.kind],
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
        mine = not job.undoing or operation["verb"] == "delete"
        used = job.steps[job.position]["output"].get("operation") == operation["id"]
        course.answer = operation["result"] if mine and not used else None
    while True:
        verdict = _undo_one(course) if course.undoing else _run_one(course)
        if verdict is not None:
            return verdict


def _run_one(course: _Course) -> Verdict | None:
    """Run the step at the position; None when the next one may follow at once."""
    if course.position == len(course.workflow.steps):
        return _end(course, JobState.SUCCEEDED, course.workflow.settle(course.context()))
    step = course.workflow.steps[course.position]
    try:
        if course.job.overdue:
            raise PermanentError(  # noqa: TRY301  # the one way from a step to its undoing
                "the job's time is over; what it had made was taken back"
            )
        answer = _answered(course) or step.run(course.context())
    except (TransientError, UncertainError) as error:
        return _again(course, step, error)
    except StratoplaneError as error:
        _turn_back(course, error)
        return None
    except Exception as error:  # noqa: BLE001  # a broken step ends its own job, not the worker's batch
        _log.exception("step %s of job %s broke", step.name, course.job.id)
        _turn_back(course, PermanentError(f"step {step.name} broke ({type(error).__name__}); tell an operator"))
        return None
    if isinstance(answer, Done):
        course.record(StepState.DONE, output=answer.output, again=0 if course.answer else 1)
        course.outputs[step.name] = answer.output
        course.answer = None
        course.position += 1
        return None
    return _hold(course, step, answer)


def _undo_one(course: _Course) -> Verdict | None:
    """Undo the step at the position; None when the one before may follow at once."""
    if course.position < 0:
        reason = str((course.error or {}).get("detail", ""))
        return _end(course, JobState.FAILED, course.workflow.fail(course.context(), reason))
    step = course.workflow.steps[course.position]
    try:
        answer = _answered(course) or (step.undo(course.context()) if step.undo else Done())
    except (TransientError, UncertainError) as error:
        if course.attempts() < 2 * RETRY.attempts:
            return _later(course, step, error)
        answer = _leak(course, error)
    except StratoplaneError as error:
        answer = _leak(course, error)
    if isinstance(answer, Done):
        if course.job.steps[course.position]["state"] != StepState.PENDING or course.position in course.steps:
            course.record(StepState.UNDONE, error=(course.steps.get(course.position) or {}).get("error"))
        course.answer = None
        course.position -= 1
        return None
    return _hold(course, step, answer)


def _answered(course: _Course) -> StepAnswer | None:
    """Turn the agent's answer into the step's; None when no answer is there.

    Raises:
        TransientError, UncertainError, PermanentError: as the agent reported.
    """
    result = course.answer
    if result is None:
        return None
    if result["outcome"] == Outcome.DONE:
        return Done(output={"status": result.get("status")})
    course.answer = None
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


def _again(course: _Course, step: Step[StepContext], error: TransientError | UncertainError) -> Verdict | None:
    if course.attempts() >= RETRY.attempts:
        _turn_back(course, error)
        return None
    return _later(course, step, error)


def _later(course: _Course, step: Step[StepContext], error: TransientError | UncertainError) -> Verdict:
    """Come back after a back-off; the step's error is kept for people."""
    course.record(StepState.RUNNING, error=_described(error), again=0)
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    delay = RETRY.delay(max(1, course.attempts()), retry_after, course.generator)
    uncertain = isinstance(error, UncertainError)
    course.steps[course.position]["output"] = {"operation": _operation_id(course), "uncertain": uncertain}
    _log.info("step %s of job %s is repeated in %.1f s: %s", step.name, course.job.id, delay, error.detail)
    return _verdict(course, JobState.RETRYING, next_run_in=delay)


def _operation_id(course: _Course) -> str | None:
    return course.job.operation["id"] if course.job.operation else None


def _turn_back(course: _Course, error: StratoplaneError) -> None:
    """Stop going forward: what was done is undone, the failing step included, since it may have begun."""
    course.error = _described(error) | {"step": course.workflow.steps[course.position].name}
    course.record(StepState.FAILED, error=_described(error))
    course.undoing = True
    course.answer = None


def _leak(course: _Course, error: StratoplaneError) -> Done:
    """Note that a step could not be undone; what it made may be left at the provider."""
    leaks = [*(course.error or {}).get("leaks", ()), course.workflow.steps[course.position].name]
    course.error = {**(course.error or {}), "leaks": leaks}
    course.record(StepState.FAILED, error=_described(error))
    _log.warning("job %s could not undo step %s: %s", course.job.id, leaks[-1], error.detail)
    return Done()


def _hold(course: _Course, step: Step[StepContext], answer: Wait | Dispatch) -> Verdict:
    if isinstance(answer, Wait):
        course.record(StepState.RUNNING, output={"reason": answer.reason, **answer.token})
        return _verdict(course, JobState.RUNNING, next_run_in=answer.seconds)
    before = course.job.steps[course.position].get("output", {})
    course.record(StepState.RUNNING, again=1, output=before)
    resource = course.job.context.resource
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
        "observe_first": bool(before.get("uncertain")),
        "timeout_seconds": step.timeout,
        "trace_parent": course.job.trace_parent,
    }
    return _verdict(course, JobState.RUNNING, operation=operation)


def _end(course: _Course, state: JobState, settlement: Settlement) -> Verdict:
    return _verdict(course, state, settlement=settlement)


def _verdict(course: _Course, state: JobState, **rest: Any) -> Verdict:
    return Verdict(
        job=course.job,
        state=state,
        position=max(course.position, -1),
        undoing=course.undoing,
        attempts=max([course.job.attempts, *(step["attempts"] for step in course.steps.values())]),
        error=course.error if state is not JobState.SUCCEEDED else None,
        steps=tuple(course.steps.values()),
        **rest,
    )
