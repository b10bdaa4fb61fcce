# SPDX-License-Identifier: Apache-2.0
"""The writing statement in memory: everything of a change is written, or nothing."""

from datetime import datetime
from typing import Any
from uuid import UUID

from stratoplane.quota import fits
from stratoplane.resources import READY, ResourceStatus
from stratoplane.wire import to_json
from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.changes import ChangeRows, LinkRow, Refusal, RefusedError, ShortQuota
from tests.simulation.simulated.tables import EPOCH, Row, Tables, new_steps

_CLAIMED = ("vcpus", "memory_mib", "storage_gib")
_RESOURCE = (
    "id", "organization_id", "project_id", "kind", "name", "status", "labels", "spec", "quota_usage", "detail",
    "cluster_id", "generation", "version", "created_at", "updated_at",
)  # fmt: skip
_JOB = (
    "id", "organization_id", "project_id", "resource_id", "resource_kind", "resource_name", "cluster_id", "kind",
    "state", "input", "deadline_at", "actor", "request_id", "trace_parent", "created_at",
)  # fmt: skip
_USABLE = {ResourceStatus.PENDING.value, *(status.value for status in READY)}
_NEW_RESOURCE: Row = {
    "observed": {},
    "detail": "",
    "generation": 1,
    "observed_generation": 0,
    "version": 1,
    "deleted_at": None,
}
_NEW_JOB: Row = {
    "state": "PENDING",
    "position": 0,
    "undoing": False,
    "attempts": 0,
    "epoch": 0,
    "crashes": 0,
    "priority": 0,
    "cancelled_by": "",
    "error": None,
    "output": {},
    "lease_owner": "",
    "lease_until": None,
}


class VolumeTakenError(Exception):
    """The unique index on attached volumes refused."""


def accept(tables: Tables, rows: ChangeRows) -> None:
    """Write everything of a change.

    Raises:
        RefusedError, VolumeTakenError: it does not fit; nothing was written.
    """
    _refuse(tables, rows)
    for line in rows.quota:
        tables.quota[line.scope_id, str(line.key)]["used"] += line.amount
    if rows.claim is not None:
        cluster = tables.clusters[rows.claim.cluster_id]
        for key in _CLAIMED:
            cluster[f"{key}_claimed"] += getattr(rows.claim, key)
    row = _row(rows.resource, _RESOURCE)
    if rows.is_new:
        tables.resources[row["id"]] = {**_NEW_RESOURCE, **row}
        tables.watch.resource(None, tables.resources[row["id"]])
    else:
        written = ("name", "status", "labels", "spec", "quota_usage", "generation", "updated_at", "detail")
        tables.change_resource(row["id"], **{key: row[key] for key in written})
    for link in rows.links:
        tables.links[link.source_id, link.target_id, link.role] = link.position
    if rows.job is not None:
        insert_job(tables, _row(rows.job, _JOB), [step.name for step in rows.job.steps])
    if rows.answer is not None:
        tables.answers[rows.answer.actor_id, rows.answer.key] = _row(rows.answer, ("fingerprint", "expires_at"))


def _row(value: object, members: tuple[str, ...]) -> Row:
    """Return members of a value as the tables have them: JSON values, but for ids and times."""
    given = {name: getattr(value, name) for name in members}
    return {name: each if isinstance(each, UUID | datetime) else to_json(each) for name, each in given.items()} | {
        name: _plain(each) for name, each in given.items() if isinstance(each, datetime)
    }


def insert_job(tables: Tables, job: Row, steps: list[str]) -> None:
    row = {**_NEW_JOB, **{key: _plain(value) for key, value in job.items()}}
    tables.steps[row["id"]] = new_steps(steps)
    tables.add_job({**row, "next_run_at": row["created_at"]})
    tables.tell([row["id"]])


def _refuse(tables: Tables, rows: ChangeRows) -> None:
    short = tuple(
        ShortQuota(scope_id=line.scope_id, key=str(line.key), amount=line.amount)
        for line in rows.quota
        if not _fits(tables, line)
    )
    gone = tuple(link.target_id for link in rows.links if not _is_usable(tables, link))
    taken = rows.answer is not None and (rows.answer.actor_id, rows.answer.key) in tables.answers
    no_room = rows.claim is not None and not _has_room(tables, rows.claim)
    if short or gone or taken or no_room:
        raise RefusedError(Refusal(short=short, gone=gone, no_room=no_room, key_taken=taken))
    for link in rows.links:
        users = {key[0] for key in tables.links if key[1] == link.target_id and key[2] == link.role}
        if link.role == "volume" and users - {link.source_id}:
            raise VolumeTakenError


def _fits(tables: Tables, line: QuotaChange) -> bool:
    row = tables.quota.get((line.scope_id, str(line.key)))
    return row is not None and fits(row["limit_amount"], row["used"], line.amount)


def _has_room(tables: Tables, claim: ClaimChange) -> bool:
    cluster = tables.clusters[claim.cluster_id]
    wanted = {key: getattr(claim, key) for key in _CLAIMED}
    return all(
        amount <= 0 or cluster[f"{key}_claimed"] + amount <= cluster[f"{key}_total"] for key, amount in wanted.items()
    )


def _is_usable(tables: Tables, link: LinkRow) -> bool:
    target = tables.resources.get(link.target_id)
    if target is None or target["deleted_at"] is not None:
        return False
    return target["status"] in _USABLE or (link.source_id, link.target_id, link.role) in tables.links


def _plain(value: Any) -> Any:
    return (value - EPOCH).total_seconds() if isinstance(value, datetime) else value
