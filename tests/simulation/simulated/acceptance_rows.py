# SPDX-License-Identifier: Apache-2.0
"""The accepting statement in memory: everything of an acceptance is written, or nothing."""

from datetime import datetime
from typing import Any

from stratoplane.quota import fits
from stratoplane.resources import READY, ResourceStatus
from stratoplane_engine.db.changes import Acceptance, RefusedError
from tests.simulation.simulated.tables import EPOCH, Row, Tables

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


def accept(tables: Tables, acceptance: Acceptance, *, new: bool) -> None:
    """Write everything of an acceptance.

    Raises:
        RefusedError, VolumeTakenError: it does not fit; nothing was written.
    """
    _refuse(tables, acceptance)
    for line in acceptance.quota:
        tables.quota[line["scope_id"], line["key"]]["used"] += line["amount"]
    if acceptance.claim:
        cluster = tables.clusters[acceptance.claim["cluster_id"]]
        for key in ("vcpus", "memory_mib", "storage_gib"):
            cluster[f"{key}_claimed"] += acceptance.claim[key]
    row = {key: _plain(value) for key, value in acceptance.resource.items() if key != "cluster"}
    if new:
        tables.resources[row["id"]] = {**_NEW_RESOURCE, **row}
        tables.watch.resource(None, tables.resources[row["id"]])
    else:
        written = ("name", "status", "labels", "spec", "quota_usage", "generation", "updated_at", "detail")
        tables.change_resource(row["id"], **{key: row[key] for key in written})
    for link in acceptance.links:
        tables.links[link["source_id"], link["target_id"], link["role"]] = link["position"]
    if acceptance.job is not None:
        insert_job(tables, dict(acceptance.job), [step["name"] for step in acceptance.steps])
    if acceptance.idempotency is not None:
        kept = acceptance.idempotency
        tables.answers[kept["actor_id"], kept["key"]] = dict(kept)


def insert_job(tables: Tables, job: Row, steps: list[str]) -> None:
    row = {**_NEW_JOB, **{key: _plain(value) for key, value in job.items()}}
    tables.steps[row["id"]] = [
        {"position": at, "name": name, "state": "PENDING", "attempts": 0, "output": {}, "error": None}
        for at, name in enumerate(steps)
    ]
    tables.add_job({**row, "next_run_at": row["created_at"]})
    tables.tell([row["id"]])


def _refuse(tables: Tables, acceptance: Acceptance) -> None:
    short = [line for line in acceptance.quota if not _fits(tables, line)]
    gone = [str(link["target_id"]) for link in acceptance.links if not _is_usable(tables, link)]
    kept = acceptance.idempotency
    taken = kept is not None and (kept["actor_id"], kept["key"]) in tables.answers
    no_room = bool(acceptance.claim) and not _has_room(tables, acceptance.claim)
    if short or gone or taken or no_room:
        raise RefusedError({"short": short, "no_room": no_room, "gone": gone, "key_taken": taken})
    for link in acceptance.links:
        users = {key[0] for key in tables.links if key[1] == link["target_id"] and key[2] == link["role"]}
        if link["role"] == "volume" and users - {link["source_id"]}:
            raise VolumeTakenError


def _fits(tables: Tables, line: Any) -> bool:
    row = tables.quota.get((line["scope_id"], line["key"]))
    return row is not None and fits(row["limit_amount"], row["used"], line["amount"])


def _has_room(tables: Tables, claim: Any) -> bool:
    cluster = tables.clusters[claim["cluster_id"]]
    keys = ("vcpus", "memory_mib", "storage_gib")
    return all(claim[key] <= 0 or cluster[f"{key}_claimed"] + claim[key] <= cluster[f"{key}_total"] for key in keys)


def _is_usable(tables: Tables, link: Any) -> bool:
    target = tables.resources.get(link["target_id"])
    if target is None or target["deleted_at"] is not None:
        return False
    return target["status"] in _USABLE or (link["source_id"], link["target_id"], link["role"]) in tables.links


def _plain(value: Any) -> Any:
    return (value - EPOCH).total_seconds() if isinstance(value, datetime) else value
