# SPDX-License-Identifier: Apache-2.0
"""What only machines have: a resize before the rest of a change, reboots, and the console's text."""

from typing import Final

from stratoplane.jobs import Dispatch, Done, Step, StepAnswer
from stratoplane_engine.kinds.virtual_machine import VirtualMachineSpec
from stratoplane_engine.workflows.clustered import (
    apply,
    await_turn,
    driver_answer,
    driver_spec,
    driver_spec_before,
    not_updated,
    revert,
    updated,
)
from stratoplane_engine.workflows.context import ResourceOutcome, StepContext, Workflow

_SIZE: Final = frozenset({"vcpus", "memory_mib"})


def _other_size(context: StepContext) -> bool:
    """Tell whether a change asks for another size than the machine has: than was desired, or than was observed."""
    before, wanted = context.job_input.before, context.resource.spec
    if before is None:
        return False
    if not _SIZE.isdisjoint(context.job_input.drift or {}):
        return True
    former = before.spec
    if not isinstance(former, VirtualMachineSpec) or not isinstance(wanted, VirtualMachineSpec):
        return False
    return (former.vcpus, former.memory_mib, former.disk_gib) != (wanted.vcpus, wanted.memory_mib, wanted.disk_gib)


def _resize(context: StepContext) -> StepAnswer:
    return Dispatch(verb="resize", spec=driver_spec(context)) if _other_size(context) else Done()


def _resize_back(context: StepContext) -> StepAnswer:
    spec = driver_spec_before(context) if _other_size(context) else None
    return Done() if spec is None else Dispatch(verb="resize", spec=spec)


def _reboot(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="reboot")


def _read_console(_context: StepContext) -> StepAnswer:
    return Dispatch(verb="console_log")


def _unchanged(_context: StepContext) -> ResourceOutcome:
    return ResourceOutcome()


def _with_text(context: StepContext) -> ResourceOutcome:
    return ResourceOutcome(output={"text": driver_answer(context, "read").status.get("text", "")})


def _unharmed(_context: StepContext, _why: str) -> ResourceOutcome:
    return ResourceOutcome()


UPDATE: Final = Workflow(
    name="virtual_machine.update",
    steps=(
        Step(name="await_targets", run=await_turn),
        Step(name="resize", run=_resize, undo=_resize_back),
        Step(name="apply", run=apply, undo=revert),
    ),
    settle=updated,
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
