# SPDX-License-Identifier: Apache-2.0
"""What ``stratoplane_engine.db.jobs`` does with jobs and resources, in memory."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.jobs import LEASE_SECONDS
from tests.simulation.simulated.tables import Row, Tables, is_live

WORDS = ("UPDATING", "DELETING")


def claim(tables: Tables, *, owner: str, limit: int, start: UUID) -> list[Row]:
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


def _take(tables: Tables, job: Row, owner: str, share: int) -> Row:
    now = tables.now
    tables.watch.claimed(job, now)
    crashes = job["crashes"] + (job["lease_until"] is not None)
    lease = {"lease_owner": owner, "lease_until": now + LEASE_SECONDS, "crashes": crashes}
    taken = tables.change_job(job["id"], state="RUNNING", epoch=job["epoch"] + 1, **lease)
    resource = tables.resources[job["resource_id"]]
    targets = sorted({target for source, target, _ in tables.links if source == resource["id"]})
    latest = max(tables.operations_of(job["id"]), key=lambda each: each["id"], default=None)
    shown = ("position", "verb", "state", "result")
    return {
        **taken,
        "share": share,
        "overdue": taken["deadline_at"] < now,
        "resource": {**resource, "id": str(resource["id"])},
        "steps": list(tables.steps[job["id"]]),
        "targets": [
            {key: str(tables.resources[each][key]) for key in ("id", "kind", "name", "status")} for each in targets
        ],
        "operation": latest and {"id": str(latest["id"]), **{key: latest[key] for key in shown}},
    }


def move(tables: Tables, verdicts: Sequence[Mapping[str, Any]]) -> frozenset[UUID]:
    """Write verdicts, each at its claim's epoch only."""
    moved = set()
    for verdict in verdicts:
        job = tables.jobs[verdict["id"]]
        if tables.rules.fence and (job["epoch"] != verdict["epoch"] or not is_live(job)):
            continue
        tables.watch.written_back(job, verdict["epoch"])
        delay = verdict["next_run_in"]
        copied = {key: verdict[key] for key in ("state", "position", "undoing", "attempts", "error")}
        times = {"next_run_at": None if delay is None else tables.now + delay, "lease_until": None}
        output = job["output"] if verdict["output"] is None else verdict["output"]
        tables.change_job(job["id"], **copied, **times, output=output, lease_owner="", crashes=0)
        moved.add(job["id"])
    return frozenset(moved)


def move_steps(tables: Tables, steps: Sequence[Mapping[str, Any]]) -> None:
    for step in steps:
        rows = tables.steps[step["job_id"]]
        changed = {key: step[key] for key in ("state", "attempts", "output", "error")}
        rows[step["position"]] = {**rows[step["position"]], **changed}


def settle(tables: Tables, settlements: Sequence[Row]) -> list[Row]:
    """Write what ended jobs make of their resources, and wake who waited for it."""
    settled = [_settle(tables, each) for each in sorted(settlements, key=lambda each: each["id"])]
    _wake(tables, [each["id"] for each in settlements])
    for row, settlement in zip(settled, sorted(settlements, key=lambda each: each["id"]), strict=True):
        if settlement["keep"] is not None and not row["links_stay"]:
            _unlink(tables, settlement)
        if row["overtaken"]:
            _hand_on(tables, settlement)
    return settled


def _settle(tables: Tables, settlement: Row) -> Row:
    before = tables.resources[settlement["id"]]
    changing = [job for job in tables.jobs_of(before["id"]) if job["kind"].endswith((".update", ".delete"))]
    newer = before["generation"] > settlement["generation"]
    overtaken = before["status"] in WORDS and (bool(changing) or newer)
    wanted = {key: value for key, value in settlement.items() if value is not None}
    copied = ("observed", "provider_reference", "detail", "observed_generation")
    columns = {key: wanted[key] for key in copied if key in wanted}
    if not overtaken:
        columns |= {key: wanted[key] for key in ("status", "quota_usage", "spec") if key in wanted}
        columns |= (
            {"name": wanted["name"]} if "name" in wanted and not _is_taken(tables, before, wanted["name"]) else {}
        )
    elif settlement["status"] == "FAILED" and "quota_usage" in wanted:
        columns["quota_usage"] = wanted["quota_usage"]
    if settlement["status"] == "DELETED":
        columns["deleted_at"] = tables.now
    after = tables.change_resource(before["id"], **columns, updated_at=tables.now)
    stays = overtaken and settlement["status"] is not None and settlement["status"] != "FAILED"
    shown = {
        key: after[key]
        for key in ("organization_id", "project_id", "id", "kind", "cluster_id", "status", "quota_usage")
    }
    return {**shown, "previous_usage": before["quota_usage"], "overtaken": overtaken, "links_stay": stays}


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


def _unlink(tables: Tables, settlement: Row) -> None:
    kept = {(each["target_id"], each["role"]) for each in settlement["keep"]}
    for key in [key for key in tables.links if key[0] == settlement["id"] and key[1:] not in kept]:
        del tables.links[key]


def _hand_on(tables: Tables, settlement: Row) -> None:
    if settlement["spec"] is None:
        return
    updates = [job for job in tables.jobs_of(settlement["id"]) if job["kind"].endswith(".update")]
    for job in updates[:1]:
        before = {"spec": settlement["spec"], "name": settlement["name"]}
        tables.change_job(job["id"], input={**job["input"], "before": before})


def give_back(tables: Tables, quota: Sequence[QuotaChange], claims: Sequence[ClaimChange]) -> None:
    for line in quota:
        row = tables.quota.get((line.scope_id, line.key))
        if row is not None:
            row["used"] += line.amount
    for change in claims:
        cluster = tables.clusters[change.cluster_id]
        for key in ("vcpus", "memory_mib", "storage_gib"):
            cluster[f"{key}_claimed"] += getattr(change, key)
