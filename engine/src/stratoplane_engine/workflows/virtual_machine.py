# SPDX-License-Identifier: Apache-2.0
"""What only machines have: reboots, and the console's text."""

from typing import Final

from stratoplane.jobs import Dispatch, Step, StepAnswer
from stratoplane_engine.workflows.clustered import driver_answer
from stratoplane_engine.workflows.context import ResourceOutcome, StepContext, Workflow


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


REBOOT: Final = Workflow(
    name="virtual_machine.reboot", steps=(Step(name="reboot", run=_reboot),), settle=_unchanged, fail=_unharmed
)
READ_CONSOLE: Final = Workflow(
    name="virtual_machine.read_console",
    steps=(Step(name="read", run=_read_console),),
    settle=_with_text,
    fail=_unharmed,
)
