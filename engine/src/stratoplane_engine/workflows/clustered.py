# SPDX-License-Identifier: Apache-2.0
"""Create, update and delete of everything that a cluster's driver makes: the same steps for every kind."""

from typing import Final

from stratoplane.errors import StateConflictError
from stratoplane.jobs import Dispatch, Done, Step, StepAnswer, Wait
from stratoplane.resources import READY, ResourceStatus
from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.kinds.draft import Json
from stratoplane_engine.workflows.context import NOTHING, Settlement, StepContext, Workflow

LOOK_AGAIN: Final = 2.0
"""Seconds until a job that waits for another resource looks by itself; the end of the other's job wakes it sooner."""


def await_targets(context: StepContext) -> StepAnswer:
    """Wait until everything that the resource uses is ready."""
    for target in context.targets:
        words = f"{target.kind.replace('_', ' ')} {target.name}"
        if target.status is ResourceStatus.PENDING:
            return Wait(seconds=LOOK_AGAIN, reason=f"{words} is being made")
        if target.status not in READY:
            raise StateConflictError(f"{words} is {target.status}; nothing can use it any more")
    return Done()


def driver_spec(context: StepContext) -> Json:
    """Return the driver's specification of the job's resource."""
    return KINDS[context.resource.kind].driver_spec(context.resource)


def provision(context: StepContext) -> StepAnswer:
    return Dispatch(verb="create", spec=driver_spec(context))


def remove(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="delete")


def apply(context: StepContext) -> StepAnswer:
    return Dispatch(verb="update", spec=driver_spec(context))


def stable_status(context: StepContext, observed: Json) -> ResourceStatus:
    """Return the status that a resource rests in."""
    return KINDS[context.resource.kind].status(observed)


def observed_by(context: StepContext, step: str) -> Json:
    """Return the driver's status that ``step`` brought back."""
    status: Json = context.outputs.get(step, NOTHING).get("status") or NOTHING
    return status


def _settled(context: StepContext, observed: Json) -> Settlement:
    return Settlement(
        status=stable_status(context, observed),
        observed=observed,
        provider_reference=str(observed.get("provider_reference", "")),
        observed_generation=context.resource.generation,
    )


def _created(context: StepContext) -> Settlement:
    return _settled(context, observed_by(context, "provision"))


def _not_created(_context: StepContext, why: str) -> Settlement:
    return Settlement(status=ResourceStatus.FAILED, detail=why, holds={}, unlink=True)


def _updated(context: StepContext) -> Settlement:
    return _settled(context, observed_by(context, "apply"))


def not_updated(context: StepContext, why: str) -> Settlement:
    """Return to the desired state before the change, since the change will not come."""
    before = context.given.get("before", NOTHING)
    return Settlement(
        status=stable_status(context, context.resource.observed),
        spec=before.get("spec"),
        holds=before.get("holds"),
        name=before.get("name"),
        detail=why,
    )


def _deleted(_context: StepContext) -> Settlement:
    return Settlement(status=ResourceStatus.DELETED, holds={}, unlink=True)


def _not_deleted(_context: StepContext, why: str) -> Settlement:
    return Settlement(status=ResourceStatus.FAILED, detail=why)


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
            steps=(Step(name="await_targets", run=await_targets), Step(name="apply", run=apply)),
            settle=_updated,
            fail=not_updated,
        ),
        Workflow(name=f"{kind}.delete", steps=(Step(name="remove", run=remove),), settle=_deleted, fail=_not_deleted),
    )
