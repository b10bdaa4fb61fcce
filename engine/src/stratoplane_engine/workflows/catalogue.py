# SPDX-License-Identifier: Apache-2.0
"""Every workflow by its name, the ``kind`` of a job."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.workflows import virtual_machine
from stratoplane_engine.workflows.clustered import adoption_of, workflows_of
from stratoplane_engine.workflows.context import Workflow

WORKFLOWS: Final[Mapping[str, Workflow]] = MappingProxyType(
    {
        workflow.name: workflow
        for workflow in (
            *(each for kind in KINDS.values() if kind.interface for each in workflows_of(kind.name)),
            *(adoption_of(kind.name) for kind in KINDS.values() if kind.adopted),
            virtual_machine.UPDATE,
            virtual_machine.REBOOT,
            virtual_machine.READ_CONSOLE,
        )
    }
)


def step_names(kind: str) -> tuple[str, ...]:
    """Return the names of a job's steps, in order."""
    return tuple(step.name for step in WORKFLOWS[kind].steps)
