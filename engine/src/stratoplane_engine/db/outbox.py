# SPDX-License-Identifier: Apache-2.0
"""The outbox: what is to be told outside the database, written in the transaction of the change."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text

from stratoplane.jobs import LIVE
from stratoplane_engine.db.connection import Connection

# Never "id > last": sequences commit out of order, and a late commit would be skipped.
_TAKE: Final = text("""
SELECT o.id, o.topic, o.payload FROM outbox o ORDER BY o.id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_FORGET: Final = text("DELETE FROM outbox o WHERE o.id = ANY(:ids)")
_LIVE: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
_OVERLOOKED: Final = text(f"""
SELECT j.id FROM job j WHERE j.state IN {_LIVE} AND j.next_run_at < clock_timestamp() - make_interval(secs => :grace)
    AND (j.lease_until IS NULL OR j.lease_until < clock_timestamp())
ORDER BY j.next_run_at LIMIT :limit
""")
_LEASE_OVER_WITHOUT_TIME: Final = text(f"""
UPDATE job j SET next_run_at = clock_timestamp() WHERE j.state IN {_LIVE} AND j.next_run_at IS NULL
    AND NOT EXISTS (SELECT FROM operation o WHERE o.job_id = j.id AND o.state IN ('QUEUED', 'OFFERED', 'RUNNING'))
    AND (j.lease_until IS NULL OR j.lease_until < clock_timestamp())
""")
_EXPIRE_KEYS: Final = text("DELETE FROM idempotency i WHERE i.expires_at < clock_timestamp()")


def take(connection: Connection, limit: int) -> Sequence[Mapping[str, Any]]:
    """Lock and return up to ``limit`` unsent rows, oldest first."""
    return [row._asdict() for row in connection.execute(_TAKE, {"limit": limit})]


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Remove rows that were sent."""
    connection.execute(_FORGET, {"ids": list(ids)})


def overlooked_jobs(connection: Connection, *, grace_seconds: float, limit: int) -> int:
    """Return how many jobs should have run ``grace_seconds`` ago and were not claimed: their wake-up was lost."""
    return len(connection.execute(_OVERLOOKED, {"grace": grace_seconds, "limit": limit}).all())


def mend_stranded_jobs(connection: Connection) -> int:
    """Make live jobs runnable that wait for an operation which does not exist; return how many there were."""
    return connection.execute(_LEASE_OVER_WITHOUT_TIME).rowcount


def expire_idempotency_keys(connection: Connection) -> int:
    """Remove stored answers whose time is over."""
    return connection.execute(_EXPIRE_KEYS).rowcount
