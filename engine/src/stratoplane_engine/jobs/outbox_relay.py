# SPDX-License-Identifier: Apache-2.0
"""The outbox relay: what transactions left to tell becomes wake-ups, at least once."""

import logging
from typing import Final

from stratoplane.crashpoints import crashpoint
from stratoplane.errors import UnavailableError
from stratoplane_engine.db import outbox as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.queue import WorkerNotifier

_log: Final = logging.getLogger(__name__)
BATCH: Final = 1000


def relay(database: Database, notifier: WorkerNotifier) -> int:
    """Send every unsent row and return how many there were.

    A row is removed after Valkey took its wake-up. While Valkey is away the rows are removed too, since the workers
    poll the database then and a wake-up that comes late wakes nobody.

    Raises:
        UnavailableError: the database does not answer.
    """
    sent = 0
    while True:
        with database.system() as connection:
            taken = rows.take(connection, BATCH)
            if not taken:
                return sent
            try:
                notifier.send([row.job_id for row in taken if row.job_id is not None])
            except UnavailableError as error:
                _log.warning("%s", error.detail)
            crashpoint("relay-after-send")
            rows.forget(connection, [row.id for row in taken])
        sent += len(taken)
        if len(taken) < BATCH:
            return sent
