# SPDX-License-Identifier: Apache-2.0
"""What a step may look at, and what a workflow makes of its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from stratoplane.jobs import Step
from stratoplane.kinds import AnyKind, Link, ResourceSnapshot, Spec
from stratoplane.resources import ResourceStatus
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedTarget:
    """A resource that the job's resource uses."""

    id: UUID
    kind: str
    name: str
    status: ResourceStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class StepContext:
    """Everything a step may look at; the claiming statement fetched it.

    Attributes:
        given: the job's input.
        outputs: of the finished steps, by name.
        token: the bookmark of the step's last :class:`~stratoplane.jobs.Wait`.
        kinds: those that the worker knows; the resource's is among them, or the job's workflow would not be known.
    """

    job_id: UUID
    resource: ResourceSnapshot[Spec]
    given: Json
    targets: tuple[LinkedTarget, ...] = ()
    outputs: Mapping[str, Json] = field(default_factory=dict)
    token: Json = field(default_factory=dict)
    kinds: Kinds = BUILTIN_KINDS

    @property
    def kind(self) -> AnyKind:
        """The kind of the job's resource."""
        return self.kinds[self.resource.kind]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceOutcome:
    """What the end of a job makes of its resource; None leaves a member as it is.

    Attributes:
        status: the new status.
        quota_usage: what it holds of the quotas from now on; the difference is given back.
        spec: the desired state, where a failed change returns to the one before.
        keep: what it still uses; every other link is cut.
        output: the job's output for people.
    """

    status: ResourceStatus | None = None
    observed: Json | None = None
    provider_reference: str | None = None
    quota_usage: Json | None = None
    spec: Json | None = None
    name: str | None = None
    detail: str | None = None
    keep: tuple[Link, ...] | None = None
    observed_generation: int | None = None
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """A kind of job.

    Attributes:
        settle: what success makes of the resource.
        fail: what a failure makes of it, given the error's text; called after everything was undone.
        cancel: what being stopped makes of it, where that is not the same.
    """

    name: str
    steps: tuple[Step[StepContext], ...]
    settle: Callable[[StepContext], ResourceOutcome]
    fail: Callable[[StepContext, str], ResourceOutcome]
    cancel: Callable[[StepContext, str], ResourceOutcome] | None = None


NOTHING: Final[Json] = {}
