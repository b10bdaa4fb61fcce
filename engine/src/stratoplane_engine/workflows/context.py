# SPDX-License-Identifier: Apache-2.0
"""What a step may look at, and what a workflow makes of its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from stratoplane.jobs import Step
from stratoplane.kinds import AnyKind, Link, Observed, ResourceSnapshot, Spec
from stratoplane.quota import Amount
from stratoplane.resources import ResourceStatus
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.model.job import LinkedTarget
from stratoplane_engine.model.resource import Desired


@dataclass(frozen=True, kw_only=True, slots=True)
class JobInput:
    """What a job was given.

    Attributes:
        before: the desired state that a change began from, to which it goes back when it fails.
        drift: fields that a correction, or a change that asks for them, finds otherwise, each with what is desired and
            what is observed, JSON values.
        reference: of an adoption: the provider's own id of the object.
    """

    before: Desired | None = None
    drift: Mapping[str, object] | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepContext:
    """Everything a step may look at; the claiming statement fetched it.

    Attributes:
        outputs: of the finished steps, by name, JSON values.
        token: the bookmark of the step's last :class:`~stratoplane.jobs.Wait`.
        kinds: those that the worker knows; the resource's is among them, or the job's workflow would not be known.
    """

    job_id: UUID
    resource: ResourceSnapshot[Spec]
    job_input: JobInput = field(default_factory=JobInput)
    targets: tuple[LinkedTarget, ...] = ()
    outputs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    token: Mapping[str, object] = field(default_factory=dict)
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
        quota_usage: what it takes of the quotas from now on; the difference is given back.
        spec: the desired state, where a failed change returns to the one before.
        keep: what it still uses; every other link is cut.
        output: the job's output for people, JSON values.
    """

    status: ResourceStatus | None = None
    observed: Observed | None = None
    provider_reference: str | None = None
    quota_usage: Amount | None = None
    spec: Spec | None = None
    name: str | None = None
    detail: str | None = None
    keep: tuple[Link, ...] | None = None
    observed_generation: int | None = None
    output: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workflow:
    """A kind of job.

    Attributes:
        steps: those that its jobs may have, in order.
        settle: what success makes of the resource.
        fail: what a failure makes of it, given the error's text; called after everything was undone.
        cancel: what being stopped makes of it, where that is not the same.
    """

    name: str
    steps: tuple[Step[StepContext], ...]
    settle: Callable[[StepContext], ResourceOutcome]
    fail: Callable[[StepContext, str], ResourceOutcome]
    cancel: Callable[[StepContext, str], ResourceOutcome] | None = None

    def with_steps(self, names: Sequence[str]) -> "Workflow":
        """Return it with the steps of these names, those that one of its jobs was given.

        Raises:
            KeyError: it has no such step; another version of the platform gave it to the job.
        """
        known = {step.name: step for step in self.steps}
        return replace(self, steps=tuple(known[name] for name in names))
