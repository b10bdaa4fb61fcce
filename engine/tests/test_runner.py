# SPDX-License-Identifier: Apache-2.0
"""The runner is a function from a claimed job to what becomes of it: every rule of it, without a database."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import (
    PermanentError,
    StateConflictError,
    StratoplaneError,
    TransientError,
    UncertainError,
)
from stratoplane.ids import new_id
from stratoplane.jobs import Dispatch, Done, JobState, Step, StepAnswer, StepState, Wait
from stratoplane.kinds import ResourceSnapshot, Spec
from stratoplane.messages import Outcome
from stratoplane.resources import ResourceStatus
from stratoplane_engine.jobs.claims import ClaimedJob, notes_of
from stratoplane_engine.jobs.runner import RETRY, JobUpdate, advance
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.kinds.volume import VolumeSpec
from stratoplane_engine.model.job import Attempt, ClaimedOperation, JobError, JobStep, OperationState, StepError
from stratoplane_engine.workflows.context import ResourceOutcome, StepContext, Workflow

Run = Callable[[StepContext], StepAnswer]
DONE = Attempt(outcome=Outcome.DONE, status={"size": 1})
TRANSIENT = Attempt(outcome=Outcome.TRANSIENT, code="busy", detail="later", provider_text="EBUSY")
UNCERTAIN = Attempt(outcome=Outcome.UNCERTAIN, code="uncertain", detail="no answer")
PERMANENT = Attempt(outcome=Outcome.PERMANENT, code="conflict_at_provider", detail="in the way", provider_text="E42")
ABSENT = Attempt(outcome=Outcome.PERMANENT, code="not_found_at_provider", detail="no such thing")


def done(_context: StepContext) -> StepAnswer:
    return Done(output={"by": "step"})


def dispatch(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="create", spec={"name": "x"})


def undo(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="delete")


def raising(error: Exception) -> Run:
    def run(_context: StepContext) -> StepAnswer:
        raise error

    return run


def workflow(*steps: Run | tuple[Run, Run]) -> Workflow:
    pairs = [step if isinstance(step, tuple) else (step, None) for step in steps]
    return Workflow(
        name="sample",
        steps=tuple(Step(name=f"step-{at}", run=run, undo=back) for at, (run, back) in enumerate(pairs)),
        settle=lambda context: ResourceOutcome(status=ResourceStatus.ACTIVE, observed=dict(context.outputs)),
        fail=lambda _context, why: ResourceOutcome(status=ResourceStatus.FAILED, detail=why),
    )


def claimed(steps: int, **changes: Any) -> ClaimedJob:
    described: ResourceSnapshot[Spec] = ResourceSnapshot(
        id=new_id(), organization_id=new_id(), project_id=new_id(), kind="volume", name="data",
        status=ResourceStatus.PENDING, cluster_id=new_id(), spec=VolumeSpec(size_gib=1), observed={},
        quota_usage={}, generation=3, observed_generation=0,
    )  # fmt: skip
    identifier = new_id()
    fresh = ClaimedJob(
        id=identifier, kind="sample", epoch=1, position=0, undoing=False, attempts=0, error=None, overdue=False,
        priority=0, cancelled_by="", actor="user:alice", request_id="", trace_parent="t", operation=None,
        steps=tuple(JobStep(position=at, name=f"step-{at}") for at in range(steps)),
        context=StepContext(job_id=identifier, resource=described),
    )  # fmt: skip
    return replace(fresh, **changes)


def judge(job: ClaimedJob, flow: Workflow) -> JobUpdate:
    return advance(job, random.Random(1), {"sample": flow})


def following(update: JobUpdate, result: Attempt | None = None, *, overdue: bool = False) -> ClaimedJob:
    """Return the next claim of the job after ``update`` was written and the agent answered ``result``."""
    job = update.job
    written = {step.position: step for step in update.steps}
    steps = tuple(written.get(step.position, step) for step in job.steps)
    operation = job.operation
    if update.operation is not None:
        made, state = update.operation, OperationState.QUEUED
        operation = ClaimedOperation(id=made.id, position=made.position, verb=made.verb, state=state)
    if operation is not None and result is not None:
        operation = replace(operation, state=OperationState.DONE, result=result)
    return replace(
        job, epoch=job.epoch + 1, position=update.position, undoing=update.undoing, attempts=update.attempts,
        error=update.error, steps=steps, operation=operation, overdue=overdue,
        context=replace(job.context, token=notes_of(steps, update.position).token,
            outputs={step.name: step.output for step in steps if step.state is StepState.DONE}),
    )  # fmt: skip


def states(steps: Sequence[JobStep]) -> list[tuple[str, str]]:
    return [(step.name, step.state.value) for step in sorted(steps, key=lambda step: step.position)]


def test_steps_that_need_nobody_run_one_after_the_other_and_the_end_settles() -> None:
    update = judge(claimed(2), workflow(done, done))

    assert update.state is JobState.SUCCEEDED
    assert states(update.steps) == [("step-0", "DONE"), ("step-1", "DONE")]
    assert update.outcome is not None
    assert update.outcome.observed == {"step-0": {"by": "step"}, "step-1": {"by": "step"}}
    assert (update.next_run_in, update.operation, update.error) == (None, None, None)


def test_a_step_that_waits_is_looked_at_again_and_is_given_its_own_bookmark() -> None:
    seen: list[Mapping[str, object]] = []

    def wait(context: StepContext) -> StepAnswer:
        seen.append(context.token)
        return Wait(seconds=7, token={"page": len(seen)}, reason="something else") if len(seen) < 3 else Done()

    flow = workflow(done, wait)
    first = judge(claimed(2), flow)
    assert (first.state, first.position, first.next_run_in) == (JobState.RUNNING, 1, 7)
    assert first.steps[-1].output["reason"] == "something else"

    second = judge(following(first), flow)
    assert judge(following(second), flow).state is JobState.SUCCEEDED
    assert seen == [{}, {"page": 1}, {"page": 2}]


def test_a_dispatch_becomes_an_operation_and_the_job_waits_without_a_time() -> None:
    update = judge(claimed(1), workflow(dispatch))

    assert (update.state, update.next_run_in) == (JobState.RUNNING, None)
    assert update.operation is not None
    resource = update.job.context.resource
    asked = asdict(update.operation)
    assert {key: asked[key] for key in asked if key != "id"} == {
        "organization_id": resource.organization_id, "job_id": update.job.id, "position": 0,
        "cluster_id": resource.cluster_id, "resource_id": resource.id, "kind": "volume", "verb": "create",
        "spec": {"name": "x"}, "observe_first": False, "timeout_seconds": 600.0, "priority": 0, "trace_parent": "t",
    }  # fmt: skip
    assert update.attempts == 1


def test_a_job_that_is_looked_at_while_an_agent_has_it_goes_on_waiting() -> None:
    flow = workflow(dispatch)
    update = judge(following(judge(claimed(1), flow)), flow)
    assert (update.state, update.next_run_in, update.operation, update.steps) == (JobState.RUNNING, None, None, ())


def test_what_the_agent_did_is_the_steps_output_with_the_generation_that_it_was_given() -> None:
    flow = workflow(dispatch, done)
    asked = following(judge(claimed(2), flow), DONE)
    later = replace(asked, context=replace(asked.context, resource=replace(asked.context.resource, generation=9)))

    update = judge(later, flow)

    assert update.state is JobState.SUCCEEDED
    assert update.outcome is not None
    assert update.outcome.observed == {
        "step-0": {"status": {"size": 1}, "generation": 3}, "step-1": {"by": "step"}
    }  # fmt: skip


def test_a_transient_error_is_met_with_a_back_off_and_a_new_operation() -> None:
    flow = workflow(dispatch)
    first = judge(claimed(1), flow)
    again = judge(following(first, TRANSIENT), flow)

    assert again.state is JobState.RETRYING
    assert again.next_run_in is not None
    assert 0 <= again.next_run_in <= RETRY.base
    assert again.operation is None
    assert again.steps[0].error == StepError(code="busy", detail="later", provider_text="EBUSY")
    second = judge(following(again, TRANSIENT), flow)
    assert second.operation is not None
    assert first.operation is not None
    assert second.operation.id != first.operation.id
    assert (second.attempts, second.operation.observe_first) == (2, False)


def test_a_step_that_succeeds_after_errors_shows_none() -> None:
    flow = workflow(dispatch)
    retried = judge(following(judge(following(judge(claimed(1), flow), TRANSIENT), flow)), flow)
    update = judge(following(retried, DONE), flow)
    assert (update.state, update.error, update.steps[0].error) == (JobState.SUCCEEDED, None, None)
    assert (update.attempts, update.steps[0].attempts) == (2, 2)


def test_an_uncertain_error_makes_the_agent_look_first_until_the_step_is_done() -> None:
    flow = workflow(dispatch)
    update = judge(following(judge(claimed(1), flow), UNCERTAIN), flow)
    assert update.state is JobState.RETRYING
    for _ in range(3):
        update = judge(following(update, UNCERTAIN), flow)
        assert update.operation is not None
        assert update.operation.observe_first is True
        update = judge(following(update, TRANSIENT), flow)


@pytest.mark.parametrize("result", [TRANSIENT, UNCERTAIN])
def test_a_retryable_error_fails_the_job_after_the_last_attempt(result: Attempt) -> None:
    flow = workflow(dispatch)
    update, dispatched = judge(claimed(1), flow), 1
    while update.state is not JobState.FAILED:
        update = judge(following(update, result), flow)
        dispatched += update.operation is not None

    assert dispatched == RETRY.attempts
    assert update.error is not None
    assert update.error.code == result.code


@pytest.mark.parametrize("error", [TransientError("later"), UncertainError("no idea")])
def test_errors_that_a_step_raises_itself_are_counted_too(error: StratoplaneError) -> None:
    flow = workflow(raising(error))
    update, rounds = judge(claimed(1), flow), 1
    while update.state is JobState.RETRYING:
        update, rounds = judge(following(update), flow), rounds + 1

    assert (update.state, rounds) == (JobState.FAILED, RETRY.attempts)


def test_a_permanent_error_undoes_backwards_what_was_done() -> None:
    flow = workflow((done, undo), done, (dispatch, undo))
    first = judge(claimed(3), flow)

    last = judge(following(first, PERMANENT), flow)
    assert (last.state, last.undoing, last.position) == (JobState.RUNNING, True, 2)
    assert last.operation is not None
    assert (last.operation.verb, last.operation.position) == ("delete", 2)
    before = judge(following(last, DONE), flow)
    assert before.operation is not None
    assert (before.operation.verb, before.operation.position) == ("delete", 0)
    end = judge(following(before, DONE), flow)

    assert end.state is JobState.FAILED
    assert end.error == JobError(code="conflict_at_provider", detail="in the way", provider_text="E42", step="step-2")
    assert end.outcome == ResourceOutcome(status=ResourceStatus.FAILED, detail=for_tenants(end.error).detail)
    assert str(end.outcome.detail).startswith("something at the provider is in the way")
    assert states(following(end).steps) == [("step-0", "UNDONE"), ("step-1", "DONE"), ("step-2", "UNDONE")]
    assert following(end).steps[2].error == StepError(
        code="conflict_at_provider", detail="in the way", provider_text="E42"
    )


@pytest.mark.parametrize("error", [StateConflictError("gone"), PermanentError("never"), RuntimeError("a bug")])
def test_a_step_that_refuses_before_it_has_an_effect_is_not_undone(error: Exception) -> None:
    update = judge(claimed(2), workflow(done, (raising(error), undo)))
    assert (update.state, update.operation) == (JobState.FAILED, None)
    assert states(update.steps) == [("step-0", "DONE"), ("step-1", "FAILED")]


def test_a_step_whose_attempts_all_had_no_effect_is_not_undone() -> None:
    flow = workflow((dispatch, undo))
    update = judge(claimed(1), flow)
    while update.state is not JobState.FAILED:
        update = judge(following(update, TRANSIENT), flow)
    assert states(update.steps) == [("step-0", "FAILED")]


def test_a_step_with_one_attempt_that_may_have_had_an_effect_is_undone() -> None:
    flow = workflow((dispatch, undo))
    update = judge(following(judge(claimed(1), flow), UNCERTAIN), flow)
    while not update.undoing:
        update = judge(following(update, TRANSIENT), flow)
    assert update.operation is not None
    assert (update.operation.verb, update.operation.observe_first) == ("delete", True)


def test_a_broken_step_ends_its_own_job_only() -> None:
    update = judge(claimed(1), workflow(raising(KeyError("x"))))
    assert update.error is not None
    assert (update.state, update.error.detail) == (JobState.FAILED, "step step-0 broke (KeyError); tell an operator")


@pytest.mark.parametrize("end", ["settle", "fail"])
def test_a_broken_end_fails_the_job_and_says_so(end: str) -> None:
    flow = workflow(done if end == "settle" else raising(PermanentError("no")))
    broken = replace(flow, settle=_broken) if end == "settle" else replace(flow, fail=_broken)
    update = judge(claimed(1), broken)

    assert update.state is JobState.FAILED
    assert update.error is not None
    assert update.outcome is not None
    assert update.outcome.status is ResourceStatus.FAILED
    assert update.outcome.detail == "the end of the job broke (ZeroDivisionError); tell an operator"


def _broken(*_: object) -> ResourceOutcome:
    raise ZeroDivisionError


def failing(flow: Workflow, steps: int = 1) -> JobUpdate:
    """Return the update in which the job has begun to undo its last step."""
    return judge(following(judge(claimed(steps), flow), PERMANENT), flow)


def test_an_undoing_that_fails_is_recorded_and_the_rest_is_undone() -> None:
    flow = workflow((done, done), (dispatch, undo))
    update = judge(following(failing(flow, 2), replace(PERMANENT, detail="stuck")), flow)

    assert update.state is JobState.FAILED
    assert update.error is not None
    assert (update.error.detail, update.error.leaks) == ("in the way", ("step-1",))
    assert states(update.steps) == [("step-0", "UNDONE"), ("step-1", "FAILED")]
    assert update.steps[0].error == StepError(code="conflict_at_provider", detail="stuck", provider_text="E42")


def test_an_undoing_that_breaks_is_recorded() -> None:
    update = failing(workflow((dispatch, raising(RuntimeError("a bug")))))
    assert update.error is not None
    assert (update.state, update.error.leaks) == (JobState.FAILED, ("step-0",))


def test_what_is_not_there_needs_no_undoing() -> None:
    flow = workflow((dispatch, undo))
    update = judge(following(failing(flow), ABSENT), flow)
    assert update.error is not None
    assert update.error.leaks is None
    assert states(update.steps) == [("step-0", "UNDONE")]


def test_an_undoing_is_repeated_for_a_while_before_it_is_given_up() -> None:
    flow = workflow((dispatch, undo))
    update, retries = failing(flow), 0
    while update.state is not JobState.FAILED:
        update = judge(following(update, TRANSIENT), flow)
        retries += update.state is JobState.RETRYING
    assert retries >= RETRY.attempts
    assert update.error is not None
    assert update.error.leaks == ("step-0",)


def test_a_job_whose_deadline_has_passed_begins_nothing_and_undoes_what_was_done() -> None:
    flow = workflow((done, undo), dispatch)
    late = judge(claimed(2, overdue=True), flow)
    assert (late.state, late.operation) == (JobState.FAILED, None)

    retrying = judge(following(judge(claimed(2), flow), TRANSIENT), flow)
    update = judge(following(retrying, TRANSIENT, overdue=True), flow)
    assert update.operation is not None
    assert (update.undoing, update.operation.verb, update.operation.position) == (True, "delete", 0)
    assert update.error is not None
    assert update.error.detail == "the job's deadline has passed; what it had made was undone"


def test_what_the_agent_ended_too_late_still_counts() -> None:
    flow = workflow((dispatch, undo))
    update = judge(following(judge(claimed(1), flow), DONE, overdue=True), flow)
    assert update.state is JobState.SUCCEEDED


def test_the_answer_to_the_failed_step_is_not_taken_for_its_undoing() -> None:
    """The last operation at the position is the create; only a delete's answer means that it is undone."""
    flow = workflow((dispatch, undo))
    turned = failing(flow)
    create = ClaimedOperation(id=new_id(), position=0, verb="create", state=OperationState.DONE, result=PERMANENT)
    failed = tuple(replace(step, state=StepState.FAILED, output={}) for step in turned.job.steps)
    replayed = replace(following(turned), operation=create, steps=failed)

    update = judge(replayed, flow)

    assert update.operation is not None
    assert (update.operation.verb, update.state) == ("delete", JobState.RUNNING)


RESULTS = st.sampled_from([DONE, TRANSIENT, UNCERTAIN, PERMANENT, ABSENT])


@given(st.lists(RESULTS, max_size=80), st.integers(1, 4), st.integers(0, 60))
def test_whatever_agents_answer_every_job_ends_and_every_step_is_accounted_for(
    results: list[Attempt], length: int, late_from: int
) -> None:
    flow = workflow(*[(dispatch, undo)] * length)
    update, rounds = judge(claimed(length), flow), 0
    answers = [*results, *[DONE] * 200]
    while update.state not in {JobState.SUCCEEDED, JobState.FAILED}:
        assert (update.operation is None) == (update.next_run_in is not None)
        update = judge(following(update, answers[rounds], overdue=rounds >= late_from), flow)
        rounds += 1

    final = [state for _, state in states(following(update).steps)]
    assert update.outcome is not None
    if update.state is JobState.SUCCEEDED:
        assert final == ["DONE"] * length
    else:
        assert update.error is not None
        assert set(final) <= {"UNDONE", "FAILED", "PENDING"}
        assert len(update.error.leaks or ()) <= final.count("FAILED")
    assert rounds <= 4 * RETRY.attempts * length
