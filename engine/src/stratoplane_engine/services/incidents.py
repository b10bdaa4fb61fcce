# SPDX-License-Identifier: Apache-2.0
"""Incidents, for operators: list them, see one whole, acknowledge, assign, resolve, reopen, note, send again."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError, StateConflictError
from stratoplane.incidents import TRANSITIONS, IncidentStatus
from stratoplane.kinds import invalid
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, deliveries, identity
from stratoplane_engine.db import incidents as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.incident import (
    Delivery,
    Incident,
    IncidentAction,
    IncidentChange,
    IncidentFilter,
    IncidentHistory,
)
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.audit_records import platform_record
from stratoplane_engine.services.listings import newest_first

_BY_TIME: Final = newest_first(Incident)
_RECORDED: Final[Mapping[IncidentAction, AuditAction]] = MappingProxyType(
    {
        IncidentAction.ACKNOWLEDGED: AuditAction.INCIDENT_ACKNOWLEDGED,
        IncidentAction.RESOLVED: AuditAction.INCIDENT_RESOLVED,
        IncidentAction.REOPENED: AuditAction.INCIDENT_REOPENED,
        IncidentAction.ASSIGNED: AuditAction.INCIDENT_ASSIGNED,
        IncidentAction.UNASSIGNED: AuditAction.INCIDENT_ASSIGNED,
        IncidentAction.NOTED: AuditAction.INCIDENT_NOTED,
    }
)


def list_incidents(
    database: Database, context: RequestContext, page: Page, wanted: IncidentFilter
) -> Listing[Incident]:
    """Return one page of incidents, newest first.

    Raises:
        PermissionDeniedError: the caller is not an operator of the platform.
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    before = _BY_TIME.begin(page)
    with database.system_reads() as connection:
        found = rows.incidents(connection, wanted, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def get_incident(database: Database, context: RequestContext, incident_id: UUID) -> IncidentHistory:
    """Return one incident with what has happened with it and who was notified.

    Raises:
        ResourceNotFoundError: there is none with the id; the caller lists the incidents.
    """
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _history(connection, incident_id)


def acknowledge(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> IncidentHistory:
    """Say that somebody looks at an incident: it no longer escalates, and is assigned to the caller unless it was.

    Raises:
        ResourceNotFoundError: there is none with the id; the caller lists the incidents.
        StateConflictError: its status does not allow it; the caller looks at it again.
    """
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        made = _moved(context, found, IncidentStatus.ACKNOWLEDGED, IncidentAction.ACKNOWLEDGED, note)
        return _change(connection, context, found, replace(made, assignee=found.assignee or context.actor.name))


def resolve(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> IncidentHistory:
    """Say that an incident is over. The same finding opens it again. Raises as :func:`acknowledge`."""
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        made = _moved(context, found, IncidentStatus.RESOLVED, IncidentAction.RESOLVED, note)
        return _change(connection, context, found, made)


def reopen(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> IncidentHistory:
    """Say that an incident is not over after all. Raises as :func:`acknowledge`."""
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        made = _moved(context, found, IncidentStatus.OPEN, IncidentAction.REOPENED, note)
        return _change(connection, context, found, made)


def assign(database: Database, context: RequestContext, incident_id: UUID, *, assignee: str) -> IncidentHistory:
    """Say who is to look at an incident; nobody if ``assignee`` is empty.

    Raises:
        ResourceNotFoundError: there is none with the id; the caller lists the incidents.
        StateConflictError: it is resolved; the caller reopens it first.
        InvalidSpecError: there is no such user.
    """
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        if found.status is IncidentStatus.RESOLVED:
            raise StateConflictError("the incident is RESOLVED; reopen it before you assign it")
        assignee = _known(connection, assignee) if assignee else ""
        made = IncidentChange(
            status=found.status,
            assignee=assignee,
            action=IncidentAction.ASSIGNED if assignee else IncidentAction.UNASSIGNED,
            actor=context.actor.name,
            detail={"assignee": assignee},
        )
        return _change(connection, context, found, made)


def _known(connection: Connection, assignee: str) -> str:
    """Return a user as the history names it: ``user:bob``; the name alone will do."""
    username = assignee.removeprefix("user:")
    if identity.find_account(connection, username) is None:
        raise invalid("/assignee", f"there is no user {username!r}; name one as in user:alice")
    return f"user:{username}"


def add_note(database: Database, context: RequestContext, incident_id: UUID, *, note: str) -> IncidentHistory:
    """Add a note to the history of an incident. Raises ResourceNotFoundError as :func:`acknowledge`."""
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        made = IncidentChange(
            status=found.status,
            assignee=found.assignee,
            action=IncidentAction.NOTED,
            actor=context.actor.name,
            note=note,
        )
        return _change(connection, context, found, made)


def redeliver(database: Database, context: RequestContext, incident_id: UUID, delivery_id: UUID) -> Delivery:
    """Send a notification again, from the first attempt on, with the id it had.

    Raises:
        ResourceNotFoundError: there is no such incident, or it has no such delivery; the caller shows the incident.
    """
    with database.system() as connection:
        found = _locked(connection, context, incident_id)
        delivery = deliveries.restart(connection, incident_id, delivery_id)
        if delivery is None:
            raise ResourceNotFoundError(f"incident {incident_id} has no delivery {delivery_id}; show the incident")
        detail = {"delivery_id": str(delivery_id), "plugin": delivery.plugin}
        _record(connection, context, found, AuditAction.DELIVERY_REPEATED, detail)
    return delivery


def _moved(
    context: RequestContext, found: Incident, status: IncidentStatus, action: IncidentAction, note: str
) -> IncidentChange:
    if status not in TRANSITIONS[found.status]:
        raise StateConflictError(f"the incident is {found.status}; it cannot be {action}")
    return IncidentChange(status=status, assignee=found.assignee, action=action, actor=context.actor.name, note=note)


def _locked(connection: Connection, context: RequestContext, incident_id: UUID) -> Incident:
    require(context, Permission.PLATFORM_WRITE)
    found = rows.lock(connection, incident_id)
    if found is None:
        raise _unknown(incident_id)
    return found


def _unknown(incident_id: UUID) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"there is no incident {incident_id}; list the incidents")


def _history(connection: Connection, incident_id: UUID) -> IncidentHistory:
    found = rows.history(connection, incident_id)
    if found is None:
        raise _unknown(incident_id)
    return found


def _change(connection: Connection, context: RequestContext, found: Incident, made: IncidentChange) -> IncidentHistory:
    rows.change(connection, found.id, made)
    _record(connection, context, found, _RECORDED[made.action], {"note": made.note, **made.detail})
    return _history(connection, found.id)


def _record(
    connection: Connection,
    context: RequestContext,
    found: Incident,
    action: AuditAction,
    detail: Mapping[str, object],
) -> None:
    record = platform_record(
        context,
        action,
        found.id,
        found.title,
        organization_id=found.organization_id,
        detail={"kind": found.kind, **detail},
    )
    audit.write(connection, record)
