# SPDX-License-Identifier: Apache-2.0
"""Declarations of the usual endpoints: list, create, show, change, delete, done at once and without a job."""

from collections.abc import Mapping
from typing import Final

from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import Answer, Request, list_of
from stratoplane_engine.access.permissions import Permission

VERSIONED: Final = frozenset({Feature.VERSIONED})
UNVERSIONED: Final = frozenset[Feature]()
Body = Mapping[str, object]
"""A request's content as its schema has checked it."""


def listing(
    operation_id: str,
    path: str,
    *,
    access: Permission,
    tag: str,
    summary: str,
    item: type[Answer],
    example: Mapping[str, object],
    query: type[Request] = PageQuery,
) -> Endpoint:
    """Return the declaration of a list that comes in pages; ``example`` is one ``item``."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=path,
        access=access,
        summary=summary,
        tag=tag,
        query=query,
        answer=list_of(item),
        features=frozenset({Feature.PAGED}),
        example={"items": [example], "next": None},
    )


def creation(
    operation_id: str,
    path: str,
    *,
    access: Permission,
    tag: str,
    summary: str,
    body: type[Request],
    body_example: Mapping[str, object],
    answer: type[Answer],
    example: Mapping[str, object],
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
        tag=tag,
        body=body,
        body_example=body_example,
        success=201,
        answer=answer,
        features=features,
        example=example,
        errors=(404, 409),
        changes_access=changes_access,
    )


def reading(
    operation_id: str,
    path: str,
    *,
    access: Permission,
    tag: str,
    summary: str,
    answer: type[Answer],
    example: Mapping[str, object],
    features: frozenset[Feature] = VERSIONED,
) -> Endpoint:
    """Return the declaration of a request that shows one object."""
    return Endpoint(
        id=operation_id,
        method="GET",
        path=path,
        access=access,
        summary=summary,
        tag=tag,
        answer=answer,
        features=features,
        example=example,
    )


def change(
    operation_id: str,
    path: str,
    *,
    access: Permission,
    tag: str,
    summary: str,
    body: type[Request],
    body_example: Mapping[str, object],
    answer: type[Answer],
    example: Mapping[str, object],
) -> Endpoint:
    """Return the declaration of a request that changes the members of an object that it names."""
    return Endpoint(
        id=operation_id,
        method="PATCH",
        path=path,
        access=access,
        summary=summary,
        description="Members that are left out stay as they are.",
        tag=tag,
        body=body,
        body_example=body_example,
        answer=answer,
        features=VERSIONED,
        example=example,
    )


def deletion(
    operation_id: str,
    path: str,
    *,
    access: Permission,
    tag: str,
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
        tag=tag,
        success=204,
        features=features,
        errors=(409,),
        changes_access=changes_access,
    )
