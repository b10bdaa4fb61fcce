# SPDX-License-Identifier: Apache-2.0
"""A job as a worker's claim brought it from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stratoplane.jobs import StepState
from stratoplane.kinds import ResourceSnapshot, Spec
from stratoplane.resources import ResourceStatus
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.workflows.context import LinkedTarget, StepContext


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedJob:
    """A job as the claim brought it.

    Attributes:
        cancelled_by: who wants it stopped, for people; empty when nobody does.
    """

    id: UUID
    kind: str
    epoch: int
    position: int
    undoing: bool
    attempts: int
    error: Mapping[str, Any] | None
    overdue: bool
    priority: int
    cancelled_by: str
    actor: str
    request_id: str
    trace_parent: str
    context: StepContext
    steps: tuple[Mapping[str, Any], ...]
    operation: Mapping[str, Any] | None


def read_claim(row: Mapping[str, Any], kinds: Kinds = BUILTIN_KINDS) -> ClaimedJob:
    """Make the claimed job of a claim's row."""
    resource = row["resource"]
    described: ResourceSnapshot[Spec] = ResourceSnapshot(
        id=UUID(resource["id"]),
        organization_id=row["organization_id"],
        project_id=row["project_id"],
        kind=resource["kind"],
        name=resource["name"],
        status=ResourceStatus(resource["status"]),
        cluster_id=row["cluster_id"],
        spec=kinds.read_spec(resource["kind"], resource["spec"]),
        observed=resource["observed"],
        quota_usage=resource["quota_usage"],
        generation=resource["generation"],
        observed_generation=resource["observed_generation"],
    )
    targets = tuple(
        LinkedTarget(id=UUID(each["id"]), kind=each["kind"], name=each["name"], status=ResourceStatus(each["status"]))
        for each in row["targets"] or ()
    )
    steps = tuple(row["steps"] or ())
    context = StepContext(
        job_id=row["id"],
        resource=described,
        given=row["input"],
        targets=targets,
        outputs={step["name"]: step["output"] for step in steps if step["state"] == StepState.DONE},
        token=notes_of(steps, row["position"]).get("token", {}),
        kinds=kinds,
    )
    copied = ("id", "kind", "epoch", "position", "undoing", "attempts", "error", "overdue", "priority")
    words = ("cancelled_by", "actor", "request_id", "trace_parent")
    return ClaimedJob(
        **{name: row[name] for name in (*copied, *words)},
        context=context,
        steps=steps,
        operation=row["operation"],
    )


def notes_of(steps: Sequence[Mapping[str, Any]], position: int) -> Mapping[str, Any]:
    """Return what the runner noted with the step at work; a finished step has its output in the same place."""
    if not 0 <= position < len(steps) or steps[position]["state"] != StepState.RUNNING:
        return {}
    notes: Mapping[str, Any] = steps[position]["output"]
    return notes
