# SPDX-License-Identifier: Apache-2.0
"""The reconciler: compares what is desired with what the clusters last said, and acts on the differences.

It is level-triggered: it looks at what is, not at what happened, so a round that was missed costs nothing but time.
Between full comparisons it looks only at what has changed since its last look.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from stratoplane.compared_fields import DriftPolicy
from stratoplane_engine.db import audit, comparison, drift, duplicates, incidents, orphans
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.drift import findings
from stratoplane_engine.drift.policies import adopt, correct, needs_person
from stratoplane_engine.jobs.failure_records import leak_key
from stratoplane_engine.kinds.compared import compared_kinds
from stratoplane_engine.model.drift import Difference

PAGE: Final = 500
"""Differences that one transaction deals with."""
MOST_NEW: Final = 10_000
"""New differences that one round records."""
# A transaction that was open at the last look may have committed since, with a time from before.
_OVERLAP: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcilerRound:
    """What one round found and did.

    Attributes:
        corrected: resources that a job brings back.
        lost: resources that their cluster no longer has, ``found`` those that it has again.
        orphans: objects that carry the platform's mark and belong to no resource.
        adopted: differences that became what is desired.
        alerted: differences that nobody but a person ends.
        ended: differences that are gone.
        broken: kinds that could not say what an observed object means.
    """

    corrected: int = 0
    lost: int = 0
    found: int = 0
    orphans: int = 0
    adopted: int = 0
    alerted: int = 0
    ended: int = 0
    broken: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared:
    """What a round has compared and recorded, before it acts; ``is_complete`` if nothing was left for the next one."""

    began: datetime
    lost: int
    found: int
    ended: int
    is_complete: bool
    broken: frozenset[str]


def reconcile(database: Database, *, page: int = PAGE, most_new: int = MOST_NEW) -> ReconcilerRound:
    """Compare everything and act on the differences; do nothing while another reconciler compares.

    Args:
        database: desired and observed state, and where jobs and incidents go.
        page: differences that one transaction deals with.
        most_new: new differences that are recorded at once; the next round goes on with the others.

    Raises:
        UnavailableError: the database does not answer; the next round makes up for this one.
    """
    with database.system() as connection:
        compared = _compare_all(connection, most_new)
    if compared is None:
        return ReconcilerRound()
    done = _act(database, compared.began, page)
    broken = compared.broken | done.broken
    orphans = _find_strays(database, page, broken)
    if compared.is_complete:
        with database.system() as connection:
            drift.mark_full(connection, compared.began)
    return replace(done, lost=compared.lost, found=compared.found, orphans=orphans, ended=compared.ended, broken=broken)


def reconcile_changes(database: Database, *, page: int = PAGE, most_new: int = MOST_NEW) -> ReconcilerRound:
    """Compare the objects that have changed since the last look; everything before the first.

    Takes and raises as :func:`reconcile`. What is missing and what belongs to nobody is found by full comparisons.
    """
    with database.system() as connection:
        began = drift.begin_round(connection)
        if began is None:
            return ReconcilerRound()
        last = drift.compared_at(connection)
        since = None if last is None else last - _OVERLAP
        compared = _record(connection, began, since=since, most_new=most_new)
    done = _act(database, began, page)
    return replace(done, ended=compared.ended, broken=compared.broken | done.broken)


def reconcile_in_turn(database: Database, *, full_seconds: float) -> ReconcilerRound:
    """Compare what has changed, or everything when that was last done to the end ``full_seconds`` ago.

    When that was is in the database, and one reconciler at a time compares: a round that finds another comparing, or
    that breaks, leaves a full comparison due, and the next round of whoever comes makes up for it.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system_reads() as connection:
        is_full_due = drift.is_full_due(connection, full_seconds)
    return reconcile(database) if is_full_due else reconcile_changes(database)


def _compare_all(connection: Connection, most_new: int) -> _Compared | None:
    """Record differences, and mark what is gone and what is back; None while another reconciler compares."""
    began = drift.begin_round(connection)
    if began is None:
        return None
    compared = _record(connection, began, since=None, most_new=most_new)
    lost, found = comparison.mark_missing(connection), comparison.mark_found(connection)
    incidents.report(connection, *map(findings.lost, lost))
    incidents.report(connection, *map(findings.kind_broken, found.broken.values()))
    incidents.resolve(connection, *map(findings.lost_key, found.resources))
    audit.write(connection, *findings.existence_records(lost, found.resources))
    return replace(compared, lost=len(lost), found=len(found.resources), broken=compared.broken | set(found.broken))


def _record(connection: Connection, began: datetime, *, since: datetime | None, most_new: int) -> _Compared:
    recorded = drift.record(connection, compared_kinds(connection.kinds), since=since, limit=most_new)
    incidents.resolve(connection, *map(findings.drift_key, recorded.ended))
    audit.write(connection, *map(findings.drift_record, recorded.new))
    seen = comparison.observe(connection, since=since, limit=most_new)
    incidents.report(connection, *map(findings.kind_broken, seen.broken.values()))
    is_complete = max(len(recorded.new), seen.count) < most_new
    if is_complete:
        drift.mark_compared(connection, began)
    return _Compared(
        began=began,
        lost=0,
        found=0,
        ended=len(recorded.ended),
        is_complete=is_complete,
        broken=frozenset(seen.broken),
    )


def _act(database: Database, began: datetime, page: int) -> ReconcilerRound:
    """Do what the policies say about the differences that last, a page of them in each transaction."""
    total, after = ReconcilerRound(), None
    while True:
        with database.system() as connection:
            if drift.begin_round(connection) is None:
                return total
            lasting = drift.lasting(connection, began=began, after=after, limit=page)
            for_people = [each for each in lasting if needs_person(each)]
            incidents.report(connection, *map(findings.drifted, for_people))
            corrected = correct(connection, _with_policy(lasting, DriftPolicy.CORRECT))
            adopted = adopt(connection, _with_policy(lasting, DriftPolicy.ADOPT))
            total = replace(
                total,
                corrected=total.corrected + corrected,
                adopted=total.adopted + adopted.count,
                alerted=total.alerted + len(for_people),
                broken=total.broken | adopted.broken,
            )
        if len(lasting) < page:
            return total
        after = lasting[-1]


def _with_policy(differences: Sequence[Difference], policy: DriftPolicy) -> list[Difference]:
    return [each for each in differences if each.policy is policy and not needs_person(each)]


def _find_strays(database: Database, page: int, broken: frozenset[str]) -> int:
    """Find orphans and duplicates, and what failed jobs left that is gone by now; return how many orphans there are."""
    with database.system() as connection:
        incidents.report(connection, *map(findings.duplicated, duplicates.duplicates(connection, page)))
        incidents.report(connection, *map(findings.shared, duplicates.shared_providers(connection, page)))
        incidents.resolve(connection, *comparison.ended_incidents(connection, broken))
        incidents.resolve(connection, *map(leak_key, comparison.close_leaks(connection)))
    count, after = 0, None
    while True:
        with database.system() as connection:
            found = orphans.page(connection, limit=page, after=after)
            incidents.report(connection, *map(findings.orphaned, found))
        count += len(found)
        if len(found) < page:
            return count
        after = (found[-1].cluster_id, found[-1].uid)
