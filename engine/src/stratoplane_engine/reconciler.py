# SPDX-License-Identifier: Apache-2.0
"""The reconciler, first level: compares what is desired with what the clusters last said, and corrects power.

It is level-triggered: it looks at what is, not at what happened, so a round that was missed costs nothing but time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.ids import new_id
from stratoplane_engine.db import audit, comparison
from stratoplane_engine.db.connection import Database
from stratoplane_engine.workflows.catalogue import step_names

_log: Final = logging.getLogger(__name__)
_LIMIT: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What one round found: machines whose power is corrected, lost and returned resources, objects of nobody."""

    corrected: int
    lost: int
    found: int
    orphans: int


def reconcile(database: Database) -> Comparison:
    """Compare once and act on the differences.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        drifted = comparison.power_drift(connection, _LIMIT)
        _correct(connection, drifted)
        lost = comparison.mark_missing(connection)
        found = comparison.mark_found(connection)
        orphans = comparison.orphans(connection, _LIMIT)
        _record(connection, drifted, lost, found)
    if orphans:
        _log.warning("%d objects carry our mark and belong to no resource, first: %s", len(orphans), orphans[0]["uid"])
    return Comparison(corrected=len(drifted), lost=len(lost), found=len(found), orphans=len(orphans))


def _correct(connection: Connection, drifted: Sequence[Mapping[str, Any]]) -> None:
    if not drifted:
        return
    jobs = [
        {
            "id": new_id(),
            "organization_id": row["organization_id"],
            "project_id": row["project_id"],
            "resource_id": row["id"],
            "resource_kind": row["kind"],
            "resource_name": row["name"],
            "cluster_id": row["cluster_id"],
            "kind": f"{row['kind']}.update",
            "input": {"drift": {"power": {"desired": row["desired"], "observed": row["observed"]}}},
            "actor": "reconciler",
        }
        for row in drifted
    ]
    steps = [
        {"organization_id": job["organization_id"], "job_id": job["id"], "position": position, "name": name}
        for job in jobs
        for position, name in enumerate(step_names(job["kind"]))
    ]
    comparison.start_jobs(connection, jobs, steps)


def _record(
    connection: Connection,
    drifted: Sequence[Mapping[str, Any]],
    lost: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
) -> None:
    now = datetime.now(UTC)
    stories = [
        *(
            (row, {"power": {"desired": row["desired"], "observed": row["observed"]}, "done": "correct"})
            for row in drifted
        ),
        *((row, {"existence": {"desired": True, "observed": False}, "done": "alert"}) for row in lost),
        *((row, {"existence": {"desired": True, "observed": True}, "done": "returned"}) for row in found),
    ]
    records = [
        AuditRecord(
            action=AuditAction.DRIFT_FOUND,
            actor="reconciler",
            occurred_at=now,
            outcome="accepted",
            organization_id=row["organization_id"],
            project_id=row["project_id"],
            subject_id=row["id"],
            subject_name=row["name"],
            detail={"kind": row["kind"], **detail},
        )
        for row, detail in stories
    ]
    audit.write(connection, *records)
