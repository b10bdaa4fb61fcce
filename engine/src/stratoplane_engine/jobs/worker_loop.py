# SPDX-License-Identifier: Apache-2.0
"""Claim many jobs, move each on, write everything back: the worker's whole work, in two transactions a batch."""

import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.errors import Error as DatabaseError

from stratoplane.crashpoints import crashpoint
from stratoplane.hookspecs import CommittedEvent
from stratoplane_engine.db import jobs as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_verdicts
from stratoplane_engine.jobs.runner import Verdict, advance, quarantine
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.workflows.catalogue import workflows_for

_log: Final = logging.getLogger(__name__)
BATCH: Final = 100
MOST_CRASHES: Final = 3


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
            claimed = rows.claim(connection, owner=owner, limit=BATCH, start=UUID(int=generator.getrandbits(128)))
        if not claimed:
            return moved
        crashpoint("worker-after-claim")
        fresh = [row for row in claimed if not row["crashes"]]
        suspects = [row for row in claimed if row["crashes"]]
        verdicts = [each for batch in (fresh, suspects) if batch for each in _move(database, plugins, batch, generator)]
        moved += len(verdicts)
        if not suspects and not _is_more(fresh) and not any(verdict.settlement for verdict in verdicts):
            # Nothing was left over, and no end of a job has woken another.
            return moved


def _is_more(claimed: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether any organization may have more waiting than its share of the batch."""
    taken = Counter(row["organization_id"] for row in claimed)
    return any(taken[row["organization_id"]] >= row["share"] for row in claimed)


def _move(
    database: Database, plugins: Plugins, claimed: Sequence[Mapping[str, Any]], generator: random.Random
) -> Sequence[Verdict]:
    """Move claimed jobs and return the verdicts that counted."""
    verdicts = [verdict for row in claimed if (verdict := _judge(row, generator, database.kinds))]
    crashpoint("worker-after-verdict")
    current = _written(database, verdicts)
    crashpoint("worker-after-write")
    counted = [verdict for verdict in verdicts if verdict.job.id in current]
    _tell(plugins, counted)
    return counted


def _judge(row: Mapping[str, Any], generator: random.Random, kinds: Kinds) -> Verdict | None:
    try:
        job, workflows = read_claim(row, kinds), workflows_for(kinds)
        return advance(job, generator, workflows) if row["crashes"] < MOST_CRASHES else quarantine(job, workflows)
    except Exception:  # noqa: BLE001  # one job that cannot be judged must not hold up those claimed with it
        _log.exception(
            "job %s (%s) cannot be moved; it is tried again when its lease has ended", row["id"], row["kind"]
        )
        return None


def _written(database: Database, verdicts: Sequence[Verdict]) -> frozenset[Any]:
    """Write the verdicts back together, or one by one when one of them stands in the way of all."""
    try:
        with database.system() as connection:
            current = persist_verdicts(connection, verdicts)
    except DatabaseError as error:
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
