# SPDX-License-Identifier: Apache-2.0
"""What the statements of claims and job updates do with jobs and resources, in memory."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from stratoplane.wire import to_json
from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.claims import LEASE_SECONDS, Claim, as_claim
from stratoplane_engine.db.job_updates import FollowingChange, HandedOn, JobMove, OutcomeRow, SettledResource
from stratoplane_engine.model.job import JobStep
from tests.simulation.simulated import operation_rows
from tests.simulation.simulated.tables import Row, Tables, is_live, new_steps, row_of

WORDS = ("UPDATING", "DELETING")


def claim(tables: Tables, *, owner: str, limit: int, start: UUID) -> list[Claim]:
    live = [job for job in tables.jobs.values() if is_live(job)]
    waits = [job for job in live if job["next_run_at"] is not None and not _is_held(tables, job)]
    organizations = sorted({job["organization_id"] for job in waits}, key=lambda each: (each <= start, each))[:limit]
    share = math.ceil(limit / len(organizations)) if organizations else 0
    taken: list[tuple[Row, int]] = []
    for organization in organizations:
        own = [job for job in waits if job["organization_id"] == organization and _is_due(tables, job)]
        own.sort(key=lambda job: (-job["priority"], job["next_run_at"]))
        taken += [(job, share) for job in own[:share]]
    suspects = [job for job in live if _is_over(tables, job) and _is_due(tables, job)]
    taken += [(job, 1) for job in sorted(suspects, key=lambda job: job["next_run_at"])[:1]]
    return [_take(tables, job, owner, share) for job, share in taken]


def _is_held(tables: Tables, job: Row) -> bool:
    return job["lease_until"] is not None and tables.rules.lease


def _is_over(tables: Tables, job: Row) -> bool:
    return tables.rules.lease and job["lease_until"] is not None and job["lease_until"] < tables.now


def _is_due(tables: Tables, job: Row) -> bool:
    if job["next_run_at"] is None or job["next_run_at"] > tables.now:
        return False
    first = tables.jobs_of(job["resource_id"])[0]
    return bool(first["id"] == job["id"])


def _take(tables: Tables, job: Row, owner: str, share: int) -> Claim:
    now = tables.now
    tables.watch.claimed(job, now)
    crashes = job["crashes"] + (job["lease_until"] is not None)
    lease = {"lease_owner": owner, "lease_until": now + LEASE_SECONDS, "crashes": crashes}
    taken = tables.change_job(job["id"], state="RUNNING", epoch=job["epoch"] + 1, **lease)
    resource = tables.resources[job["resource_id"]]
    targets = sorted({target for source, target, _ in tables.links if source == resource["id"]})
    latest = max(tables.operations_of(job["id"]), key=lambda each: each["id"], default=None)
    row = {
        **taken,
        "share": share,
        "overdue": taken["deadline_at"] < now,
        "resource": resource,
        "steps": list(tables.steps[job["id"]]),
        "targets": [{key: tables.resources[each][key] for key in ("id", "kind", "name", "status")} for each in targets],
        "operation": latest and {key: latest[key] for key in ("id", "position", "verb", "state", "result")},
    }
    return as_claim(row)


def move(tables: Tables, moves: Sequence[JobMove]) -> frozenset[UUID]:
    """Write jobs with their steps and driver calls, each at its claim's epoch only."""
    moved = set()
    for each in moves:
        job = tables.jobs[each.id]
        if tables.rules.fence and (job["epoch"] != each.epoch or not is_live(job)):
            continue
        tables.watch.persisted(job, each.epoch)
        copied = {"state": each.state.value, "position": each.position, "undoing": each.undoing, "error": each.error}
        next_run_at = None if each.next_run_in is None else tables.now + each.next_run_in
        output = job["output"] if each.output is None else each.output
        freed = {"lease_until": None, "lease_owner": "", "crashes": 0}
        tables.change_job(job["id"], **copied, **freed, attempts=each.attempts, next_run_at=next_run_at, output=output)
        _move_steps(tables, job["id"], each.steps)
        moved.add(job["id"])
    made = [each.operation for each in moves if each.operation is not None and each.id in moved]
    operation_rows.insert(tables, made)
    return frozenset(moved)


def _move_steps(tables: Tables, job_id: UUID, steps: Sequence[JobStep]) -> None:
    rows = tables.steps[job_id]
    for step in steps:
        error = None if step.error is None else asdict(step.error)
        changed = {"state": step.state.value, "attempts": step.attempts, "output": step.output, "error": error}
        rows[step.position] = {**rows[step.position], **changed}


def settle(tables: Tables, outcomes: Sequence[OutcomeRow]) -> list[SettledResource]:
    """Write what ended jobs make of their resources, and wake who waited for it."""
    ordered = sorted(outcomes, key=lambda each: each.id)
    settled = [_settle(tables, each) for each in ordered]
    _wake(tables, [each.id for each in outcomes])
    for resource, outcome in zip(settled, ordered, strict=True):
        if outcome.keep is not None and not resource.links_stay:
            _unlink(tables, outcome)
    return settled


def is_change(job: Row) -> bool:
    return not {"before", "drift"}.isdisjoint(job["input"])


def _settle(tables: Tables, outcome: OutcomeRow) -> SettledResource:
    before = tables.resources[outcome.id]
    changing = [job for job in tables.jobs_of(before["id"]) if is_change(job) or job["kind"].endswith(".delete")]
    newer = before["generation"] > outcome.generation
    overtaken = before["status"] in WORDS and (bool(changing) or newer)
    after = tables.change_resource(
        before["id"], **_columns(tables, before, outcome, overtaken=overtaken), updated_at=tables.now
    )
    return SettledResource(
        id=after["id"],
        organization_id=after["organization_id"],
        project_id=after["project_id"],
        cluster_id=after["cluster_id"],
        quota_usage=after["quota_usage"],
        previous_usage=before["quota_usage"],
        overtaken=overtaken,
        links_stay=overtaken and outcome.status is not None and outcome.status != "FAILED",
    )


def _columns(tables: Tables, before: Row, outcome: OutcomeRow, *, overtaken: bool) -> Row:
    wanted = {key: value for key, value in row_of(outcome).items() if value is not None}
    if outcome.spec is not None:
        wanted["spec"] = to_json(outcome.spec)
    if outcome.status is not None:
        wanted["status"] = outcome.status.value
    copied = {"observed", "provider_reference", "detail", "observed_generation"}
    if not overtaken:
        copied |= {"status", "quota_usage", "spec"}
        copied |= {"name"} if "name" in wanted and not _is_taken(tables, before, wanted["name"]) else set()
    elif outcome.status == "FAILED":
        copied |= {"quota_usage"}
    columns = {key: value for key, value in wanted.items() if key in copied}
    return {**columns, "deleted_at": tables.now} if outcome.status == "DELETED" else columns


def _is_taken(tables: Tables, resource: Row, name: str) -> bool:
    mine = (resource["project_id"], resource["kind"], name)
    others = (each for each in tables.resources.values() if each["id"] != resource["id"])
    return any((o["project_id"], o["kind"], o["name"]) == mine and o["deleted_at"] is None for o in others)


def _wake(tables: Tables, finished: Sequence[UUID]) -> None:
    users = {source for source, target, _ in tables.links if target in finished}
    waiting = {job["id"]: job for each in {*finished, *users} for job in tables.jobs_of(each)}
    idle = [
        each for each, job in sorted(waiting.items()) if job["next_run_at"] is not None and job["lease_until"] is None
    ]
    for each in idle:
        tables.change_job(each, next_run_at=tables.now)
    if idle:
        tables.tell(idle)


def _unlink(tables: Tables, outcome: OutcomeRow) -> None:
    kept = {(each.target_id, each.role) for each in outcome.keep or ()}
    for key in [key for key in tables.links if key[0] == outcome.id and key[1:] not in kept]:
        del tables.links[key]


def following_changes(
    tables: Tables, outcomes: Sequence[OutcomeRow], settled: Sequence[SettledResource]
) -> list[FollowingChange]:
    overtaken = {each.id for each in settled if each.overtaken}
    failed = [each for each in outcomes if each.spec is not None and each.id in overtaken]
    found = [_following(tables, each) for each in failed]
    return [each for each in found if each is not None]


def _following(tables: Tables, outcome: OutcomeRow) -> FollowingChange | None:
    changes = [job for job in tables.jobs_of(outcome.id) if "before" in job["input"]]
    if not changes:
        return None
    resource = tables.resources[outcome.id]
    after = changes[1]["input"]["before"] if len(changes) > 1 else None
    desired = after or {"spec": resource["spec"], "name": resource["name"]}
    return FollowingChange(
        id=changes[0]["id"],
        kind=changes[0]["kind"],
        resource_kind=resource["kind"],
        spec_before=to_json(outcome.spec),
        name_before=outcome.name or "",
        spec=desired["spec"],
        name=desired["name"],
        drift=changes[0]["input"].get("drift"),
    )


def hand_on(tables: Tables, handed: Sequence[HandedOn]) -> None:
    for each in handed:
        tables.change_job(each.id, input={**tables.jobs[each.id]["input"], "before": dict(each.before)})
        tables.steps[each.id] = new_steps(each.steps)


def give_back(tables: Tables, quota: Sequence[QuotaChange], claims: Sequence[ClaimChange]) -> None:
    for line in quota:
        row = tables.quota.get((line.scope_id, line.key))
        if row is not None:
            row["used"] += line.amount
    for change in claims:
        cluster = tables.clusters[change.cluster_id]
        for key in ("vcpus", "memory_mib", "storage_gib"):
            cluster[f"{key}_claimed"] += getattr(change, key)
