# SPDX-License-Identifier: Apache-2.0
"""A job as a worker's claim brought it from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stratoplane.jobs import StepState
from stratoplane.kinds import ResourceSnapshot, Spec
from stratoplane_engine.db.claims import Claim, ClaimRow
from stratoplane_engine.db.connection import read
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.job import ClaimedOperation, JobError, JobStep, StepNotes
from stratoplane_engine.model.resource import Desired
from stratoplane_engine.workflows.context import JobInput, StepContext


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedJob:
    """A job as the claim brought it.

    Attributes:
        epoch: of this claim; what becomes of the job is written only while it is the job's.
        position: of the step that comes next; counts down while the job undoes.
        overdue: whether its deadline has passed.
        cancelled_by: who wants it stopped, for people; empty when nobody does.
        operation: its last driver call.
    """

    id: UUID
    kind: str
    epoch: int
    position: int
    undoing: bool
    attempts: int
    error: JobError | None
    overdue: bool
    priority: int
    cancelled_by: str
    actor: str
    request_id: str
    trace_parent: str
    context: StepContext
    steps: tuple[JobStep, ...]
    operation: ClaimedOperation | None


def read_claim(claim: Claim, kinds: Kinds) -> ClaimedJob:
    """Make the claimed job of a claim; ``kinds`` are those that this process knows.

    Raises:
        msgspec.ValidationError: another version of the platform wrote the job, in a way that makes no sense here.
    """
    row = read(ClaimRow, claim.row)
    context = StepContext(
        job_id=row.id,
        resource=_resource(row, kinds),
        job_input=_input(row, kinds),
        targets=row.targets,
        outputs={step.name: step.output for step in row.steps if step.state is StepState.DONE},
        token=notes_of(row.steps, row.position).token,
        kinds=kinds,
    )
    return ClaimedJob(
        id=row.id,
        kind=row.kind,
        epoch=row.epoch,
        position=row.position,
        undoing=row.undoing,
        attempts=row.attempts,
        error=row.error,
        overdue=row.overdue,
        priority=row.priority,
        cancelled_by=row.cancelled_by,
        actor=row.actor,
        request_id=row.request_id,
        trace_parent=row.trace_parent,
        context=context,
        steps=row.steps,
        operation=row.operation,
    )


def _resource(row: ClaimRow, kinds: Kinds) -> ResourceSnapshot[Spec]:
    resource = row.resource
    return ResourceSnapshot(
        id=resource.id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        kind=resource.kind,
        name=resource.name,
        status=resource.status,
        cluster_id=row.cluster_id,
        spec=kinds.read_spec(resource.kind, resource.spec),
        observed=resource.observed,
        quota_usage=resource.quota_usage,
        generation=resource.generation,
        observed_generation=resource.observed_generation,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    name: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Input:
    before: _Before | None = None
    drift: Mapping[str, object] | None = None
    reference: str | None = None


def _input(row: ClaimRow, kinds: Kinds) -> JobInput:
    given = read(_Input, row.input)
    before = None
    if given.before is not None:
        spec = kinds.read_spec(row.resource.kind, given.before.spec)
        before = Desired(name=given.before.name, spec=spec)
    return JobInput(before=before, drift=given.drift, reference=given.reference)


def notes_of(steps: Sequence[JobStep], position: int) -> StepNotes:
    """Return what the runner noted with the step that is running; a finished step has its output in the same place."""
    if not 0 <= position < len(steps) or steps[position].state is not StepState.RUNNING:
        return StepNotes()
    return read(StepNotes, steps[position].output)
