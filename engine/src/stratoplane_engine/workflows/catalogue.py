# SPDX-License-Identifier: Apache-2.0
"""Every workflow by its name, the ``kind`` of a job."""

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from stratoplane.kinds import AnyKind
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.workflows import virtual_machine
from stratoplane_engine.workflows.asked import AWAIT_TARGETS
from stratoplane_engine.workflows.clustered import adoption_of, orphan_workflows_of, workflows_of
from stratoplane_engine.workflows.context import Workflow

_OF_MACHINES: Final = (virtual_machine.REBOOT, virtual_machine.READ_CONSOLE)


def workflows_for(kinds: Kinds) -> Mapping[str, Workflow]:
    """Return the workflows of every kind that a cluster's driver makes, by name."""
    return _workflows(tuple(kinds.values()))


@functools.lru_cache(maxsize=8)
def _workflows(kinds: tuple[AnyKind, ...]) -> Mapping[str, Workflow]:
    usual = (workflow for kind in kinds if kind.interface is not None for workflow in _of_kind(kind))
    return MappingProxyType({workflow.name: workflow for workflow in (*usual, *_OF_MACHINES)})


def _of_kind(kind: AnyKind) -> Iterable[Workflow]:
    yield from workflows_of(kind)
    yield from orphan_workflows_of(kind.name)
    if kind.is_adoptable:
        yield adoption_of(kind.name)


WORKFLOWS: Final = workflows_for(BUILTIN_KINDS)
"""The workflows of the built-in kinds."""


def step_names(kind: str, kinds: Kinds) -> tuple[str, ...]:
    """Return the names of the steps of a job of this kind that does just what it is called, in order."""
    resource_kind, _, verb = kind.partition(".")
    if any(change.verb == verb for change in kinds[resource_kind].all_changes):
        return AWAIT_TARGETS, verb
    return tuple(step.name for step in workflows_for(kinds)[kind].steps)
