# SPDX-License-Identifier: Apache-2.0
"""Create, update and delete of everything that a cluster's driver makes: the same steps for every kind."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from stratoplane.errors import StateConflictError
from stratoplane.jobs import Dispatch, Done, Step, StepAnswer, Wait
from stratoplane.kinds import ResourceSnapshot, Spec
from stratoplane.quota import Amount
from stratoplane.resources import CHANGEABLE, READY, ResourceStatus
from stratoplane.wire import to_json
from stratoplane_engine.kinds.catalogue import read_spec
from stratoplane_engine.workflows.context import NOTHING, Json, ResourceOutcome, StepContext, Workflow

_NONE: Final[frozenset[UUID]] = frozenset()
LOOK_AGAIN: Final = 2.0
"""Seconds until a job that waits for another resource looks by itself; the end of the other's job wakes it sooner."""


def await_targets(context: StepContext) -> StepAnswer:
    """Wait until everything that the resource uses is ready."""
    kept = _used_before(context)
    for target in context.targets:
        words = f"{target.kind.replace('_', ' ')} {target.name}"
        if target.status is ResourceStatus.PENDING:
            return Wait(seconds=LOOK_AGAIN, reason=f"{words} is being made")
        if target.status not in READY and target.id not in kept:
            raise StateConflictError(f"{words} is {target.status}; nothing can use it any more")
    return Done()


def _used_before(context: StepContext) -> frozenset[UUID]:
    """Return what the resource uses since earlier: a change of something else does not depend on its state."""
    if "drift" in context.given:
        return frozenset(target.id for target in context.targets)
    before = spec_before(context)
    return _NONE if before is None else frozenset(link.target_id for link in context.kind.uses(before))


def await_turn(context: StepContext) -> StepAnswer:
    """Go on with a change only if there is something to change, and nothing new to wait for."""
    if context.resource.status not in CHANGEABLE:
        words = context.resource.kind.replace("_", " ")
        raise StateConflictError(f"{words} {context.resource.name} is {context.resource.status}; it cannot be changed")
    return await_targets(context)


def driver_spec(context: StepContext) -> Json:
    """Return the driver's specification of the job's resource."""
    return _driver_json(context, context.resource)


def driver_spec_before(context: StepContext) -> Json | None:
    """Return the driver's specification before the change, None when there is nothing to go back to."""
    spec, resource = spec_before(context), context.resource
    if spec is None or resource.status is ResourceStatus.DELETING:
        return None
    return _driver_json(context, replace(resource, spec=spec, name=_before(context)["name"]))


def _driver_json(context: StepContext, resource: ResourceSnapshot[Spec]) -> Json:
    specification: Json = to_json(context.kind.driver_spec(resource))
    return specification


def spec_before(context: StepContext) -> Spec | None:
    """Return what was desired before the change, None when there is nothing to go back to."""
    before = _before(context)
    return read_spec(context.kind, before["spec"]) if before else None


def _before(context: StepContext) -> Json:
    before: Json = context.given.get("before") or NOTHING
    return before


def provision(context: StepContext) -> StepAnswer:
    return Dispatch(verb="create", spec=driver_spec(context))


def remove(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="delete")


def apply(context: StepContext) -> StepAnswer:
    return Dispatch(verb="update", spec=driver_spec(context))


def revert(context: StepContext) -> StepAnswer:
    spec = driver_spec_before(context)
    return Done() if spec is None else Dispatch(verb="update", spec=spec)


def stable_status(context: StepContext, observed: Json) -> ResourceStatus:
    """Return the status that a resource rests in."""
    return context.kind.status(observed)


def observed_by(context: StepContext, step: str) -> Json:
    """Return the driver's status that ``step`` brought back."""
    status: Json = context.outputs.get(step, NOTHING).get("status") or NOTHING
    return status


def _settled(context: StepContext, step: str) -> ResourceOutcome:
    observed, kind = observed_by(context, step), context.kind
    return ResourceOutcome(
        status=stable_status(context, observed),
        observed=observed,
        provider_reference=str(observed.get("provider_reference", "")),
        detail="",
        quota_usage=plain(kind.quota_usage(context.resource.spec)),
        keep=kind.uses(context.resource.spec),
        observed_generation=context.outputs.get(step, NOTHING).get("generation"),
    )


def _created(context: StepContext) -> ResourceOutcome:
    return replace(_settled(context, "provision"), quota_usage=None, keep=None)


def _not_created(_context: StepContext, why: str) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.FAILED, detail=why, quota_usage={}, keep=())


def updated(context: StepContext) -> ResourceOutcome:
    """Settle on the new desired state: what it no longer takes is given back only now."""
    return _settled(context, "apply")


def not_updated(context: StepContext, why: str) -> ResourceOutcome:
    """Return to the desired state before the change, since the change will not come."""
    resource, before, spec = context.resource, _before(context), spec_before(context)
    if resource.status not in CHANGEABLE:
        return ResourceOutcome()
    status = stable_status(context, resource.observed)
    if spec is None:
        return ResourceOutcome(status=status, detail=why)
    return ResourceOutcome(
        status=status,
        spec=before["spec"],
        name=before["name"],
        quota_usage=plain(context.kind.quota_usage(spec)),
        keep=context.kind.uses(spec),
        detail=why,
    )


def plain(amount: Amount) -> dict[str, int]:
    """Return an amount as JSON values."""
    return {str(key): value for key, value in amount.items()}


def _deleted(_context: StepContext) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.DELETED, detail="", quota_usage={}, keep=())


def _not_deleted(_context: StepContext, why: str) -> ResourceOutcome:
    return ResourceOutcome(status=ResourceStatus.FAILED, detail=why)


def _kept(context: StepContext, _why: str) -> ResourceOutcome:
    """Return to the state before a deletion that nobody had begun with."""
    observed = context.resource.observed
    return ResourceOutcome(status=stable_status(context, observed) if observed else ResourceStatus.FAILED)


def take(context: StepContext) -> StepAnswer:
    resource = context.resource
    words = {"project_id": str(resource.project_id), "name": resource.name, "reference": context.given["reference"]}
    return Dispatch(verb="adopt", spec={"uid": str(resource.id), **words})


def release(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="release")


def _taken(context: StepContext) -> ResourceOutcome:
    return replace(_settled(context, "take"), quota_usage=None, keep=None)


def _not_taken(_context: StepContext, why: str) -> ResourceOutcome:
    """Leave no resource behind: deleting it would be an order to delete what is not ours."""
    return ResourceOutcome(status=ResourceStatus.DELETED, detail=why, quota_usage={}, keep=())


def adoption_of(kind: str) -> Workflow:
    """Return the workflow that makes a foreign object a resource of this kind."""
    return Workflow(
        name=f"{kind}.adopt",
        steps=(Step(name="take", run=take, undo=release),),
        settle=_taken,
        fail=_not_taken,
    )


def workflows_of(kind: str) -> tuple[Workflow, ...]:
    """Return the create, update and delete workflows of a kind."""
    return (
        Workflow(
            name=f"{kind}.create",
            steps=(
                Step(name="await_targets", run=await_targets),
                Step(name="provision", run=provision, undo=remove),
            ),
            settle=_created,
            fail=_not_created,
        ),
        Workflow(
            name=f"{kind}.update",
            steps=(Step(name="await_targets", run=await_turn), Step(name="apply", run=apply, undo=revert)),
            settle=updated,
            fail=not_updated,
        ),
        Workflow(
            name=f"{kind}.delete",
            steps=(Step(name="remove", run=remove),),
            settle=_deleted,
            fail=_not_deleted,
            cancel=_kept,
        ),
    )
