# SPDX-License-Identifier: Apache-2.0
"""What only machines have: a resize before the rest of a change, reboots, and the console's text."""

from typing import Final

from stratoplane.jobs import Dispatch, Done, Step, StepAnswer
from stratoplane_engine.workflows.clustered import (
    apply,
    await_targets,
    driver_spec,
    not_updated,
    observed_by,
    stable_status,
)
from stratoplane_engine.workflows.context import NOTHING, Settlement, StepContext, Workflow

_SIZES: Final = ("vcpus", "memory_mib", "disk_gib")


def _resize(context: StepContext) -> StepAnswer:
    before = context.given.get("before", NOTHING).get("spec") or context.resource.spec
    if all(before[size] == context.resource.spec[size] for size in _SIZES):
        return Done()
    return Dispatch(verb="resize", spec=driver_spec(context))


def _updated(context: StepContext) -> Settlement:
    observed = observed_by(context, "apply")
    return Settlement(
        status=stable_status(context, observed),
        observed=observed,
        provider_reference=str(observed.get("provider_reference", "")),
        observed_generation=context.resource.generation,
    )


def _reboot(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="reboot")


def _read_console(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="console_log")


def _unchanged(context: StepContext) -> Settlement:
    return Settlement(status=context.resource.status)


def _with_text(context: StepContext) -> Settlement:
    return Settlement(status=context.resource.status, output={"text": observed_by(context, "read").get("text", "")})


def _unharmed(context: StepContext, _why: str) -> Settlement:
    return Settlement(status=context.resource.status)


UPDATE: Final = Workflow(
    name="virtual_machine.update",
    steps=(
        Step(name="await_targets", run=await_targets),
        Step(name="resize", run=_resize),
        Step(name="apply", run=apply),
    ),
    settle=_updated,
    fail=not_updated,
)
REBOOT: Final = Workflow(
    name="virtual_machine.reboot", steps=(Step(name="reboot", run=_reboot),), settle=_unchanged, fail=_unharmed
)
READ_CONSOLE: Final = Workflow(
    name="virtual_machine.read_console",
    steps=(Step(name="read", run=_read_console),),
    settle=_with_text,
    fail=_unharmed,
)
