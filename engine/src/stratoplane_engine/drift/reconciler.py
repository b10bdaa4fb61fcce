# SPDX-License-Identifier: Apache-2.0
"""The reconciler: compares what is desired with what the clusters last said, and acts on the differences.

It is level-triggered: it looks at what is, not at what happened, so a round that was missed costs nothing but time.
Between full comparisons it looks only at what has changed since its last look.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.ids import new_id
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.accounting import ClaimChange, QuotaChange, claim_change, quota_changes
from stratoplane_engine.db import audit, comparison, drift, incidents
from stratoplane_engine.db import jobs as job_rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.drift.fields import DriftPolicy
from stratoplane_engine.jobs.failure_records import leak_key
from stratoplane_engine.workflows.catalogue import step_names

_log: Final = logging.getLogger(__name__)
_PAGE: Final = 500
_MOST_NEW: Final = 10_000
_MOST_CORRECTIONS: Final = 3
# A transaction that was open at the last look may have committed since, with a time from before.
_OVERLAP: Final = timedelta(minutes=5)
_BACKGROUND: Final = -10
_Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What one round found and did.

    Attributes:
        corrected: resources that a job brings back.
        lost: resources that their cluster no longer has, ``found`` those that it has again.
        orphans: objects that carry our mark and belong to no resource.
        adopted: differences that became what is desired.
        alerted: differences that nobody but a person ends.
        ended: differences that are gone.
    """

    corrected: int
    lost: int
    found: int
    orphans: int
    adopted: int = 0
    alerted: int = 0
    ended: int = 0


NOTHING: Final = Comparison(corrected=0, lost=0, found=0, orphans=0)


def reconcile(database: Database, *, full: bool = True, page: int = _PAGE, most_new: int = _MOST_NEW) -> Comparison:
    """Compare once and act on the differences; nothing is done while another reconciler is at it.

    Args:
        full: compares everything, else the objects that have changed since the last look.
        page: differences that one transaction deals with.
        most_new: new differences that are recorded at once; the next round goes on with the others.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        began = drift.begin_round(connection)
        if began is None:
            return NOTHING
        last = None if full else drift.looked_at(connection)
        fresh, ended = drift.note(connection, since=last and last - _OVERLAP, limit=most_new)
        incidents.resolve(connection, *map(_key, ended))
        lost, found = _compare_existence(connection) if full else ((), ())
        _record(connection, fresh, lost, found)
        all_noted = len(fresh) < most_new
        if all_noted:
            drift.note_look(connection, began)
    done = _act(database, began, page)
    orphans = _look_for_strays(database, page) if full else 0
    if full and all_noted:
        with database.system() as connection:
            drift.note_full(connection, began)
    return replace(done, lost=len(lost), found=len(found), orphans=orphans, ended=len(ended))


def reconcile_in_turn(database: Database, *, full_seconds: float) -> Comparison:
    """Compare what has changed, or everything when that was last done to the end ``full_seconds`` ago.

    When that was is in the database, and one reconciler at a time compares: a round that finds another at it, or that
    breaks, leaves a full comparison due, and the next round of whoever comes makes up for it.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        full = drift.full_is_due(connection, full_seconds)
    return reconcile(database, full=full)


def _act(database: Database, began: Any, page: int) -> Comparison:
    """Do what the policies say about the differences that last, a page of them in each transaction."""
    total, after = NOTHING, None
    while True:
        with database.system() as connection:
            if drift.begin_round(connection) is None:
                return total
            rows = drift.lasting(connection, began=began, after=after, limit=page)
            told = [row for row in rows if _is_told(row)]
            incidents.report(connection, *map(_difference, told))
            total = replace(
                total,
                corrected=total.corrected + _correct(connection, _with_policy(rows, DriftPolicy.CORRECT)),
                adopted=total.adopted + _adopt(connection, _with_policy(rows, DriftPolicy.ADOPT)),
                alerted=total.alerted + len(told),
            )
        if len(rows) < page:
            return total
        after = (rows[-1]["id"], rows[-1]["field"])


def _is_told(row: Mapping[str, Any]) -> bool:
    """Tell whether a person has to look: as the policy says, or since nothing else helps."""
    if row["policy"] == DriftPolicy.ADOPT:
        return _growth(row) < 0
    return row["policy"] == DriftPolicy.ALERT or bool(row["corrections"] >= _MOST_CORRECTIONS)


def _with_policy(differences: _Rows, policy: DriftPolicy) -> list[Mapping[str, Any]]:
    return [row for row in differences if row["policy"] == policy and not _is_told(row)]


def _correct(connection: Connection, differences: _Rows) -> int:
    """Start one job for each resource that is at rest; return how many."""
    free = drift.lock_free(connection, list({row["id"] for row in differences})) if differences else frozenset()
    together: dict[Any, list[Mapping[str, Any]]] = {}
    for row in differences:
        if row["id"] in free:
            together.setdefault(row["id"], []).append(row)
    if not together:
        return 0
    jobs = [_job(rows) for rows in together.values()]
    steps = [
        {"organization_id": job["organization_id"], "job_id": job["id"], "position": position, "name": name}
        for job in jobs
        for position, name in enumerate(step_names(job["kind"]))
    ]
    comparison.start_jobs(connection, jobs, steps)
    started = {job["resource_id"]: job["id"] for job in jobs}
    noted = [{"id": row["drift_id"], "job_id": started[row["id"]]} for rows in together.values() for row in rows]
    drift.note_corrections(connection, noted)
    return len(jobs)


def _job(rows: _Rows) -> dict[str, Any]:
    row = rows[0]
    differences: dict[str, Any] = {}
    for each in rows:
        differences |= _values(each)
    return {
        "id": new_id(),
        "organization_id": row["organization_id"],
        "project_id": row["project_id"],
        "resource_id": row["id"],
        "resource_kind": row["kind"],
        "resource_name": row["name"],
        "cluster_id": row["cluster_id"],
        "kind": f"{row['kind']}.update",
        "input": {"drift": differences},
        "actor": "reconciler",
        "priority": _BACKGROUND,
    }


def _adopt(connection: Connection, differences: _Rows) -> int:
    """Let what is observed be what is desired, also where that is more than a quota allows: it is there."""
    free = drift.lock_free(connection, list({row["id"] for row in differences})) if differences else frozenset()
    taken = [dict(row, storage_gib=_growth(row)) for row in differences if row["id"] in free]
    if not taken:
        return 0
    members = ("drift_id", "id", "field", "observed", "storage_gib")
    drift.adopt(connection, [{name: row[name] for name in members} for row in taken])
    quota, claims = list[QuotaChange](), list[ClaimChange]()
    for row in taken:
        change: Amount = {QuotaKey.STORAGE_GIB: row["storage_gib"]} if row["storage_gib"] else {}
        quota += quota_changes(row["organization_id"], row["project_id"], change)
        if row["cluster_id"] is not None and not (claim := claim_change(row["cluster_id"], change)).is_nothing:
            claims.append(claim)
    job_rows.give_back(connection, quota, claims)
    incidents.resolve(connection, *map(_key, taken))
    audit.write(connection, *(_story(AuditAction.DRIFT_ADOPTED, row, _values(row)) for row in taken))
    return len(taken)


def _growth(row: Mapping[str, Any]) -> int:
    return int(row["observed"]) - int(row["desired"]) if row["field"] == "size_gib" else 0


def _key(row: Mapping[str, Any]) -> str:
    return f"{IncidentKind.DRIFT}:{row['id']}:{row['field']}"


def _difference(row: Mapping[str, Any]) -> Finding:
    words = f"{row['kind'].replace('_', ' ')} {row['name']}"
    again = f"; it was corrected {row['corrections']} times in an hour" if row["corrections"] else ""
    return Finding(
        kind=IncidentKind.DRIFT,
        severity=Severity.WARNING,
        key=_key(row),
        title=f"{row['field']} of {words} is {row['observed']!r}, not {row['desired']!r}{again}",
        detail={"field": row["field"], "desired": row["desired"], "observed": row["observed"]},
        organization_id=row["organization_id"],
        cluster_id=row["cluster_id"],
        resource_id=row["id"],
    )


def _compare_existence(connection: Connection) -> tuple[_Rows, _Rows]:
    """Mark what is gone and what is back, and tell of it."""
    lost, found = comparison.mark_missing(connection), comparison.mark_found(connection)
    _tell_of_existence(connection, lost, found)
    return lost, found


def _tell_of_existence(connection: Connection, lost: _Rows, found: _Rows) -> None:
    findings = [
        Finding(
            kind=IncidentKind.RESOURCE_LOST,
            severity=Severity.CRITICAL,
            key=f"{IncidentKind.RESOURCE_LOST}:{row['id']}",
            title=f"{row['kind'].replace('_', ' ')} {row['name']} is no longer at its cluster",
            organization_id=row["organization_id"],
            cluster_id=row["cluster_id"],
            resource_id=row["id"],
        )
        for row in lost
    ]
    incidents.report(connection, *findings)
    incidents.resolve(connection, *(f"{IncidentKind.RESOURCE_LOST}:{row['id']}" for row in found))


def _look_for_strays(database: Database, page: int) -> int:
    """Look for objects of nobody, marks that several carry, and what failed jobs left that is gone by now."""
    with database.system() as connection:
        incidents.report(connection, *map(_duplicate, drift.duplicates(connection, page)))
        incidents.resolve(connection, *comparison.settled(connection))
        incidents.resolve(connection, *map(leak_key, drift.close_leaks(connection)))
    count, after = 0, None
    while True:
        with database.system() as connection:
            orphans = comparison.orphans(connection, limit=page, after=after)
            incidents.report(connection, *map(_orphan, orphans))
        count += len(orphans)
        if len(orphans) < page:
            return count
        after = (orphans[-1]["cluster_id"], orphans[-1]["uid"])


def _orphan(row: Mapping[str, Any]) -> Finding:
    return Finding(
        kind=IncidentKind.ORPHAN,
        severity=Severity.WARNING,
        key=f"{IncidentKind.ORPHAN}:{row['cluster_id']}:{row['uid']}",
        title=f"{row['kind'].replace('_', ' ')} {row['uid']} carries our mark and belongs to no resource",
        detail={"kind": row["kind"], "uid": str(row["uid"])},
        cluster_id=row["cluster_id"],
    )


def _duplicate(row: Mapping[str, Any]) -> Finding:
    return Finding(
        kind=IncidentKind.DUPLICATE,
        severity=Severity.CRITICAL,
        key=f"{IncidentKind.DUPLICATE}:{row['uid']}",
        title=f"several objects carry the mark {row['uid']}: on {', '.join(row['clusters'])}",
        detail={"clusters": row["clusters"], "kinds": row["kinds"]},
        resource_id=row["uid"],
    )


def _record(connection: Connection, fresh: _Rows, lost: _Rows, found: _Rows) -> None:
    action, existence = AuditAction.DRIFT_FOUND, {"desired": True}
    audit.write(
        connection,
        *(_story(action, row, {**_values(row), "done": row["policy"]}) for row in fresh),
        *(_story(action, row, {"existence": {**existence, "observed": False}, "done": "alert"}) for row in lost),
        *(_story(action, row, {"existence": {**existence, "observed": True}, "done": "returned"}) for row in found),
    )


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {row["field"]: {"desired": row["desired"], "observed": row["observed"]}}


def _story(action: AuditAction, row: Mapping[str, Any], detail: Mapping[str, Any]) -> AuditRecord:
    return AuditRecord(
        action=action,
        actor="reconciler",
        occurred_at=datetime.now(UTC),
        outcome="accepted",
        organization_id=row["organization_id"],
        project_id=row["project_id"],
        subject_id=row["id"],
        subject_name=row["name"],
        detail={"kind": row["kind"], **detail},
    )
