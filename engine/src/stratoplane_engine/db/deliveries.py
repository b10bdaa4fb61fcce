# SPDX-License-Identifier: Apache-2.0
"""Deliveries: who was notified of an incident, who is still to be notified, and who could not be."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, Document, dump_json, read
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.incident import (
    Delivery,
    DeliveryAttempt,
    DeliveryDraft,
    DeliveryState,
    PendingEvent,
)

_PENDING: Final = Statement("""
SELECT e.id AS event_id, e.action, e.occurred_at, i.*
FROM incident_event e JOIN incident i ON i.id = e.incident_id
WHERE e.told_at IS NULL ORDER BY e.occurred_at LIMIT :limit FOR UPDATE OF e SKIP LOCKED
""")
_INSERT: Final = Statement("""
WITH made AS (
    INSERT INTO delivery (id, incident_id, event_id, plugin, notification)
    SELECT d.id, d.incident_id, d.event_id, d.plugin, d.notification
    FROM jsonb_populate_recordset(NULL::delivery, CAST(:deliveries AS jsonb)) AS d
    ON CONFLICT (event_id, plugin) DO NOTHING
)
UPDATE incident_event e SET told_at = clock_timestamp() WHERE e.id = ANY(:events)
""")
# What is under way is due again when its caller must be dead.
_CLAIM: Final = Statement("""
WITH due AS MATERIALIZED (
    SELECT d.id FROM delivery d WHERE d.state = 'PENDING' AND d.next_attempt_at <= clock_timestamp()
        AND d.plugin = ANY(:plugins)
    ORDER BY d.next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE delivery d SET attempts = d.attempts + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => :seconds)
FROM due WHERE d.id = due.id RETURNING d.id, d.plugin, d.notification, d.attempts
""")
_FINISH: Final = Statement("""
UPDATE delivery d SET state = :state, error = :error,
    next_attempt_at = CASE WHEN :state = 'PENDING' THEN clock_timestamp() + make_interval(secs => :seconds) END,
    finished_at = CASE WHEN :state <> 'PENDING' THEN clock_timestamp() END
WHERE d.id = :id AND d.attempts = :attempt AND d.state = 'PENDING'
""")
_RESTART: Final = Statement("""
UPDATE delivery d SET state = 'PENDING', attempts = 0, error = '', next_attempt_at = clock_timestamp(),
    finished_at = NULL
WHERE d.id = :id AND d.incident_id = :incident RETURNING d.id, d.plugin, d.notification->>'event' AS event, d.state,
    d.attempts, d.error, d.created_at, d.next_attempt_at, d.finished_at
""")


def pending_events(connection: Connection, limit: int) -> list[PendingEvent]:
    """Lock and return events that no delivery was made of yet, each with its incident as it is."""
    return [_pending_event(row) for row in connection.documents(_PENDING, {"limit": limit})]


def _pending_event(row: Document) -> PendingEvent:
    event = {"id": row["event_id"], "action": row["action"], "occurred_at": row["occurred_at"]}
    return read(PendingEvent, {**event, "incident": row})


def insert(connection: Connection, deliveries: Sequence[DeliveryDraft], events: Sequence[UUID]) -> None:
    """Write deliveries, and that none are to be made of these events any more."""
    connection.run(_INSERT, {"deliveries": dump_json(deliveries), "events": list(events)})


def claim(connection: Connection, plugins: Sequence[str], *, seconds: float) -> DeliveryAttempt | None:
    """Take the delivery to one of these plugins that is due longest, for ``seconds``; None when none is due."""
    return connection.first(DeliveryAttempt, _CLAIM, {"plugins": list(plugins), "seconds": seconds})


def finish(
    connection: Connection, attempt: DeliveryAttempt, state: DeliveryState, *, error: str = "", seconds: float = 0.0
) -> None:
    """Write how an attempt ended, unless another has begun since; PENDING is due again after ``seconds``."""
    made = {"id": attempt.id, "attempt": attempt.attempts}
    connection.run(_FINISH, {**made, "state": state, "error": error, "seconds": seconds})


def restart(connection: Connection, incident_id: UUID, delivery_id: UUID) -> Delivery | None:
    """Let a delivery be made again from the first attempt on; None when the incident has no such one."""
    return connection.first(Delivery, _RESTART, {"id": delivery_id, "incident": incident_id})
