# SPDX-License-Identifier: Apache-2.0
"""Declarations of the usual endpoints: list, create, show, change, delete, done at once and without a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stratoplane_api.endpoints import Endpoint, Feature, Gate
from stratoplane_api.schemas.about import Probe
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import Answer, Request, list_of
from stratoplane_engine.access.permissions import Permission

VERSIONED: Final = frozenset({Feature.VERSIONED})
UNVERSIONED: Final = frozenset[Feature]()
Body = Mapping[str, object]
"""A request's content as its schema has checked it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noun:
    """What the endpoints of one noun share: the heading that they stand under, what they answer, and an example."""

    tag: str
    answer: type[Answer]
    example: Mapping[str, object]


def listing(
    operation_id: str,
    path: str,
    *,
    noun: Noun,
    access: Permission,
    summary: str,
    query: type[Request] = PageQuery,
) -> Endpoint:
    """Return the declaration of a list that comes in pages."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=path,
        access=access,
        summary=summary,
        tag=noun.tag,
        query=query,
        answer=list_of(noun.answer),
        features=frozenset({Feature.PAGED}),
        example={"items": [noun.example], "next": None},
    )


def creation(
    operation_id: str,
    path: str,
    *,
    noun: Noun,
    access: Permission,
    summary: str,
    body: type[Request],
    body_example: Mapping[str, object],
    features: frozenset[Feature] = VERSIONED,
    changes_access: bool = False,
) -> Endpoint:
    """Return the declaration of a request that makes an object and shows it."""
    return Endpoint(
        id=operation_id,
        method="POST",
        path=path,
        access=access,
        summary=summary,
        tag=noun.tag,
        body=body,
        body_example=body_example,
        success=201,
        answer=noun.answer,
        features=features,
        example=noun.example,
        errors=(404, 409),
        changes_access=changes_access,
    )


def reading(
    operation_id: str,
    path: str,
    *,
    noun: Noun,
    access: Permission,
    summary: str,
    features: frozenset[Feature] = VERSIONED,
) -> Endpoint:
    """Return the declaration of a request that shows one object."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=path,
        access=access,
        summary=summary,
        tag=noun.tag,
        answer=noun.answer,
        features=features,
        example=noun.example,
    )


def change(
    operation_id: str,
    path: str,
    *,
    noun: Noun,
    access: Permission,
    summary: str,
    body: type[Request],
    body_example: Mapping[str, object],
) -> Endpoint:
    """Return the declaration of a request that changes the members of an object that it names."""
    return Endpoint(
        id=operation_id,
        method="PATCH",
        path=path,
        access=access,
        summary=summary,
        description="Members that are left out stay as they are.",
        tag=noun.tag,
        body=body,
        body_example=body_example,
        answer=noun.answer,
        features=VERSIONED,
        example=noun.example,
    )


def live(operation_id: str, tag: str) -> Endpoint:
    """Return the declaration of what tells a load balancer that a process lives."""
    return _probe(
        operation_id,
        "/live",
        tag,
        summary="Tell that the process lives",
        description="Depends on nothing else: restart the process when it does not answer.",
    )


def ready(operation_id: str, tag: str) -> Endpoint:
    """Return the declaration of what tells a load balancer whether to send requests to a process."""
    return _probe(
        operation_id,
        "/ready",
        tag,
        summary="Tell whether to send requests to this process",
        description=(
            "503 when the database does not answer, only reads or has an older schema, and while the process drains."
        ),
    )


def _probe(operation_id: str, path: str, tag: str, *, summary: str, description: str) -> Endpoint:
    return Endpoint(
        id=operation_id,
        method="GET",
        path=path,
        access=Gate.PUBLIC,
        summary=summary,
        description=description,
        tag=tag,
        answer=Probe,
        example={"status": "ok"},
        is_counted=False,
    )


def deletion(
    operation_id: str,
    path: str,
    *,
    noun: Noun,
    access: Permission,
    summary: str,
    features: frozenset[Feature] = VERSIONED,
    changes_access: bool = False,
) -> Endpoint:
    """Return the declaration of a request that deletes an object."""
    return Endpoint(
        id=operation_id,
        method="DELETE",
        path=path,
        access=access,
        summary=summary,
        tag=noun.tag,
        success=204,
        features=features,
        errors=(409,),
        changes_access=changes_access,
    )
