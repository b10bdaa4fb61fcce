# SPDX-License-Identifier: Apache-2.0
"""The outbox: what is to be told outside the database, written in the transaction of the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_states import IS_HELD, LIVE_STATES
from stratoplane_engine.db.statement import Statement

# Never "id > last": sequences commit out of order, and a late commit would be skipped.
_TAKE: Final = Statement("""
SELECT o.id, CASE o.topic WHEN 'job' THEN CAST(o.payload->>'job_id' AS uuid) END AS job_id
FROM outbox o ORDER BY o.id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_FORGET: Final = Statement("DELETE FROM outbox o WHERE o.id = ANY(:ids)")
_OVERLOOKED: Final = Statement(f"""
SELECT j.id FROM job j
WHERE j.state IN {LIVE_STATES} AND j.next_run_at < clock_timestamp() - make_interval(secs => :grace)
    AND (j.lease_until IS NULL OR j.lease_until < clock_timestamp()) AND NOT {IS_HELD}
ORDER BY j.next_run_at LIMIT :limit
""")
_STRANDED: Final = Statement(f"""
UPDATE job j SET next_run_at = clock_timestamp() WHERE j.state IN {LIVE_STATES} AND j.next_run_at IS NULL
    AND NOT EXISTS (SELECT FROM operation o WHERE o.job_id = j.id AND o.state IN ('QUEUED', 'OFFERED', 'RUNNING'))
    AND (j.lease_until IS NULL OR j.lease_until < clock_timestamp())
""")
_EXPIRE_KEYS: Final = Statement("DELETE FROM idempotency i WHERE i.expires_at < clock_timestamp()")


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """Something to tell: a job that workers should look at, None for a topic that is not known here."""

    id: int
    job_id: UUID | None


def take(connection: Connection, limit: int) -> list[OutboxRow]:
    """Lock and return up to ``limit`` unsent rows, oldest first."""
    return connection.all(OutboxRow, _TAKE, {"limit": limit})


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Remove rows that were sent, with the commit."""
    connection.defer(_FORGET, {"ids": list(ids)})


def overlooked_jobs(connection: Connection, *, grace_seconds: float, limit: int) -> int:
    """Return how many jobs should have run ``grace_seconds`` ago and were not claimed: their wake-up was lost."""
    return len(connection.documents(_OVERLOOKED, {"grace": grace_seconds, "limit": limit}))


def mend_stranded_jobs(connection: Connection) -> int:
    """Make live jobs runnable that wait for an operation which does not exist; return how many there were."""
    return connection.run(_STRANDED)


def expire_idempotency_keys(connection: Connection) -> int:
    """Remove stored answers that have expired; return how many."""
    return connection.run(_EXPIRE_KEYS)
