# SPDX-License-Identifier: Apache-2.0
"""Incidents, for operators: what somebody must see to, who does, and who was told."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import ResourceNotFoundError, StateConflictError
from stratoplane.incidents import TRANSITIONS, IncidentStatus
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, deliveries
from stratoplane_engine.db import incidents as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

_SORT: Final = "-created_at"
_UNRESOLVED: Final = (IncidentStatus.OPEN.value, IncidentStatus.ACKNOWLEDGED.value)
_Document = dict[str, Any]


def list_incidents(
    database: Database, context: RequestContext, page: Page, filters: Mapping[str, Any]
) -> Listing[Mapping[str, object]]:
    """Return one page of incidents, newest first.

    Args:
        filters: values of ``severity``, ``kind``, ``cluster_id``, ``assignee``; ``status`` is in ``page``, and without
            one only those are listed that are not resolved.
    """
    require(context, Permission.PLATFORM_READ)
    after = cursors.decode(_SORT, page.cursor)
    wanted = {**filters, "status": [page.status] if page.status else list(_UNRESOLVED)}
    with database.system() as connection:
        found = rows.page(connection, filters=wanted, after=UUID(after) if after else None, limit=page.limit + 1)
    shown = found[: page.limit]
    following = cursors.encode(_SORT, str(shown[-1]["id"])) if len(found) > page.limit else None
    return Listing(items=tuple(map(wire_form.incident, shown)), next=following)


def get_incident(database: Database, context: RequestContext, incident_id: UUID) -> _Document:
    """Return one incident with what has happened with it and who was told.

    Raises:
        ResourceNotFoundError: there is none with the id.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        return _whole(connection, incident_id)


def _whole(connection: Connection, incident_id: UUID) -> _Document:
    found = rows.get(connection, incident_id)
    if found is None:
        raise _unknown(incident_id)
    return wire_form.incident(found) | {
        "events": [wire_form.incident_event(row) for row in rows.events(connection, incident_id)],
        "deliveries": [wire_form.delivery(row) for row in deliveries.of_incident(connection, incident_id)],
    }


def acknowledge(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> _Document:
    """Say that somebody looks at an incident: it escalates no more, and is assigned to the caller unless it was before.

    Raises:
        ResourceNotFoundError: there is none with the id.
        StateConflictError: it is not open.
    """
    return _move(database, context, incident_id, IncidentStatus.ACKNOWLEDGED, "acknowledged", note)


def resolve(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> _Document:
    """Say that an incident has been seen to. The same finding opens it again. Raises as :func:`acknowledge`."""
    return _move(database, context, incident_id, IncidentStatus.RESOLVED, "resolved", note)


def reopen(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> _Document:
    """Say that an incident is not over after all. Raises as :func:`acknowledge`."""
    return _move(database, context, incident_id, IncidentStatus.OPEN, "reopened", note)


def assign(database: Database, context: RequestContext, incident_id: UUID, *, assignee: str) -> _Document:
    """Say who is to look at an incident; nobody if ``assignee`` is empty.

    Raises:
        ResourceNotFoundError: there is none with the id.
        StateConflictError: it is resolved.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        found = _locked(connection, incident_id)
        if found["status"] == IncidentStatus.RESOLVED:
            raise StateConflictError("the incident is RESOLVED; reopen it before you assign it")
        action = "assigned" if assignee else "unassigned"
        detail = {"assignee": assignee}
        _write(connection, context, found, status=found["status"], assignee=assignee, action=action, detail=detail)
        return _whole(connection, incident_id)


def add_note(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> _Document:
    """Add words to the history of an incident. Raises ResourceNotFoundError: there is none with the id."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        found = _locked(connection, incident_id)
        _write(
            connection, context, found, status=found["status"], assignee=found["assignee"], action="noted", note=note
        )
        return _whole(connection, incident_id)


def redeliver(database: Database, context: RequestContext, incident_id: UUID, delivery_id: UUID) -> _Document:
    """Send a notification again, from the first attempt on, with the id it had.

    Raises:
        ResourceNotFoundError: the incident has no such delivery.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        found = _locked(connection, incident_id)
        delivery = deliveries.again(connection, incident_id, delivery_id)
        if delivery is None:
            raise ResourceNotFoundError(f"incident {incident_id} has no delivery {delivery_id}; show the incident")
        detail = {"delivery_id": str(delivery_id), "plugin": delivery["plugin"]}
        _record(connection, context, found, AuditAction.DELIVERY_REPEATED, detail)
    return wire_form.delivery(delivery)


_RECORDED: Final = {
    "acknowledged": AuditAction.INCIDENT_ACKNOWLEDGED,
    "resolved": AuditAction.INCIDENT_RESOLVED,
    "reopened": AuditAction.INCIDENT_REOPENED,
    "assigned": AuditAction.INCIDENT_ASSIGNED,
    "unassigned": AuditAction.INCIDENT_ASSIGNED,
    "noted": AuditAction.INCIDENT_NOTED,
}


def _move(
    database: Database, context: RequestContext, incident_id: UUID, status: IncidentStatus, action: str, note: str
) -> _Document:
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        found = _locked(connection, incident_id)
        if status not in TRANSITIONS[IncidentStatus(found["status"])]:
            raise StateConflictError(f"the incident is {found['status']}; it cannot be {action}")
        taken = context.actor.name if status is IncidentStatus.ACKNOWLEDGED else ""
        assignee = found["assignee"] or taken
        _write(connection, context, found, status=status.value, assignee=assignee, action=action, note=note)
        return _whole(connection, incident_id)


def _locked(connection: Connection, incident_id: UUID) -> _Document:
    found = rows.lock(connection, incident_id)
    if found is None:
        raise _unknown(incident_id)
    return found


def _unknown(incident_id: UUID) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"there is no incident {incident_id}; list the incidents")


def _write(
    connection: Connection,
    context: RequestContext,
    found: Mapping[str, Any],
    *,
    status: str,
    assignee: str,
    action: str,
    note: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    event = {"action": action, "actor": context.actor.name, "note": note, "detail": detail or {}}
    rows.move(connection, found["id"], status=status, assignee=assignee, event=event)
    _record(connection, context, found, _RECORDED[action], {"note": note, **(detail or {})})


def _record(
    connection: Connection,
    context: RequestContext,
    found: Mapping[str, Any],
    action: AuditAction,
    detail: Mapping[str, Any],
) -> None:
    record = AuditRecord(
        action=action,
        actor=context.actor.name,
        occurred_at=datetime.now(UTC),
        organization_id=found["organization_id"],
        subject_id=found["id"],
        subject_name=found["title"],
        request_id=context.request_id,
        detail={"kind": found["kind"], **detail},
    )
    audit.write(connection, record)
