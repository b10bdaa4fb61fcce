# SPDX-License-Identifier: Apache-2.0
"""Writing verdicts back: the jobs, their steps and operations, what became of the resources, and what follows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stratoplane.audit import AuditAction
from stratoplane.ids import new_id
from stratoplane.jobs import TERMINAL, JobState
from stratoplane.kinds import Link
from stratoplane.quota import difference
from stratoplane_engine.accounting import ClaimChange, QuotaChange, claim_change, quota_changes
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import incidents as incident_rows
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db import leaks as leak_rows
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.jobs.failure_records import findings, leaks
from stratoplane_engine.jobs.runner import Verdict
from stratoplane_engine.kinds import wire_form

_AUDIT_ACTIONS: Final = {
    JobState.SUCCEEDED: (AuditAction.JOB_SUCCEEDED, "succeeded"),
    JobState.FAILED: (AuditAction.JOB_FAILED, "failed"),
    JobState.CANCELLED: (AuditAction.JOB_CANCELLED, "failed"),
}


def persist_verdicts(connection: Connection, verdicts: Sequence[Verdict]) -> frozenset[Any]:
    """Write the verdicts whose claim still holds, everything of them or nothing; return the ids of those jobs."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.job.id)
    current = rows.move(connection, [_job_row(verdict) for verdict in ordered])
    mine = [verdict for verdict in ordered if verdict.job.id in current]
    rows.move_steps(connection, [step for verdict in mine for step in verdict.steps])
    rows.insert_operations(connection, [verdict.operation for verdict in mine if verdict.operation])
    settled = rows.settle(connection, [row for verdict in mine if (row := _settlement_row(verdict))])
    quota, claims = _returned(settled)
    rows.give_back(connection, quota, claims)
    leak_rows.insert(connection, [leak for verdict in mine for leak in leaks(verdict)])
    incident_rows.report(connection, *(seen for verdict in mine for seen in findings(verdict)))
    audit_rows.insert(connection, [_audit_row(verdict) for verdict in mine if verdict.state in TERMINAL])
    return current


def _job_row(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.job.id,
        "epoch": verdict.job.epoch,
        "state": verdict.state.value,
        "position": verdict.position,
        "undoing": verdict.undoing,
        "attempts": verdict.attempts,
        "next_run_in": verdict.next_run_in,
        "error": verdict.error,
        "output": verdict.settlement.output if verdict.settlement else None,
    }


def _settlement_row(verdict: Verdict) -> dict[str, Any] | None:
    settlement, resource = verdict.settlement, verdict.job.context.resource
    if settlement is None:
        return None
    return {
        "id": resource.id,
        "organization_id": resource.organization_id,
        "status": settlement.status.value if settlement.status else None,
        "generation": resource.generation,
        "observed": settlement.observed,
        "provider_reference": settlement.provider_reference,
        "quota_usage": settlement.quota_usage,
        "spec": settlement.spec,
        "name": settlement.name,
        "detail": settlement.detail,
        "keep": None if settlement.keep is None else [_link(link) for link in settlement.keep],
        "observed_generation": settlement.observed_generation,
    }


def _link(link: Link) -> dict[str, Any]:
    return {"target_id": link.target_id, "role": link.role}


def _returned(settled: Sequence[Mapping[str, Any]]) -> tuple[list[QuotaChange], list[ClaimChange]]:
    """Return the quota lines and cluster claims that follow from what the resources no longer (or again) hold."""
    quota, claims = list[QuotaChange](), list[ClaimChange]()
    for row in settled:
        before = dict(row["previous_usage"])
        after = dict(row["quota_usage"])
        change = difference(before, after)
        quota += quota_changes(row["organization_id"], row["project_id"], change)
        if row["cluster_id"] is not None and not (claim := claim_change(row["cluster_id"], change)).is_nothing:
            claims.append(claim)
    return quota, claims


def _audit_row(verdict: Verdict) -> dict[str, Any]:
    action, outcome = _AUDIT_ACTIONS[verdict.state]
    job, resource = verdict.job, verdict.job.context.resource
    return {
        "id": new_id(),
        "organization_id": resource.organization_id,
        "project_id": resource.project_id,
        "action": action.value,
        "outcome": outcome,
        "actor": "engine",
        "subject_id": resource.id,
        "subject_name": resource.name,
        "request_id": job.request_id,
        "trace_id": wire_form.trace_id(job.trace_parent),
        "detail": {"job_id": job.id, "job": job.kind, "on_behalf_of": job.actor, "error": verdict.error},
    }
