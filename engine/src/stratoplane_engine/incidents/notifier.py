# SPDX-License-Identifier: Apache-2.0
"""The notifier: tells plugins of incidents, each plugin by itself, until it is delivered or given up.

Several notifiers at once do no harm: rows are locked with SKIP LOCKED and an attempt is taken for a time. No
transaction is open while a plugin is called.
"""

import logging
import random
from typing import Final

from stratoplane.errors import TransientError
from stratoplane.hookspecs import Notification
from stratoplane.ids import new_id
from stratoplane.jobs import RetryPolicy
from stratoplane.wire import rfc3339
from stratoplane_engine.db import deliveries
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.incident import (
    DeliveryAttempt,
    DeliveryDraft,
    DeliveryState,
    IncidentAction,
    PendingEvent,
)
from stratoplane_engine.plugins import Plugins

_log: Final = logging.getLogger(__name__)
NOTIFIED: Final = frozenset(
    {IncidentAction.OPENED, IncidentAction.REOPENED, IncidentAction.ESCALATED, IncidentAction.RESOLVED}
)
"""What plugins are told of; the rest is between operators."""
RETRY: Final = RetryPolicy(attempts=12, base=5.0, cap=3600.0)
_EVENTS: Final = 100
_CALLS: Final = 20
_CALL_SECONDS: Final = 120.0
_LONGEST_ERROR: Final = 2000


def notify(database: Database, plugins: Plugins, *, generator: random.Random) -> int:
    """Make deliveries of what has happened, and make the calls that are due.

    Args:
        database: where incidents and deliveries are.
        plugins: those that are called.
        generator: supplies the jitter of retries.

    Returns:
        How many calls were made.

    Raises:
        UnavailableError: the database does not answer; what was called is called again later.
    """
    listeners = sorted(plugins.listeners())
    with database.system() as connection:
        pending = deliveries.pending_events(connection, _EVENTS)
        drafts = [_draft(event, name) for event in pending if event.action in NOTIFIED for name in listeners]
        if pending:
            deliveries.insert(connection, drafts, [event.id for event in pending])
    for called in range(_CALLS):
        # One by one, so that a slow receiver does not outlast the time for which the others were taken.
        with database.system() as connection:
            attempt = deliveries.claim(connection, listeners, seconds=_CALL_SECONDS)
        if attempt is None:
            return called
        _call(database, plugins, attempt, generator)
    return _CALLS


def _draft(event: PendingEvent, plugin: str) -> DeliveryDraft:
    identifier, incident = new_id(), event.incident
    notification = Notification(
        id=identifier,
        event=event.action,
        occurred_at=rfc3339(event.occurred_at),
        incident_id=incident.id,
        kind=incident.kind,
        severity=incident.severity,
        status=incident.status,
        title=incident.title,
        escalation=incident.escalation,
        assignee=incident.assignee,
        organization_id=incident.organization_id,
        cluster_id=incident.cluster_id,
        resource_id=incident.resource_id,
        detail=incident.detail,
    )
    return DeliveryDraft(
        id=identifier, incident_id=incident.id, event_id=event.id, plugin=plugin, notification=notification
    )


def _call(database: Database, plugins: Plugins, attempt: DeliveryAttempt, generator: random.Random) -> None:
    state, error, seconds = DeliveryState.DELIVERED, "", 0.0
    try:
        plugins.notify(attempt.plugin, attempt.notification)
    except TransientError as refused:
        error = str(refused)
        state = DeliveryState.PENDING if attempt.attempts < RETRY.attempts else DeliveryState.FAILED
        seconds = RETRY.delay(attempt.attempts, refused.retry_after, generator)
        _log.warning("plugin %s did not deliver notification %s: %s", attempt.plugin, attempt.id, error)
    except Exception as broken:  # noqa: BLE001  # a plugin may raise anything; operators see it with the delivery
        state, error = DeliveryState.FAILED, f"{type(broken).__name__}: {broken}"
        _log.exception("plugin %s failed on notification %s; it is not tried again", attempt.plugin, attempt.id)
    with database.system() as connection:
        deliveries.finish(connection, attempt, state, error=error[:_LONGEST_ERROR], seconds=seconds)
