# SPDX-License-Identifier: Apache-2.0
"""The sweeper: everything that has a time gets looked at when its time has come."""

import logging
from dataclasses import dataclass
from typing import Final

from stratoplane.crashpoints import crashpoint
from stratoplane.errors import UnavailableError
from stratoplane_engine.db import agent_keys, circuits, operations, outbox
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.queue import WorkerNotifier

_log: Final = logging.getLogger(__name__)
_LIMIT: Final = 1000
_NONCES: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What one sweep found: operations whose time has passed, stranded jobs, jobs that are due, expired keys."""

    abandoned: int
    stranded: int
    due: int
    expired: int


def sweep(database: Database, notifier: WorkerNotifier) -> Sweep:
    """End what is late, mend what is stranded, and wake the workers if any job's time has come.

    Several sweepers at once do no harm: rows are locked with SKIP LOCKED and a wake-up too many finds nothing.

    Raises:
        UnavailableError: the database does not answer.
    """
    with database.system() as connection:
        circuits.let_probes_through(connection)
        agent_keys.sweep(connection, _NONCES)
        found = Sweep(
            abandoned=operations.abandon(connection, _LIMIT),
            stranded=outbox.mend_stranded_jobs(connection),
            due=outbox.overlooked_jobs(connection, grace_seconds=0.0, limit=_LIMIT),
            expired=outbox.expire_idempotency_keys(connection),
        )
    crashpoint("sweeper-after-sweep")
    if found.abandoned or found.stranded or found.due:
        try:
            notifier.send([])
        except UnavailableError as error:
            _log.warning("%s", error.detail)
    return found
