# SPDX-License-Identifier: Apache-2.0
"""Incidents: list them, look at one, acknowledge, assign, resolve, reopen, remark, and send notifications again."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import incidents as schemas
from stratoplane_api.schemas.jobs import Resolution
from stratoplane_api.schemas.strict import Request, list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import incidents

_TAG: Final = "Incidents"
_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_NOTE: Final = {"note": "the rack has power again"}
_Body = dict[str, Any]


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_reading(routes)
    _serve_move(routes, "acknowledge", "Say that you look at an incident", schemas.Remark, incidents.acknowledge)
    _serve_move(routes, "resolve", "Say that an incident has been seen to", schemas.Remark, incidents.resolve)
    _serve_move(routes, "reopen", "Say that an incident is not over", schemas.Remark, incidents.reopen)
    _serve_move(routes, "note", "Add words to the history of an incident", Resolution, incidents.add_note)
    _serve_assign(routes)
    _serve_redeliver(routes)


def _serve_reading(routes: Routes) -> None:
    @routes.add(
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
        filters = {name: g.query.get(name) for name in ("severity", "kind", "cluster_id", "assignee")}
        return answers.page(incidents.list_incidents(database(), context(), page(), filters))

    @routes.add(
        Endpoint(
            id="get_incident",
            method="GET",
            path="/incidents/<id:id>",
            access=_READ,
            summary="Show an incident with its history and who was told",
            tag=_TAG,
            answer=schemas.IncidentStory,
            example=examples.INCIDENT_STORY,
        )
    )
    def get_incident(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        return answers.content(incidents.get_incident(database(), context(), id))


def _serve_move(routes: Routes, verb: str, summary: str, body: type[Request], service: Callable[..., Any]) -> None:
    @routes.add(
        Endpoint(
            id=f"{verb}_incident",
            method="POST",
            path=f"/incidents/<id:id>/{verb}",
            access=_WRITE,
            summary=summary,
            tag=_TAG,
            body=body,
            body_example=_NOTE,
            answer=schemas.IncidentStory,
            example=examples.INCIDENT_STORY,
            errors=() if verb == "note" else (409,),
        )
    )
    def move(id: UUID, body: _Body) -> Response:  # noqa: A002
        return answers.content(service(database(), context(), id, note=body["note"]))


def _serve_assign(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="assign_incident",
            method="POST",
            path="/incidents/<id:id>/assign",
            access=_WRITE,
            summary="Say who is to look at an incident",
            tag=_TAG,
            body=schemas.Assignment,
            body_example={"assignee": "user:alice"},
            answer=schemas.IncidentStory,
            example=examples.INCIDENT_STORY,
            errors=(409,),
        )
    )
    def assign_incident(id: UUID, body: _Body) -> Response:  # noqa: A002
        return answers.content(incidents.assign(database(), context(), id, assignee=body["assignee"]))


def _serve_redeliver(routes: Routes) -> None:
    @routes.add(
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
    def redeliver_notification(id: UUID, delivery_id: UUID) -> Response:  # noqa: A002
        return answers.content(incidents.redeliver(database(), context(), id, delivery_id))
