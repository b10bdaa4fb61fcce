# SPDX-License-Identifier: Apache-2.0
"""The notifier: tells plugins of incidents, each plugin by itself, again and again until it is delivered or given up.

Several notifiers at once do no harm: rows are locked with SKIP LOCKED and an attempt is taken for a time. No
transaction is open while a plugin is called.
"""

import logging
import random
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import TransientError
from stratoplane.hookspecs import Notification
from stratoplane.ids import new_id
from stratoplane.jobs import RetryPolicy
from stratoplane_engine.db import deliveries
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.plugins import Plugins

_log: Final = logging.getLogger(__name__)
TOLD: Final = frozenset({"opened", "reopened", "escalated", "resolved"})
"""What is told outside; the rest is between operators."""
RETRY: Final = RetryPolicy(attempts=12, base=5.0, cap=3600.0)
_EVENTS: Final = 100
_CALLS: Final = 20
_CALL_SECONDS: Final = 120.0
_LONGEST_ERROR: Final = 2000


def notify(database: Database, plugins: Plugins, *, generator: random.Random) -> int:
    """Make deliveries of what has happened, and make the calls that are due.

    Args:
        generator: supplies the jitter of retries.

    Returns:
        How many calls were made.

    Raises:
        UnavailableError: the database does not answer; what was called is called again later.
    """
    listeners = plugins.listeners()
    with database.system() as connection:
        untold = deliveries.untold(connection, _EVENTS)
        made = [_delivery(row, name) for row in untold if row["action"] in TOLD for name in sorted(listeners)]
        if untold:
            deliveries.prepare(connection, made, [row["event_id"] for row in untold])
    for called in range(_CALLS):
        # One by one, so that a slow receiver does not outlast the time for which the others were taken.
        with database.system() as connection:
            due = deliveries.claim(connection, sorted(listeners), limit=1, seconds=_CALL_SECONDS)
        if not due:
            return called
        _call(database, plugins, due[0], generator)
    return _CALLS


def _delivery(row: Mapping[str, Any], plugin: str) -> dict[str, Any]:
    identifier = new_id()
    notification = {
        "id": str(identifier),
        "event": row["action"],
        "occurred_at": wire_form.instant(row["occurred_at"]),
        "incident_id": str(row["id"]),
        **{name: row[name] for name in ("kind", "severity", "status", "title", "escalation", "assignee", "detail")},
        **{name: str(row[name]) if row[name] else None for name in ("organization_id", "cluster_id", "resource_id")},
    }
    return {
        "id": identifier,
        "incident_id": row["id"],
        "event_id": row["event_id"],
        "plugin": plugin,
        "notification": notification,
    }


def _call(database: Database, plugins: Plugins, row: Mapping[str, Any], generator: random.Random) -> None:
    state, error, seconds = "DELIVERED", "", 0.0
    try:
        plugins.notify(row["plugin"], _read(row["notification"]))
    except TransientError as refused:
        error, again = str(refused), row["attempts"] < RETRY.attempts
        state = "PENDING" if again else "FAILED"
        seconds = RETRY.delay(row["attempts"], refused.retry_after, generator)
        _log.warning("plugin %s could not tell of an incident: %s", row["plugin"], error)
    except Exception as broken:  # noqa: BLE001  # a plugin may raise anything; operators see it with the delivery
        state, error = "FAILED", f"{type(broken).__name__}: {broken}"
        _log.exception("plugin %s gave up telling of an incident", row["plugin"])
    with database.system() as connection:
        text = error[:_LONGEST_ERROR]
        deliveries.finish(connection, row["id"], row["attempts"], state=state, error=text, seconds=seconds)


def _read(document: Mapping[str, Any]) -> Notification:
    ids = ("id", "incident_id", "organization_id", "cluster_id", "resource_id")
    return Notification(**{**document, **{name: UUID(document[name]) for name in ids if document[name]}})
