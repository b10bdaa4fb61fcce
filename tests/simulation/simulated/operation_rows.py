# SPDX-License-Identifier: Apache-2.0
"""What the engine does with operations, circuits, cancelling and the sweeper's statements, in memory."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stratoplane.messages import OperationReference, OperationResult
from stratoplane.wire import to_json
from stratoplane_engine.db.circuits import LIMITS
from stratoplane_engine.db.operations import ACKNOWLEDGE_SECONDS, Reception
from stratoplane_engine.model.job import OperationDraft
from tests.simulation.simulated.tables import OPEN_STATES, Row, Tables, is_live, row_of

_ABANDONED = "the agent took the operation and did not report within its time"
_UNTAKEN = "no agent of the cluster took the operation within its time"


def insert(tables: Tables, operations: Sequence[OperationDraft]) -> None:
    for each in operations:
        row = {
            **row_of(each),
            "state": "QUEUED",
            "epoch": 0,
            "agent_id": None,
            "result": None,
            "offered_until": None,
            "deadline_at": tables.now + each.timeout_seconds,
            "observe_first": each.observe_first and tables.rules.observe_first,
        }
        tables.add_operation(row)
        tables.notify("operation", str(each.cluster_id))


def offer(tables: Tables, cluster_id: UUID, agent_id: UUID, maximum: int, start: UUID) -> list[Row]:
    room = _room(tables, cluster_id, maximum)
    waits = [
        each
        for each in tables.operations.values()
        if each["cluster_id"] == cluster_id and each["state"] in ("QUEUED", "OFFERED")
    ]
    organizations = sorted({each["organization_id"] for each in waits}, key=lambda each: (each <= start, each))[:room]
    share = math.ceil(room / len(organizations)) if organizations else 0
    chosen: list[Row] = []
    for organization in organizations:
        own = [each for each in waits if each["organization_id"] == organization and _is_open(tables, each)]
        chosen += sorted(own, key=lambda each: (-each["priority"], each["id"]))[:share]
    until = tables.now + ACKNOWLEDGE_SECONDS
    offered = [
        tables.change_operation(
            each["id"], state="OFFERED", epoch=each["epoch"] + 1, agent_id=agent_id, offered_until=until
        )
        for each in chosen[:room]
    ]
    return sorted(offered, key=lambda each: each["id"])


def _is_open(tables: Tables, operation: Row) -> bool:
    return operation["state"] == "QUEUED" or operation["offered_until"] < tables.now


def _room(tables: Tables, cluster_id: UUID, maximum: int) -> int:
    circuit = tables.circuits.get(cluster_id)
    if circuit is None:
        return maximum
    if circuit["open_until"] is not None and circuit["open_until"] > tables.now:
        return 0
    if not circuit["trips"]:
        return maximum
    own = [each for each in tables.operations.values() if each["cluster_id"] == cluster_id]
    busy = [
        each
        for each in own
        if each["state"] == "RUNNING" or (each["state"] == "OFFERED" and each["offered_until"] > tables.now)
    ]
    return min(maximum, max(0, 1 - len(busy)))


def acknowledge(tables: Tables, cluster_id: UUID, references: Sequence[OperationReference]) -> frozenset[UUID]:
    accepted = set()
    for each in references:
        row = tables.operations.get(each.id)
        if row is None or row["cluster_id"] != cluster_id or row["state"] not in ("OFFERED", "RUNNING"):
            continue
        if row["epoch"] == each.epoch or not tables.rules.fence:
            deadline = tables.now + row["timeout_seconds"] + 60
            tables.change_operation(each.id, state="RUNNING", deadline_at=deadline)
            accepted.add(each.id)
    return frozenset(accepted)


def report(tables: Tables, cluster_id: UUID, results: Sequence[OperationResult]) -> Reception:
    """Take results, make their jobs runnable, and charge the cluster's circuit."""
    ended, repeated = [], []
    for each in results:
        row = tables.operations.get(each.id)
        if row is None or row["cluster_id"] != cluster_id or (row["epoch"] != each.epoch and tables.rules.fence):
            continue
        if row["state"] in ("OFFERED", "RUNNING") or not tables.rules.fence:
            result = to_json(each)
            tables.watch.result_taken(row, each.epoch, result)
            tables.change_operation(row["id"], state="DONE", result=result)
            ended.append(row)
        elif row["state"] == "DONE":
            repeated.append(row["id"])
    for row in ended:
        tables.change_job(row["job_id"], next_run_at=tables.now)
    if ended:
        tables.tell([row["job_id"] for row in ended])
    taken = [tables.operations[row["id"]]["result"] for row in ended]
    trips, closed = _charge(tables, cluster_id, taken)
    accepted = frozenset([*(row["id"] for row in ended), *repeated])
    stale = frozenset(each.id for each in results) - accepted
    return Reception(accepted=accepted, stale=stale, trips=trips, closed=closed)


def _charge(tables: Tables, cluster_id: UUID, results: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
    failed = sum(each["outcome"] in ("transient", "uncertain") and each.get("code") != "busy" for each in results)
    answered, full = len(results) - failed, LIMITS["budget"]
    circuit = tables.circuits.get(cluster_id)
    if circuit is None:
        if failed:
            tables.circuits[cluster_id] = {"budget": full - failed, "trips": 0, "open_until": None}
        return 0, False
    if not failed and not (answered and (circuit["budget"] < full or circuit["trips"])):
        return 0, False
    wished = circuit["budget"] + LIMITS["refill"] * answered - failed
    shut = circuit["open_until"] is None or circuit["open_until"] < tables.now
    trips_now = failed > 0 and (circuit["trips"] > 0 or wished < 1) and shut
    closes = circuit["trips"] > 0 and not failed and answered > 0
    circuit["budget"] = full / 2 if closes else max(0.0, min(full, wished))
    if closes:
        circuit |= {"trips": 0, "open_until": None}
        tables.notify("operation", str(cluster_id))
    elif trips_now:
        seconds = min(LIMITS["longest"], LIMITS["shortest"] * 2 ** circuit["trips"])
        circuit |= {"trips": circuit["trips"] + 1, "open_until": tables.now + seconds}
    return (circuit["trips"] if trips_now else 0), closes


def abandon(tables: Tables) -> int:
    """End operations whose time is over."""
    late = [each for each in tables.operations.values() if each["state"] in OPEN_STATES]
    late = [each for each in late if each["deadline_at"] < tables.now] if tables.rules.sweeper else []
    for each in late:
        taken = each["state"] == "RUNNING"
        result = {"outcome": "uncertain", "code": "uncertain", "detail": _ABANDONED}
        if not taken:
            result = {"outcome": "transient", "code": "unreachable", "detail": _UNTAKEN}
        tables.change_operation(each["id"], state="ABANDONED", epoch=each["epoch"] + 1, result=result)
        tables.change_job(each["job_id"], next_run_at=tables.now)
    return len(late)


def mend_stranded_jobs(tables: Tables) -> int:
    stranded = [
        job
        for job in tables.jobs.values()
        if is_live(job)
        and job["next_run_at"] is None
        and (job["lease_until"] is None or job["lease_until"] < tables.now)
        and not any(each["state"] in OPEN_STATES for each in tables.operations_of(job["id"]))
    ]
    for job in stranded:
        tables.change_job(job["id"], next_run_at=tables.now)
    return len(stranded)


def overlooked_jobs(tables: Tables) -> int:
    free = (
        job
        for job in tables.jobs.values()
        if is_live(job) and (job["lease_until"] is None or job["lease_until"] < tables.now)
    )
    return sum(job["next_run_at"] is not None and job["next_run_at"] < tables.now for job in free)


def take_outbox(tables: Tables) -> int:
    """Take every unsent row out; return how many there were."""
    taken, tables.outbox = len(tables.outbox), []
    return taken


def let_probes_through(tables: Tables) -> int:
    ready = [
        each
        for each, row in tables.circuits.items()
        if row["trips"] and row["open_until"] is not None and row["open_until"] < tables.now
    ]
    for each in ready:
        tables.notify("operation", str(each))
    return len(ready)


def cancel(tables: Tables, job_id: UUID, *, actor: str) -> bool:
    """Note that a live job is to stop, and take back what no agent has begun."""
    job = tables.jobs[job_id]
    if not is_live(job):
        return False
    operations = tables.operations_of(job_id)
    at_work = any(each["state"] == "RUNNING" for each in operations)
    result = {"outcome": "transient", "code": "cancelled", "detail": "taken back before it began"}
    for each in operations:
        if each["state"] in ("QUEUED", "OFFERED"):
            tables.change_operation(each["id"], state="ABANDONED", epoch=each["epoch"] + 1, result=result)
    next_run_at = job["next_run_at"] if at_work else tables.now
    # Whoever judges the job at this moment does not know of the wish, and counts for nothing.
    fence = {} if job["cancelled_by"] else {"epoch": job["epoch"] + 1, "lease_until": None}
    tables.change_job(job_id, cancelled_by=job["cancelled_by"] or actor, next_run_at=next_run_at, **fence)
    tables.tell([job_id])
    return True
