# SPDX-License-Identifier: Apache-2.0
"""Claim many jobs, move each on, write everything back: the worker's whole work, in two transactions a batch."""

import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from stratoplane.audit import AuditAction
from stratoplane.hookspecs import CommittedEvent
from stratoplane.ids import new_id
from stratoplane.jobs import TERMINAL, JobState
from stratoplane.quota import QuotaKey, difference
from stratoplane_engine.claims import read_claim
from stratoplane_engine.db import audit as audit_rows
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.kinds.draft import Link
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.runner import Verdict, advance, quarantine
from stratoplane_engine.services.acceptance import claim

_log: Final = logging.getLogger(__name__)
BATCH: Final = 100
MOST_CRASHES: Final = 3
_AUDIT_ACTIONS: Final = {
    JobState.SUCCEEDED: (AuditAction.JOB_SUCCEEDED, "succeeded"),
    JobState.FAILED: (AuditAction.JOB_FAILED, "failed"),
    JobState.CANCELLED: (AuditAction.JOB_CANCELLED, "failed"),
}


def drain(database: Database, plugins: Plugins, *, owner: str, generator: random.Random) -> int:
    """Move on every job that can be moved on now.

    Args:
        owner: who claims, for operators.
        generator: supplies the jitter of retries.

    Returns:
        How many jobs were moved.

    Raises:
        UnavailableError: the database does not answer; claimed jobs are claimed again when their lease has ended.
    """
    moved = 0
    while True:
        with database.system() as connection:
            claimed = rows.claim(connection, owner=owner, limit=BATCH)
        fresh = [row for row in claimed if not row["crashes"]]
        suspects = [row for row in claimed if row["crashes"]]
        verdicts = [each for batch in (fresh, suspects) if batch for each in _move(database, plugins, batch, generator)]
        moved += len(verdicts)
        if len(fresh) < BATCH and not suspects and not any(verdict.settlement for verdict in verdicts):
            # Nothing was left over, and no end of a job has woken another.
            return moved


def _move(
    database: Database, plugins: Plugins, claimed: Sequence[Mapping[str, Any]], generator: random.Random
) -> Sequence[Verdict]:
    """Move claimed jobs and return the verdicts that counted."""
    verdicts = [verdict for row in claimed if (verdict := _judge(row, generator))]
    current = _written(database, verdicts)
    counted = [verdict for verdict in verdicts if verdict.job.id in current]
    _tell(plugins, counted)
    return counted


def _judge(row: Mapping[str, Any], generator: random.Random) -> Verdict | None:
    try:
        job = read_claim(row)
        return advance(job, generator) if row["crashes"] < MOST_CRASHES else quarantine(job)
    except Exception:  # noqa: BLE001  # one job that cannot be judged must not hold up those claimed with it
        _log.exception(
            "job %s (%s) cannot be moved; it is tried again when its lease has ended", row["id"], row["kind"]
        )
        return None


def _written(database: Database, verdicts: Sequence[Verdict]) -> frozenset[Any]:
    """Write the verdicts back together, or one by one when one of them stands in the way of all."""
    try:
        with database.system() as connection:
            current = write_back(connection, verdicts)
    except DBAPIError as error:
        if len(verdicts) == 1:
            _log.exception(
                "job %s cannot be written back; it is tried again when its lease has ended", verdicts[0].job.id
            )
            return frozenset()
        _log.warning("verdicts are written back one by one: %s", error)
        return frozenset().union(*(_written(database, [verdict]) for verdict in verdicts))
    if stale := len(verdicts) - len(current):
        _log.warning("%d verdicts were refused: another worker had claimed those jobs", stale)
    return current


def write_back(connection: Connection, verdicts: Sequence[Verdict]) -> frozenset[Any]:
    """Write the verdicts whose claim still holds, everything of them or nothing; return the ids of those jobs."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.job.id)
    current = rows.move(connection, [_job_row(verdict) for verdict in ordered])
    mine = [verdict for verdict in ordered if verdict.job.id in current]
    rows.move_steps(connection, [step for verdict in mine for step in verdict.steps])
    rows.insert_operations(connection, [verdict.operation for verdict in mine if verdict.operation])
    settled = rows.settle(connection, [row for verdict in mine if (row := _settlement_row(verdict))])
    quota, claims = _returned(settled)
    rows.give_back(connection, quota, claims)
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
        "holds": settlement.holds,
        "spec": settlement.spec,
        "name": settlement.name,
        "detail": settlement.detail,
        "keep": None if settlement.keep is None else [_link(link) for link in settlement.keep],
        "observed_generation": settlement.observed_generation,
    }


def _link(link: Link) -> dict[str, Any]:
    return {"target_id": link.target_id, "role": link.role}


def _returned(settled: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the quota lines and cluster claims that follow from what the resources no longer (or again) hold."""
    quota, claims = [], []
    for row in settled:
        before = {QuotaKey(key): amount for key, amount in row["held_before"].items()}
        after = {QuotaKey(key): amount for key, amount in row["holds"].items()}
        change = difference(before, after)
        quota += [
            {"organization_id": row["organization_id"], "scope_id": scope, "key": key.value, "amount": amount}
            for scope in (row["organization_id"], row["project_id"])
            for key, amount in change.items()
        ]
        if claimed := claim(row["cluster_id"], change):
            claims.append(claimed)
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


def _tell(plugins: Plugins, verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.settlement is None:
            continue
        resource = verdict.job.context.resource
        plugins.committed(
            CommittedEvent(
                action=f"{verdict.job.kind}.{verdict.state.value.lower()}",
                kind=resource.kind,
                resource_id=resource.id,
                organization_id=resource.organization_id,
                project_id=resource.project_id,
                detail={"status": (verdict.settlement.status or resource.status).value, "job_id": str(verdict.job.id)},
            )
        )
