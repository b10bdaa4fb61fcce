# SPDX-License-Identifier: Apache-2.0
"""Jobs, their driver calls and leaks in the form that the API shows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from stratoplane.jobs import JobState, StepState
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.model.job import Attempt, Job, JobError, JobStep, Leak, Operation, StepError
from stratoplane_engine.model.waiting import current_step, waiting_of

_ENDED: Final = frozenset({StepState.DONE, StepState.UNDONE})
_TIMED: Final = frozenset({JobState.RUNNING, JobState.RETRYING})


def tenants_job(value: Job) -> dict[str, object]:
    """Return the wire form of a job as tenants see it: without what drivers and providers say."""
    steps = tuple(replace(each, error=each.error and for_tenants(each.error)) for each in value.steps)
    return job(replace(value, steps=steps, error=value.error and for_tenants(value.error)))


def job(value: Job) -> dict[str, object]:
    """Return the wire form of a job as operators see it."""
    return {
        "id": value.id,
        "kind": value.kind,
        "state": value.state,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "resource_id": value.resource_id,
        "resource_kind": value.resource_kind,
        "resource_name": value.resource_name,
        "progress": _progress(value.steps),
        "attempts": value.attempts,
        "priority": value.priority,
        "cancelled_by": value.cancelled_by,
        "error": _error(value.last_error),
        "output": value.output,
        "created_by": value.actor,
        "request_id": value.request_id,
        "trace_id": value.trace_id,
        "created_at": value.created_at,
        "started_at": value.started_at,
        "finished_at": value.finished_at,
        "deadline_at": value.deadline_at,
        "cancel_requested_at": value.cancel_requested_at,
        "next_run_at": value.next_run_at if value.state in _TIMED else None,
        "steps": [_step(each, value) for each in value.steps],
    }


def _progress(steps: Sequence[JobStep]) -> dict[str, object]:
    return {
        "done": sum(step.state is StepState.DONE for step in steps),
        "total": len(steps),
        "step": next((step.name for step in steps if step.state not in _ENDED), None),
    }


def _step(value: JobStep, of: Job) -> dict[str, object]:
    return {
        "name": value.name,
        "state": value.state,
        "attempts": value.attempts,
        "started_at": value.started_at,
        "finished_at": value.finished_at,
        "waits_for": _waits_for(value, of),
        "error": _step_error(value.error),
    }


def _waits_for(step: JobStep, of: Job) -> str:
    waiting = waiting_of(of) if step is current_step(of) else None
    return "" if waiting is None else str(waiting)


def _step_error(value: StepError | None) -> dict[str, object] | None:
    if value is None:
        return None
    return {"code": value.code, "detail": value.detail, "provider_text": value.provider_text}


def _error(value: JobError | None) -> dict[str, object] | None:
    if value is None:
        return None
    return {name: member for name, member in value.members().items() if name != "own"}


def operation(value: Operation) -> dict[str, object]:
    """Return the wire form of a driver call."""
    return {
        "id": value.id,
        "step": value.step or "",
        "verb": value.verb,
        "state": value.state,
        "epoch": value.epoch,
        "observe_first": value.observe_first,
        "cluster": value.cluster,
        "agent": value.agent or "",
        **_result(value.result),
        "created_at": value.created_at,
        "acknowledged_at": value.acknowledged_at,
        "finished_at": value.finished_at,
        "deadline_at": value.deadline_at,
    }


def _result(value: Attempt | None) -> dict[str, object]:
    if value is None:
        return {"outcome": "", "code": "", "detail": "", "provider_text": "", "provider_reference": ""}
    return {
        "outcome": value.outcome,
        "code": value.code,
        "detail": value.detail,
        "provider_text": value.provider_text,
        "provider_reference": str((value.status or {}).get("provider_reference", "")),
    }


def leak(value: Leak) -> dict[str, object]:
    """Return the wire form of an entry of the leak register."""
    return {
        "id": value.id,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "resource_id": value.resource_id,
        "job_id": value.job_id,
        "kind": value.kind,
        "name": value.name,
        "cluster": value.cluster or "",
        "step": value.step,
        "detail": value.detail,
        "resolved_by": value.resolved_by,
        "note": value.note,
        "found_at": value.found_at,
        "resolved_at": value.resolved_at,
    }
