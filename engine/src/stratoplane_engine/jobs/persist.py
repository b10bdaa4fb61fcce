# SPDX-License-Identifier: Apache-2.0
"""Writing what became of claimed jobs: they, their steps and operations, their resources, and what follows from it.

A batch takes two flushes: what moves the jobs, which tells whose claim still holds, and everything else with the
commit; a third between them where jobs have ended, since quotas depend on what their resources become.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.jobs import JobState
from stratoplane.quota import difference
from stratoplane_engine.accounting import ClaimChange, QuotaChange, claim_change, quota_changes
from stratoplane_engine.db import accounts, audit, incidents, job_updates, leaks
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_updates import FollowingChange, HandedOn, JobMove, OutcomeRow, SettledResource
from stratoplane_engine.jobs import failure_records
from stratoplane_engine.jobs.runner import JobUpdate
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.kinds.catalogue import Kinds, read_spec
from stratoplane_engine.model.resource import Desired
from stratoplane_engine.model.trace import trace_id
from stratoplane_engine.workflows.asked import asked_of_observed, read_drift

_AUDITED: Final = {
    JobState.SUCCEEDED: (AuditAction.JOB_SUCCEEDED, "succeeded"),
    JobState.FAILED: (AuditAction.JOB_FAILED, "failed"),
    JobState.CANCELLED: (AuditAction.JOB_CANCELLED, "failed"),
}


def persist_updates(connection: Connection, updates: Sequence[JobUpdate]) -> frozenset[UUID]:
    """Write the updates whose claim still holds, everything of them or nothing; return the ids of those jobs."""
    ordered = sorted(updates, key=lambda update: update.job.id)
    current = job_updates.move(connection, [job_move(update) for update in ordered])
    mine = [update for update in ordered if update.job.id in current]
    outcomes = outcome_rows(mine)
    settled = job_updates.settle(connection, outcomes)
    following = job_updates.following_changes(connection, outcomes, settled)
    job_updates.hand_on(connection, [handed_on(each, connection.kinds) for each in following])
    accounts.give_back(connection, *returned(settled))
    leaks.insert(connection, [leak for update in mine for leak in failure_records.leaks(update)])
    incidents.report(connection, *(finding for update in mine for finding in failure_records.findings(update)))
    incidents.resolve(connection, *(key for update in mine for key in failure_records.cleared(update)))
    audit.write(connection, *(_audit_record(update) for update in mine if update.state in _AUDITED))
    return current


def job_move(update: JobUpdate) -> JobMove:
    """Return what is written of the job, its steps and its driver call."""
    return JobMove(
        id=update.job.id,
        epoch=update.job.epoch,
        state=update.state,
        position=update.position,
        undoing=update.undoing,
        attempts=update.attempts,
        next_run_in=update.next_run_in,
        error=update.error.members() if update.error else None,
        output=update.outcome.output if update.outcome else None,
        steps=update.steps,
        operation=update.operation,
    )


def outcome_rows(updates: Iterable[JobUpdate]) -> list[OutcomeRow]:
    """Return what is written of the resources of jobs that have ended."""
    return [_outcome_row(update) for update in updates if update.outcome is not None]


def _outcome_row(update: JobUpdate) -> OutcomeRow:
    outcome, resource = update.outcome, update.job.context.resource
    assert outcome is not None  # noqa: S101  # for mypy: the caller has looked
    usage = outcome.quota_usage
    return OutcomeRow(
        id=resource.id,
        organization_id=resource.organization_id,
        generation=resource.generation,
        status=outcome.status,
        observed=outcome.observed,
        provider_reference=outcome.provider_reference,
        quota_usage=None if usage is None else {str(key): amount for key, amount in usage.items()},
        spec=outcome.spec,
        name=outcome.name,
        detail=outcome.detail,
        keep=outcome.keep,
        observed_generation=outcome.observed_generation,
    )


def returned(settled: Iterable[SettledResource]) -> tuple[list[QuotaChange], list[ClaimChange]]:
    """Return what changes in quotas and clusters' claims, since resources take less (or again more) than before."""
    quota: list[QuotaChange] = []
    claims: list[ClaimChange] = []
    for each in settled:
        change = difference(each.previous_usage, each.quota_usage)
        quota += quota_changes(each.organization_id, each.project_id, change)
        if each.cluster_id is not None:
            claims.append(claim_change(each.cluster_id, change))
    return quota, [each for each in claims if not each.is_nothing]


def handed_on(following: FollowingChange, kinds: Kinds) -> HandedOn:
    """Return what a change gets that has to do what the one before it did not; it keeps its name."""
    kind = kinds[following.resource_kind]
    before = Desired(name=following.name_before, spec=read_spec(kind, following.spec_before))
    after = Desired(name=following.name, spec=read_spec(kind, following.spec))
    found = asked_of_observed(kind, before, after, read_drift(following.drift))
    return HandedOn(
        id=following.id,
        before={"spec": following.spec_before, "name": following.name_before},
        steps=found.steps(following.kind.partition(".")[2]),
    )


def _audit_record(update: JobUpdate) -> AuditRecord:
    action, outcome = _AUDITED[update.state]
    job, resource = update.job, update.job.context.resource
    # Tenants read it, and it cannot be changed any more.
    error = for_tenants(update.error).members() if update.error else None
    return AuditRecord(
        action=action,
        actor="engine",
        outcome=outcome,
        organization_id=resource.organization_id,
        project_id=resource.project_id,
        subject_id=resource.id,
        subject_name=resource.name,
        request_id=job.request_id,
        trace_id=trace_id(job.trace_parent),
        detail={"job_id": str(job.id), "job": job.kind, "on_behalf_of": job.actor, "error": error},
    )
