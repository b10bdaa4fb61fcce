# SPDX-License-Identifier: Apache-2.0
"""Resources of a project: the same five operations for every kind."""

from typing import Any, Final
from uuid import UUID

from flask import Response

from stratoplane_api import answers
from stratoplane_api.endpoints import LARGEST_BODY, Endpoint, Feature
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.queries import ChangeQuery, ResourceQuery
from stratoplane_api.schemas.resources import accepted, planned
from stratoplane_api.schemas.strict import Answer, list_of
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import KindRoutes
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import resources

_COLLECTION: Final = "/projects/<id:project_id>"


def serve(routes: Routes, kind: KindRoutes) -> None:
    """Add the five operations of ``kind`` to ``routes``."""
    changed, plan = accepted(kind.name, kind.answer), planned(kind.name, kind.answer)
    _serve_list(routes, kind)
    _serve_create(routes, kind, changed, plan)
    _serve_get(routes, kind)
    _serve_update(routes, kind, changed, plan)
    _serve_delete(routes, kind, changed, plan)


def _serve_list(routes: Routes, kind: KindRoutes) -> None:
    @routes.add(
        Endpoint(
            id=f"list_{kind.plural}",
            method="GET",
            path=f"{_COLLECTION}/{kind.path}",
            access=Permission.RESOURCE_READ,
            summary=f"List the {kind.words}s of a project",
            tag=kind.tag,
            query=ResourceQuery,
            answer=list_of(kind.answer),
            features=frozenset({Feature.PAGED}),
            example={"items": [kind.example], "next": None},
        )
    )
    def list_kind(project_id: UUID) -> Response:
        return answers.page(resources.list_resources(database(), context(), project_id, kind.name, page()))


def _serve_create(routes: Routes, kind: KindRoutes, changed: type[Answer], plan: type[Answer]) -> None:
    @routes.add(
        Endpoint(
            id=f"create_{kind.name}",
            method="POST",
            path=f"{_COLLECTION}/{kind.path}",
            access=Permission.RESOURCE_WRITE,
            summary=f"Create a {kind.words}",
            tag=kind.tag,
            query=ChangeQuery,
            body=kind.create,
            body_limit=LARGEST_BODY,
            body_example=kind.create_example,
            success=202 if kind.deferred else 201,
            answer=changed,
            plan=plan,
            features=_features(kind, Feature.IDEMPOTENT),
            example=_example(kind, "create"),
            errors=(409,),
        )
    )
    def create_kind(project_id: UUID, body: dict[str, Any]) -> Response:
        outcome = resources.create(database(), plugins(), context(), project_id, kind.name, body)
        return answer_change(kind.name, project_id, outcome)


def _serve_get(routes: Routes, kind: KindRoutes) -> None:
    @routes.add(
        Endpoint(
            id=f"get_{kind.name}",
            method="GET",
            path=f"{_COLLECTION}/{kind.path}/<id:id>",
            access=Permission.RESOURCE_READ,
            summary=f"Show a {kind.words}",
            tag=kind.tag,
            answer=kind.answer,
            features=frozenset({Feature.VERSIONED}),
            example=kind.example,
            errors=(410,),
        )
    )
    def get_kind(project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        return answers.item(resources.get(database(), context(), project_id, kind.name, id))


def _serve_update(routes: Routes, kind: KindRoutes, changed: type[Answer], plan: type[Answer]) -> None:
    @routes.add(
        Endpoint(
            id=f"update_{kind.name}",
            method="PATCH",
            path=f"{_COLLECTION}/{kind.path}/<id:id>",
            access=Permission.RESOURCE_WRITE,
            summary=f"Change a {kind.words}",
            description="Members that are left out stay as they are. 200 when nothing is left to do.",
            tag=kind.tag,
            query=ChangeQuery,
            body=kind.update,
            body_example=kind.update_example,
            success=202 if kind.deferred else 200,
            answer=changed,
            plan=plan,
            features=_features(kind, Feature.IDEMPOTENT, Feature.VERSIONED),
            example=_example(kind, "update"),
            errors=(410,),
        )
    )
    def update_kind(project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
        outcome = resources.update(database(), plugins(), context(), project_id, kind.name, id, body)
        return answer_change(kind.name, project_id, outcome)


def _serve_delete(routes: Routes, kind: KindRoutes, changed: type[Answer], plan: type[Answer]) -> None:
    @routes.add(
        Endpoint(
            id=f"delete_{kind.name}",
            method="DELETE",
            path=f"{_COLLECTION}/{kind.path}/<id:id>",
            access=Permission.RESOURCE_WRITE,
            summary=f"Delete a {kind.words}",
            tag=kind.tag,
            query=ChangeQuery,
            success=202 if kind.deferred else 200,
            answer=changed,
            plan=plan,
            features=_features(kind, Feature.IDEMPOTENT, Feature.VERSIONED),
            example=_example(kind, "delete"),
            errors=(410,),
        )
    )
    def delete_kind(project_id: UUID, id: UUID) -> Response:  # noqa: A002
        outcome = resources.delete(database(), plugins(), context(), project_id, kind.name, id)
        return answer_change(kind.name, project_id, outcome)


def _features(kind: KindRoutes, *features: Feature) -> frozenset[Feature]:
    return frozenset({*features, Feature.DEFERRED} if kind.deferred else features)


def _example(kind: KindRoutes, verb: str) -> dict[str, Any]:
    job = examples.job(f"{kind.name}.{verb}", kind.example["id"], kind.example["name"]) if kind.deferred else None
    return {kind.name: kind.example, "job": job}
