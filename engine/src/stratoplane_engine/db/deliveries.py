# SPDX-License-Identifier: Apache-2.0
"""Deliveries: who was told of an incident, who is still to be told, and who could not be."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json

_UNTOLD: Final = text("""
SELECT e.id AS event_id, e.action, e.occurred_at, i.*
FROM incident_event e JOIN incident i ON i.id = e.incident_id
WHERE e.told_at IS NULL ORDER BY e.occurred_at LIMIT :limit FOR UPDATE OF e SKIP LOCKED
""")
_PREPARE: Final = text("""
WITH made AS (
    INSERT INTO delivery (id, incident_id, event_id, plugin, notification)
    SELECT d.id, d.incident_id, d.event_id, d.plugin, d.notification
    FROM jsonb_populate_recordset(NULL::delivery, CAST(:deliveries AS jsonb)) AS d
    ON CONFLICT (event_id, plugin) DO NOTHING
)
UPDATE incident_event e SET told_at = clock_timestamp() WHERE e.id = ANY(:events)
""")
# What is under way is due again when its caller must be dead.
_CLAIM: Final = text("""
WITH due AS MATERIALIZED (
    SELECT d.id FROM delivery d WHERE d.state = 'PENDING' AND d.next_attempt_at <= clock_timestamp()
        AND d.plugin = ANY(:plugins)
    ORDER BY d.next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE delivery d SET attempts = d.attempts + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => :seconds)
FROM due WHERE d.id = due.id RETURNING d.id, d.plugin, d.notification, d.attempts
""")
_FINISH: Final = text("""
UPDATE delivery d SET state = :state, error = :error,
    next_attempt_at = CASE WHEN :state = 'PENDING' THEN clock_timestamp() + make_interval(secs => :seconds) END,
    finished_at = CASE WHEN :state <> 'PENDING' THEN clock_timestamp() END
WHERE d.id = :id AND d.attempts = :attempt AND d.state = 'PENDING'
""")
_OF: Final = text("SELECT d.* FROM delivery d WHERE d.incident_id = :id ORDER BY d.created_at, d.id LIMIT 500")
_AGAIN: Final = text("""
UPDATE delivery d SET state = 'PENDING', attempts = 0, error = '', next_attempt_at = clock_timestamp(),
    finished_at = NULL
WHERE d.id = :id AND d.incident_id = :incident RETURNING d.*
""")


def untold(connection: Connection, limit: int) -> Sequence[Mapping[str, Any]]:
    """Lock and return events that no delivery was made for yet, each with its incident as it is."""
    return [row._asdict() for row in connection.execute(_UNTOLD, {"limit": limit})]


def prepare(connection: Connection, deliveries: Sequence[Mapping[str, Any]], events: Sequence[UUID]) -> None:
    """Write deliveries, and that their events are told."""
    connection.execute(_PREPARE, {"deliveries": dump_json(deliveries), "events": list(events)})


def claim(connection: Connection, plugins: Sequence[str], *, limit: int, seconds: float) -> Sequence[Mapping[str, Any]]:
    """Take up to ``limit`` due deliveries of these plugins for ``seconds``."""
    parameters = {"plugins": list(plugins), "limit": limit, "seconds": seconds}
    return [row._asdict() for row in connection.execute(_CLAIM, parameters)]


def finish(
    connection: Connection, delivery_id: UUID, attempt: int, *, state: str, error: str = "", seconds: float = 0.0
) -> None:
    """Write how an attempt ended, unless another has begun since; PENDING is due again after ``seconds``."""
    parameters = {"id": delivery_id, "attempt": attempt, "state": state, "error": error, "seconds": seconds}
    connection.execute(_FINISH, parameters)


def of_incident(connection: Connection, incident_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return who was told of an incident, oldest first."""
    return [row._asdict() for row in connection.execute(_OF, {"id": incident_id})]


def again(connection: Connection, incident_id: UUID, delivery_id: UUID) -> Mapping[str, Any] | None:
    """Let a delivery be made again from the beginning; None when the incident has no such one."""
    found = connection.execute(_AGAIN, {"id": delivery_id, "incident": incident_id}).one_or_none()
    return found._asdict() if found else None
