# SPDX-License-Identifier: Apache-2.0
"""Claim many jobs, move each on, persist everything: the worker's whole work, in two transactions a batch."""

import logging
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from psycopg.errors import Error as DatabaseError

from stratoplane.crashpoints import crashpoint
from stratoplane.hookspecs import CommittedEvent
from stratoplane_engine.db import claims
from stratoplane_engine.db.claims import Claim
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_updates
from stratoplane_engine.jobs.runner import JobUpdate, advance, quarantine
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
        UnavailableError: the database does not answer; claimed jobs are claimed again when their lease has expired.
    """
    moved = 0
    while True:
        with database.system() as connection:
            claimed = claims.claim(connection, owner=owner, limit=BATCH, start=UUID(int=generator.getrandbits(128)))
        if not claimed:
            return moved
        crashpoint("worker-after-claim")
        fresh = [claim for claim in claimed if not claim.crashes]
        suspects = [claim for claim in claimed if claim.crashes]
        updates = [each for batch in (fresh, suspects) if batch for each in _move(database, plugins, batch, generator)]
        moved += len(updates)
        if not suspects and not _is_more(fresh) and not any(update.outcome for update in updates):
            # Nothing was left behind, and no end of a job has woken another.
            return moved


def _is_more(claimed: Sequence[Claim]) -> bool:
    """Tell whether any organization may have more waiting than its share of the batch."""
    taken = Counter(claim.organization_id for claim in claimed)
    return any(taken[claim.organization_id] >= claim.share for claim in claimed)


def _move(
    database: Database, plugins: Plugins, claimed: Sequence[Claim], generator: random.Random
) -> Sequence[JobUpdate]:
    """Move claimed jobs and return the updates that counted."""
    updates = [update for claim in claimed if (update := _judge(claim, generator, database.kinds))]
    crashpoint("worker-after-verdict")
    current = _persisted(database, updates)
    crashpoint("worker-after-write")
    counted = [update for update in updates if update.job.id in current]
    _tell(plugins, counted)
    return counted


def _judge(claim: Claim, generator: random.Random, kinds: Kinds) -> JobUpdate | None:
    try:
        job, workflows = read_claim(claim, kinds), workflows_for(kinds)
        return advance(job, generator, workflows) if claim.crashes < MOST_CRASHES else quarantine(job, workflows)
    except Exception:  # noqa: BLE001  # one job that cannot be judged must not hold up those claimed with it
        _log.exception(
            "job %s (%s) cannot be moved; it is tried again when its lease has expired", claim.id, claim.kind
        )
        return None


def _persisted(database: Database, updates: Sequence[JobUpdate]) -> frozenset[UUID]:
    """Persist the updates together, or one by one when one of them stands in the way of all."""
    try:
        with database.system() as connection:
            current = persist_updates(connection, updates)
    except DatabaseError as error:
        if len(updates) == 1:
            job_id = updates[0].job.id
            _log.exception("job %s cannot be persisted; it is tried again when its lease has expired", job_id)
            return frozenset()
        _log.warning("updates of jobs are persisted one by one: %s", error)
        return frozenset().union(*(_persisted(database, [update]) for update in updates))
    if stale := len(updates) - len(current):
        _log.warning("%d updates of jobs were refused: another worker had claimed those jobs", stale)
    return current


def _tell(plugins: Plugins, updates: Sequence[JobUpdate]) -> None:
    for update in updates:
        if update.outcome is None:
            continue
        resource = update.job.context.resource
        plugins.committed(
            CommittedEvent(
                action=f"{update.job.kind}.{update.state.value.lower()}",
                kind=resource.kind,
                resource_id=resource.id,
                organization_id=resource.organization_id,
                project_id=resource.project_id,
                detail={"status": (update.outcome.status or resource.status).value, "job_id": str(update.job.id)},
            )
        )
