# SPDX-License-Identifier: Apache-2.0
"""Nouns whose operations have the usual shape: list, create, show, change, delete, done at once and without a job."""

from dataclasses import dataclass
from uuid import UUID

from flask import Response, request

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.routes import Routes
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import Answer, Request, list_of
from stratoplane_api.service_types import (
    CreateService,
    DeleteService,
    GetService,
    Json,
    ListService,
    UpdateService,
)
from stratoplane_engine.access.permissions import Permission

_VERSIONED = frozenset({Feature.VERSIONED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Noun:
    """What the operations of one noun have in common.

    Attributes:
        name: in operation ids and as people read it, as ``role_binding``; ``plural`` likewise.
        path: of the collection, as ``/role-bindings``.
        key: name of the path's id.
        read: permission to look, ``write`` to change.
        versioned: whether it has a version, and so an ETag.
    """

    name: str
    plural: str
    path: str
    answer: type[Answer]
    example: Json
    read: Permission
    write: Permission
    key: str = "id"
    versioned: bool = True

    @property
    def words(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")

    @property
    def tag(self) -> str:
        """The heading of the document under which it is listed."""
        return self.plural.replace("_", " ").capitalize()

    @property
    def item_path(self) -> str:
        """The path of one."""
        return f"{self.path}/<id:{self.key}>"


def serve_list(routes: Routes, noun: Noun, service: ListService, operation_id: str = "") -> None:
    """Add the operation that lists ``noun`` by ``service``; a namespace that repeats a noun gives its own id."""

    @routes.add(
        Endpoint(
            id=operation_id or f"list_{noun.plural}",
            method="GET",
            path=noun.path,
            access=noun.read,
            summary=f"List {noun.plural.replace('_', ' ')}",
            tag=noun.tag,
            query=PageQuery,
            answer=list_of(noun.answer),
            features=frozenset({Feature.PAGED}),
            example={"items": [noun.example], "next": None},
        )
    )
    def list_noun() -> Response:
        return answers.page(service(database(), context(), page()))


def serve_create(
    routes: Routes,
    noun: Noun,
    body: type[Request],
    example: Json,
    service: CreateService,
    *,
    answer: type[Answer] | None = None,
    answer_example: Json | None = None,
    operation_id: str = "",
) -> None:
    """Add the operation that makes a ``noun`` of ``body``; ``answer`` is what it shows if that is more than usual."""

    @routes.add(
        Endpoint(
            id=operation_id or f"create_{noun.name}",
            method="POST",
            path=noun.path,
            access=noun.write,
            summary=f"Create {a(noun.words)}",
            tag=noun.tag,
            body=body,
            body_example=example,
            success=201,
            answer=answer or noun.answer,
            features=_VERSIONED if noun.versioned else frozenset(),
            example=answer_example or noun.example,
            errors=(404, 409),
        )
    )
    def create_noun(body: Json) -> Response:
        made = service(database(), context(), body)
        return answers.created(made, f"{request.path}/{made['id']}")


def serve_get(routes: Routes, noun: Noun, service: GetService, operation_id: str = "") -> None:
    """Add the operation that shows one ``noun``."""

    @routes.add(
        Endpoint(
            id=operation_id or f"get_{noun.name}",
            method="GET",
            path=noun.item_path,
            access=noun.read,
            summary=f"Show {a(noun.words)}",
            tag=noun.tag,
            answer=noun.answer,
            features=_VERSIONED,
            example=noun.example,
        )
    )
    def get_noun(**key: UUID) -> Response:
        return answers.item(service(database(), context(), key[noun.key]))


def serve_update(
    routes: Routes,
    noun: Noun,
    body: type[Request],
    example: Json,
    service: UpdateService,
    operation_id: str = "",
) -> None:
    """Add the operation that changes one ``noun``; members that are left out stay."""

    @routes.add(
        Endpoint(
            id=operation_id or f"update_{noun.name}",
            method="PATCH",
            path=noun.item_path,
            access=noun.write,
            summary=f"Change {a(noun.words)}",
            description="Members that are left out stay as they are.",
            tag=noun.tag,
            body=body,
            body_example=example,
            answer=noun.answer,
            features=_VERSIONED,
            example=noun.example,
        )
    )
    def update_noun(body: Json, **key: UUID) -> Response:
        return answers.item(service(database(), context(), key[noun.key], body))


def serve_delete(routes: Routes, noun: Noun, service: DeleteService, operation_id: str = "") -> None:
    """Add the operation that ends one ``noun``."""

    @routes.add(
        Endpoint(
            id=operation_id or f"delete_{noun.name}",
            method="DELETE",
            path=noun.item_path,
            access=noun.write,
            summary=f"Delete {a(noun.words)}",
            tag=noun.tag,
            success=204,
            features=_VERSIONED if noun.versioned else frozenset(),
            errors=(409,),
        )
    )
    def delete_noun(**key: UUID) -> Response:
        service(database(), context(), key[noun.key])
        return answers.empty()


def a(words: str) -> str:
    """Return ``words`` with their indefinite article."""
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"
