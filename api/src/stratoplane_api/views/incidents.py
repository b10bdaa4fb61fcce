# SPDX-License-Identifier: Apache-2.0
"""Incidents: list them, look at one, acknowledge, assign, resolve, reopen, note, and send notifications again."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane.incidents import IncidentKind, IncidentStatus, Severity
from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation import incidents as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import incidents as schemas
from stratoplane_api.schemas.jobs import Resolution
from stratoplane_api.schemas.strict import Request, list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.incident import IncidentFilter, IncidentHistory
from stratoplane_engine.services import incidents

_TAG: Final = "Incidents"
_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_CONFLICT: Final = 409
_NOTE: Final[Mapping[str, str]] = {"note": "the rack has power again"}
_Body = dict[str, Any]


def _change(
    *,
    id: str,  # noqa: A002  # as Endpoint has it
    path: str,
    summary: str,
    body: type[Request] = schemas.Remark,
    body_example: Mapping[str, str] = _NOTE,
    errors: tuple[int, ...] = (_CONFLICT,),
) -> Endpoint:
    return Endpoint(
        id=id,
        method="POST",
        path=path,
        access=_WRITE,
        summary=summary,
        tag=_TAG,
        body=body,
        body_example=body_example,
        answer=schemas.IncidentStory,
        example=examples.INCIDENT_STORY,
        errors=errors,
    )


@OPS.add(
    Endpoint(
        id="list_incidents",
        method="GET",
        path="/incidents",
        access=_READ,
        summary="List incidents, newest first",
        tag=_TAG,
        query=schemas.IncidentsQuery,
        answer=list_of(schemas.Incident),
        features=frozenset({Feature.PAGED}),
        example={"items": [examples.INCIDENT], "next": None},
    )
)
def list_incidents() -> Response:
    """Answer with incidents, those that are not resolved unless the query asks for others."""
    found = incidents.list_incidents(database(), context(), page(), _filter(g.query))
    return answers.page_of(found, presentation.incident)


def _filter(query: _Body) -> IncidentFilter:
    status, severity, kind = query.get("status"), query.get("severity"), query.get("kind")
    cluster = query.get("cluster_id")
    asked = {} if status is None else {"statuses": (IncidentStatus(status),)}
    return IncidentFilter(
        severity=None if severity is None else Severity(severity),
        kind=None if kind is None else IncidentKind(kind),
        cluster_id=None if cluster is None else UUID(str(cluster)),
        assignee=query.get("assignee"),
        **asked,
    )


@OPS.add(
    Endpoint(
        id="get_incident",
        method="GET",
        path="/incidents/<id:id>",
        access=_READ,
        summary="Show an incident with its history and notifications",
        tag=_TAG,
        answer=schemas.IncidentStory,
        example=examples.INCIDENT_STORY,
    )
)
def get_incident(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    """Answer with one incident, whole."""
    return _whole(incidents.get_incident(database(), context(), id))


@OPS.add(
    _change(
        id="acknowledge_incident",
        path="/incidents/<id:id>/acknowledge",
        summary="Acknowledge an incident",
    )
)
def acknowledge_incident(id: UUID, body: _Body) -> Response:  # noqa: A002  # as above
    """Stop an incident from escalating."""
    return _whole(incidents.acknowledge(database(), context(), id, note=body["note"]))


@OPS.add(
    _change(
        id="resolve_incident",
        path="/incidents/<id:id>/resolve",
        summary="Resolve an incident",
    )
)
def resolve_incident(id: UUID, body: _Body) -> Response:  # noqa: A002  # as above
    """Resolve an incident."""
    return _whole(incidents.resolve(database(), context(), id, note=body["note"]))


@OPS.add(
    _change(
        id="reopen_incident",
        path="/incidents/<id:id>/reopen",
        summary="Reopen an incident",
    )
)
def reopen_incident(id: UUID, body: _Body) -> Response:  # noqa: A002  # as above
    """Open a resolved incident again."""
    return _whole(incidents.reopen(database(), context(), id, note=body["note"]))


@OPS.add(
    _change(
        id="note_incident",
        path="/incidents/<id:id>/note",
        summary="Add a note to an incident",
        body=Resolution,
        errors=(),
    )
)
def note_incident(id: UUID, body: _Body) -> Response:  # noqa: A002  # as above
    """Add a note to an incident."""
    return _whole(incidents.add_note(database(), context(), id, note=body["note"]))


@OPS.add(
    _change(
        id="assign_incident",
        path="/incidents/<id:id>/assign",
        summary="Assign an incident",
        body=schemas.Assignment,
        body_example={"assignee": "user:alice"},
    )
)
def assign_incident(id: UUID, body: _Body) -> Response:  # noqa: A002  # as above
    """Assign an incident to somebody."""
    return _whole(incidents.assign(database(), context(), id, assignee=body["assignee"]))


@OPS.add(
    Endpoint(
        id="redeliver_notification",
        method="POST",
        path="/incidents/<id:id>/deliveries/<id:delivery_id>/redeliver",
        access=_WRITE,
        summary="Send a notification again",
        description="It keeps its id, so that the receiver can tell that it is the same.",
        tag=_TAG,
        answer=schemas.Delivery,
        example=examples.DELIVERY | {"state": "PENDING", "finished_at": None},
    )
)
def redeliver_notification(id: UUID, delivery_id: UUID) -> Response:  # noqa: A002  # as above
    """Send a notification again."""
    return answers.content(presentation.delivery(incidents.redeliver(database(), context(), id, delivery_id)))


def _whole(history: IncidentHistory) -> Response:
    return answers.content(presentation.incident_history(history))
