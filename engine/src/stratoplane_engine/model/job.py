# SPDX-License-Identifier: Apache-2.0
"""Jobs, their steps, and the driver calls that steps make."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from stratoplane.jobs import JobState, StepState
from stratoplane.messages import Outcome
from stratoplane.resources import ResourceStatus
from stratoplane_engine.model.trace import trace_id


@dataclass(frozen=True, kw_only=True, slots=True)
class StepError:
    """Why an attempt at a step failed.

    Attributes:
        code: stable name to program against.
        detail: what happened and what to do, for people.
        provider_text: the provider's own words, whole.
        own: whether ``detail`` is the platform's own; a driver's names what only operators may see.
    """

    code: str
    detail: str
    provider_text: str = ""
    own: bool = False

    def of_job(self, step: str | None = None) -> "JobError":
        """Return it as the error of a job that it ends, or keeps waiting, at a step."""
        return JobError(code=self.code, detail=self.detail, provider_text=self.provider_text, own=self.own, step=step)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobError:
    """Why a job failed, at which step, and which steps could not be undone (``leaks``); ``own`` as of a step."""

    code: str
    detail: str
    provider_text: str = ""
    own: bool = False
    step: str | None = None
    leaks: tuple[str, ...] | None = None

    def members(self) -> dict[str, object]:
        """Return the members that are set, as JSON values."""
        present = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in present.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStep:
    """One step of a job.

    Attributes:
        output: JSON values that the step left for later steps; while it runs, the runner's :class:`StepNotes`.
    """

    position: int
    name: str
    state: StepState = StepState.PENDING
    attempts: int = 0
    output: Mapping[str, object] = field(default_factory=dict)
    error: StepError | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepNotes:
    """What the runner notes with a step while it runs.

    Attributes:
        reason: what it waits for, for people.
        token: the step's own bookmark of its last wait, JSON values.
        generation: the resource's, when the driver call was made.
        used: id of the driver call whose result was acted on last.
        uncertain: whether any attempt may have taken effect.
    """

    reason: str = ""
    token: Mapping[str, object] = field(default_factory=dict)
    generation: int | None = None
    used: UUID | None = None
    uncertain: bool = False

    def members(self) -> dict[str, object]:
        """Return the notes as JSON values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobAhead:
    """The job of the same resource that runs before another may begin."""

    id: UUID
    kind: str


class OperationState(StrEnum):
    """Where a driver call is between the engine and an agent."""

    QUEUED = "QUEUED"
    """No agent was offered it yet, or the offer lapsed."""
    OFFERED = "OFFERED"
    """An agent was told of it and has not acknowledged."""
    RUNNING = "RUNNING"
    """The agent has acknowledged: it executes the call, whatever happens to the connection."""
    DONE = "DONE"
    """The agent has reported a result."""
    ABANDONED = "ABANDONED"
    """Its time passed, or it was taken back; a result that comes now counts for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCall:
    """A driver call that has no result yet.

    Attributes:
        cluster: name of the one that it is for.
        open_until: until when the cluster is sent nothing, because its provider keeps failing.
        on_trial: whether the cluster is sent one call at a time, because its provider kept failing.
    """

    cluster: str
    state: OperationState
    open_until: datetime | None = None
    on_trial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A workflow that a change caused.

    Attributes:
        kind: the workflow's name, as ``virtual_machine.create``.
        input: JSON values that the workflow was given.
        output: JSON values for people, as the text of a console.
        cancelled_by: who wants it stopped; empty while nobody does.
        actor: who caused it, as ``user:alice``.
        trace_parent: W3C trace context of the request.
        disabled_cluster: name of the cluster that is disabled while the job waits for it to be enabled.
        silent_cluster: name of the cluster whose agent does not answer while the job waits for it.
        ahead: the job of the same resource that it waits for.
        call: its driver call that has no result yet.
        worker_ended: whether the worker that moved it ended before it wrote what became of it.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    resource_id: UUID
    resource_kind: str
    resource_name: str
    kind: str
    created_at: datetime
    deadline_at: datetime
    actor: str
    steps: tuple[JobStep, ...] = ()
    cluster_id: UUID | None = None
    state: JobState = JobState.PENDING
    input: Mapping[str, object] = field(default_factory=dict)
    output: Mapping[str, object] = field(default_factory=dict)
    error: JobError | None = None
    attempts: int = 0
    priority: int = 0
    request_id: str = ""
    trace_parent: str = ""
    cancelled_by: str = ""
    cancel_requested_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    next_run_at: datetime | None = None
    silent_cluster: str | None = None
    disabled_cluster: str | None = None
    ahead: JobAhead | None = None
    call: OpenCall | None = None
    worker_ended: bool = False

    @property
    def trace_id(self) -> str:
        """The trace id of the request that caused it, empty when there is none."""
        return trace_id(self.trace_parent)

    @property
    def last_error(self) -> JobError | None:
        """Why it failed, or what the next attempt is made for."""
        step = next((each for each in self.steps if each.state is StepState.RUNNING and each.error is not None), None)
        if self.error is not None or self.state is not JobState.RETRYING or step is None or step.error is None:
            return self.error
        return step.error.of_job(step.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which jobs a list shows; None does not narrow."""

    organization_id: UUID | None = None
    project_id: UUID | None = None
    resource_id: UUID | None = None
    state: JobState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What the execution of a driver call came to.

    Attributes:
        outcome: how it ended.
        code: stable name of the error, empty where the outcome says it all.
        status: the driver's status of the object, JSON values.
        retry_after: seconds that the provider wants to be left alone.
    """

    outcome: Outcome
    code: str = ""
    detail: str = ""
    provider_text: str = ""
    status: Mapping[str, object] | None = None
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One driver call for a cluster's agent.

    Attributes:
        step: name of the job's step that makes it.
        epoch: grows with every offer; an answer at an older one counts for nothing.
        observe_first: whether an earlier attempt may have taken effect.
        agent: name of the agent that it was offered to last.
    """

    id: UUID
    position: int
    verb: str
    state: OperationState
    epoch: int
    observe_first: bool
    cluster: str
    created_at: datetime
    deadline_at: datetime
    step: str | None = None
    agent: str | None = None
    acknowledged_at: datetime | None = None
    finished_at: datetime | None = None
    result: Attempt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedOperation:
    """The last driver call of a job as a worker finds it; no result while an agent has it."""

    id: UUID
    position: int
    verb: str
    state: OperationState
    result: Attempt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationDraft:
    """A driver call to offer to a cluster's agent.

    Attributes:
        position: of the job's step that makes it.
        spec: the driver's specification: a dataclass of the driver contract, or JSON values.
        observe_first: whether an earlier attempt may have taken effect.
    """

    id: UUID
    organization_id: UUID
    job_id: UUID
    position: int
    cluster_id: UUID | None
    resource_id: UUID
    kind: str
    verb: str
    spec: object
    observe_first: bool
    timeout_seconds: float
    priority: int
    trace_parent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedTarget:
    """A resource that a job's resource uses, as a worker finds it."""

    id: UUID
    kind: str
    name: str
    status: ResourceStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """What a failed job could not undo and may have left at a provider."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    resource_id: UUID
    kind: str
    name: str
    job_id: UUID
    step: str
    detail: str
    cluster_id: UUID | None = None
    cluster: str | None = None
    found_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    note: str = ""


class LeakFilter(StrEnum):
    """Which entries of the leak register a list shows."""

    OPEN = "OPEN"
    """Those that nobody has closed yet."""
    ALL = "ALL"
