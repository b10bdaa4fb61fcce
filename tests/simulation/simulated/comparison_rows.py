# SPDX-License-Identifier: Apache-2.0
"""Inventories, and the reconciler's round over them, in memory: power is corrected, what is missing is lost."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.services.changes.rows import JOB_DEADLINE
from stratoplane_engine.workflows.catalogue import step_names
from stratoplane_engine.workflows.clustered import CORRECT
from tests.simulation.simulated.acceptance_rows import insert_job
from tests.simulation.simulated.tables import Row, Tables

_SETTLING_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one comparison found; ``orphans`` are uids of objects that belong to no resource."""

    corrected: int
    lost: int
    found: int
    orphans: frozenset[UUID]


def replace_inventory(tables: Tables, cluster_id: UUID, kind: str, items: list[Any], age: float) -> None:
    """Write what a cluster holds of one kind, as it was ``age`` seconds ago."""
    for key in [key for key, row in tables.inventory.items() if key[0] == cluster_id and row["kind"] == kind]:
        del tables.inventory[key]
    for item in items:
        tables.inventory[cluster_id, item.uid] = {"kind": kind, "status": item.status}
    tables.listings[cluster_id, kind] = tables.now - age


def reconcile(tables: Tables) -> Round:
    """Compare once and act, as one transaction."""
    shown = [row for row in tables.resources.values() if row["deleted_at"] is None]
    quiet = [row for row in shown if not tables.jobs_of(row["id"])]
    listed = [row for row in quiet if _listed_since(tables, row)]
    seen = {row["id"]: tables.inventory.get((row["cluster_id"], row["id"])) for row in listed}
    drifted = [row for row in listed if (item := seen[row["id"]]) is not None and _power_differs(row, item)]
    missing = [row for row in listed if seen[row["id"]] is None and row["status"] in ("ACTIVE", "RUNNING", "STOPPED")]
    for row in drifted:
        _correct(tables, row)
    for row in missing:
        tables.change_resource(row["id"], status="LOST", updated_at=tables.now)
    lost_again = {row["id"] for row in missing}
    found = [row for row in shown if row["status"] == "LOST" and row["id"] not in lost_again]
    found = [row for row in found if (row["cluster_id"], row["id"]) in tables.inventory]
    for row in found:
        status = _status(row, tables.inventory[row["cluster_id"], row["id"]])
        tables.change_resource(row["id"], status=status, updated_at=tables.now)
    return Round(corrected=len(drifted), lost=len(missing), found=len(found), orphans=_orphans(tables))


def _listed_since(tables: Tables, row: Row) -> bool:
    taken_at = tables.listings.get((row["cluster_id"], row["kind"]))
    return taken_at is not None and taken_at > row["updated_at"] + _SETTLING_SECONDS


def _power_differs(row: Row, seen: Row) -> bool:
    if row["kind"] != "virtual_machine" or row["status"] not in ("RUNNING", "STOPPED"):
        return False
    return bool(seen["status"].get("power") != row["spec"]["power"])


def _status(row: Row, seen: Row) -> str:
    if row["kind"] != "virtual_machine":
        return "ACTIVE"
    return "RUNNING" if seen["status"].get("power") == "RUNNING" else "STOPPED"


def _correct(tables: Tables, row: Row) -> None:
    tables.change_resource(row["id"], status="UPDATING", updated_at=tables.now)
    now = tables.wall()
    job = {key: row[key] for key in ("organization_id", "project_id", "cluster_id")}
    job |= {"id": tables.new_id(), "resource_id": row["id"], "resource_kind": row["kind"], "resource_name": row["name"]}
    job |= {"kind": f"{row['kind']}.{CORRECT}", "input": {"drift": {"power": {}}}, "actor": "reconciler"}
    job |= {"created_at": now, "deadline_at": now + JOB_DEADLINE, "request_id": "", "trace_parent": ""}
    insert_job(tables, job, list(step_names(job["kind"], BUILTIN_KINDS)))


def _orphans(tables: Tables) -> frozenset[UUID]:
    orphans = set()
    for (cluster_id, uid), row in tables.inventory.items():
        resource = tables.resources.get(uid)
        taken_at = tables.listings[cluster_id, row["kind"]]
        deleted_at = None if resource is None else resource["deleted_at"]
        if resource is None or (deleted_at is not None and deleted_at < taken_at - _SETTLING_SECONDS):
            orphans.add(uid)
    return frozenset(orphans)
