# SPDX-License-Identifier: Apache-2.0
"""Create, update and delete of everything that a cluster's driver makes: the same steps for every kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import StateConflictError
from stratoplane.jobs import Dispatch, Done, Step, StepAnswer, Wait
from stratoplane.kinds import AnyKind, Observed, ResourceSnapshot, Spec, display_name
from stratoplane.resources import CHANGEABLE, READY, ResourceStatus
from stratoplane.spec_changes import UPDATE, SpecChange
from stratoplane.wire import to_json
from stratoplane_engine.model.resource import Desired
from stratoplane_engine.workflows.asked import APPLY, AWAIT_TARGETS, asked_of_observed, read_drift
from stratoplane_engine.workflows.context import ResourceOutcome, StepContext, Workflow

_NONE: Final[frozenset[UUID]] = frozenset()
CORRECT: Final = "correct"
"""What jobs are called, and their step, that bring an object back to what is desired, which nobody asked for."""
LOOK_AGAIN: Final = 2.0
"""Seconds until a job that waits for another resource looks by itself; the end of the other's job wakes it sooner."""


def await_targets(context: StepContext) -> StepAnswer:
    """Wait until everything that the resource uses is ready."""
    kept = _used_before(context)
    for target in context.targets:
        noun = f"{display_name(target.kind)} {target.name}"
        if target.status is ResourceStatus.PENDING:
            return Wait(seconds=LOOK_AGAIN, reason=f"{noun} is being made")
        if target.status not in READY and target.id not in kept:
            raise StateConflictError(f"{noun} is {target.status}; nothing can use it any more")
    return Done()


def _used_before(context: StepContext) -> frozenset[UUID]:
    """Return what the resource uses since earlier: a change of something else does not depend on its state."""
    before = context.job_input.before
    if before is not None:
        return frozenset(link.target_id for link in context.kind.uses(before.spec))
    return _NONE if context.job_input.drift is None else frozenset(target.id for target in context.targets)


def await_turn(context: StepContext) -> StepAnswer:
    """Go on with a change only if there is something to change, and nothing new to wait for."""
    resource = context.resource
    if resource.status not in CHANGEABLE:
        noun = f"{display_name(resource.kind)} {resource.name}"
        raise StateConflictError(f"{noun} is {resource.status}; it cannot be changed")
    return await_targets(context)


def driver_spec(context: StepContext) -> Mapping[str, Any]:
    """Return the driver's specification of the job's resource."""
    return _driver_json(context, context.resource)


def driver_spec_before(context: StepContext) -> Mapping[str, Any] | None:
    """Return the driver's specification before the change, None when there is nothing to go back to."""
    before, resource = context.job_input.before, context.resource
    if before is None or resource.status is ResourceStatus.DELETING:
        return None
    return _driver_json(context, replace(resource, spec=before.spec, name=before.name))


def _driver_json(context: StepContext, resource: ResourceSnapshot[Spec]) -> Mapping[str, Any]:
    specification: Mapping[str, Any] = to_json(context.kind.driver_spec(resource))
    return specification


def provision(context: StepContext) -> StepAnswer:
    return Dispatch(verb="create", spec=driver_spec(context))


def remove(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="delete")


def apply(context: StepContext) -> StepAnswer:
    return Dispatch(verb="update", spec=driver_spec(context))


def revert(context: StepContext) -> StepAnswer:
    spec = driver_spec_before(context)
    return Done() if spec is None else Dispatch(verb="update", spec=spec)


def stable_status(context: StepContext, observed: Observed) -> ResourceStatus:
    """Return the status that a resource rests in."""
    return context.kind.status(observed)


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverAnswer:
    """What a step that called the driver left: the object's status, and the resource's generation at the call."""

    status: Observed
    generation: int | None


def driver_answer(context: StepContext, step: str) -> DriverAnswer:
    """Return what ``step`` left; nothing was observed where the driver has nothing to show."""
    output = context.outputs.get(step, {})
    status, generation = output.get("status"), output.get("generation")
    return DriverAnswer(
        status=status if isinstance(status, Mapping) else {},
        generation=generation if isinstance(generation, int) else None,
    )


def _settled(context: StepContext, *steps: str) -> ResourceOutcome:
    """Settle on what the last of the steps left that the job has had."""
    last = next((step for step in reversed(steps) if step in context.outputs), steps[-1])
    answer, kind = driver_answer(context, last), context.kind
    return ResourceOutcome(
        status=stable_status(context, answer.status),
        observed=answer.status,
        provider_reference=str(answer.status.get("provider_reference", "")),
        detail="",
        quota_usage=kind.quota_usage(context.resource.spec),
        keep=kind.uses(context.resource.spec),
        observed_generation=answer.generation,
    )


def _created(context: StepContext) -> ResourceOutcome:
    return replace(_settled(context, "provision"), quota_usage=None, keep=None)


def _not_created(_context: StepContext, why: str) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.FAILED, detail=why, quota_usage={}, keep=())


def _not_updated(context: StepContext, why: str) -> ResourceOutcome:
    """Return to the desired state before the change, since the change will not come."""
    resource, before = context.resource, context.job_input.before
    if resource.status not in CHANGEABLE:
        return ResourceOutcome()
    status = stable_status(context, resource.observed)
    if before is None:
        return ResourceOutcome(status=status, detail=why)
    return ResourceOutcome(
        status=status,
        spec=before.spec,
        name=before.name,
        quota_usage=context.kind.quota_usage(before.spec),
        keep=context.kind.uses(before.spec),
        detail=why,
    )


def _deleted(_context: StepContext) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.DELETED, detail="", quota_usage={}, keep=())


def _not_deleted(_context: StepContext, why: str) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.FAILED, detail=why)


def _kept(context: StepContext, why: str) -> ResourceOutcome:
    """Return to the state before a deletion that nobody had begun with."""
    resource = context.resource
    if not resource.observed_generation:
        return ResourceOutcome(status=ResourceStatus.FAILED, detail=why)
    return ResourceOutcome(status=stable_status(context, resource.observed))


def take(context: StepContext) -> StepAnswer:
    resource = context.resource
    spec = {"uid": str(resource.id), "project_id": str(resource.project_id), "name": resource.name}
    return Dispatch(verb="adopt", spec={**spec, "reference": context.job_input.reference})


def release(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="release")


def _taken(context: StepContext) -> ResourceOutcome:
    return replace(_settled(context, "take"), quota_usage=None, keep=None)


def _not_taken(_context: StepContext, why: str) -> ResourceOutcome:
    """Leave no resource behind: deleting it would be an order to delete what is not ours."""
    return ResourceOutcome(status=ResourceStatus.DELETED, detail=why, quota_usage={}, keep=())


def clear(context: StepContext) -> StepAnswer:
    resource = context.resource
    if resource.status is not ResourceStatus.DELETED:
        noun = f"{display_name(resource.kind)} {resource.name}"
        raise StateConflictError(f"{noun} is {resource.status}: its object belongs to it and is left alone")
    return Dispatch(verb="delete")


def _not_cleared(_context: StepContext, why: str) -> ResourceOutcome:
    return ResourceOutcome(detail=why)


def find(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="observe")


def take_up(context: StepContext) -> StepAnswer:
    """Bring the object that was found to its new record; what has vanished is not made again."""
    if not driver_answer(context, "find").status:
        raise StateConflictError("the cluster no longer has the object; nothing was adopted")
    return apply(context)


def _recovered(context: StepContext) -> ResourceOutcome:
    return replace(_settled(context, "apply"), quota_usage=None, keep=None)


def orphan_workflows_of(kind: str) -> tuple[Workflow, ...]:
    """Return the workflows that clear an orphan of a kind: delete it, or make it a resource under its own id."""
    return (
        Workflow(
            name=f"{kind}.clear",
            steps=(Step(name="remove", run=clear),),
            settle=_deleted,
            fail=_not_cleared,
        ),
        Workflow(
            name=f"{kind}.recover",
            steps=(
                Step(name=AWAIT_TARGETS, run=await_targets),
                Step(name="find", run=find),
                Step(name="apply", run=take_up),
            ),
            settle=_recovered,
            fail=_not_taken,
        ),
    )


def adoption_of(kind: str) -> Workflow:
    """Return the workflow that makes a foreign object a resource of this kind."""
    return Workflow(
        name=f"{kind}.adopt",
        steps=(Step(name="take", run=take, undo=release),),
        settle=_taken,
        fail=_not_taken,
    )


def carry_out(change: SpecChange, context: StepContext) -> StepAnswer:
    """Let the driver's own verb do it; where nothing of it is left to do, its update shows how the object is."""
    return Dispatch(verb=_verb_for(change, context), spec=driver_spec(context))


def take_back(change: SpecChange, context: StepContext) -> StepAnswer:
    spec = driver_spec_before(context)
    return Done() if spec is None else Dispatch(verb=_verb_for(change, context), spec=spec)


def _verb_for(change: SpecChange, context: StepContext) -> str:
    before, resource = context.job_input.before, context.resource
    if before is None:
        return UPDATE
    after = Desired(name=resource.name, spec=resource.spec)
    found = asked_of_observed(context.kind, before, after, read_drift(context.job_input.drift))
    return change.driver_verb if change in found.changes else UPDATE


def changes_of(kind: AnyKind) -> Iterator[Workflow]:
    """Return the workflows of everything that can be asked of a resource, of several things at once, and of drift.

    Each has a step for every verb that the driver has of its own: a job also does what one before it did not.
    """
    own = tuple(
        Step(name=change.verb, run=partial(carry_out, change), undo=partial(take_back, change))
        for change in kind.all_changes
        if change.driver_verb != UPDATE
    )
    names = frozenset(step.name for step in own)
    for verb in (*(change.verb for change in kind.all_changes), UPDATE):
        yield _change(kind, verb, own, APPLY if verb in names or verb == UPDATE else verb)
    yield _change(kind, CORRECT, (), CORRECT)


def _change(kind: AnyKind, verb: str, own: tuple[Step[StepContext], ...], last: str) -> Workflow:
    """Return the workflow of a change: what it no longer takes is given back only at its end."""
    steps = (Step(name=AWAIT_TARGETS, run=await_turn), *own, Step(name=last, run=apply, undo=revert))
    names = tuple(step.name for step in steps[1:])
    return Workflow(
        name=f"{kind.name}.{verb}",
        steps=steps,
        settle=lambda context: _settled(context, *names),
        fail=_not_updated,
    )


def workflows_of(kind: AnyKind) -> tuple[Workflow, ...]:
    """Return the create, change and delete workflows of a kind."""
    return (
        Workflow(
            name=f"{kind.name}.create",
            steps=(
                Step(name=AWAIT_TARGETS, run=await_targets),
                Step(name="provision", run=provision, undo=remove),
            ),
            settle=_created,
            fail=_not_created,
        ),
        *changes_of(kind),
        Workflow(
            name=f"{kind.name}.delete",
            steps=(Step(name="remove", run=remove),),
            settle=_deleted,
            fail=_not_deleted,
            cancel=_kept,
        ),
    )
