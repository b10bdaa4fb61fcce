# SPDX-License-Identifier: Apache-2.0
"""Foreign objects: what is on clusters and is not ours."""

from typing import Final

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page
from stratoplane_api.operations import Feature, Operation
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.foreign_objects import ForeignObject, ForeignObjectsQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.permissions import Permission
from stratoplane_engine.services import foreign_objects

_EXAMPLE: Final = {
    "cluster_id": examples.CLUSTER_ID,
    "cluster": "rack-1",
    "kind": "volume",
    "reference": "vol-0c1d2e3f4a5b",
    "name": "old-backup",
    "status": {"name": "old-backup", "size_gib": 40},
    "first_seen_at": "2026-01-05T09:00:00Z",
    "seen_at": "2026-01-05T10:00:00Z",
}


def serve(routes: Routes) -> None:
    """Add the operation to ``routes``."""

    @routes.add(
        Operation(
            id="list_foreign_objects",
            method="GET",
            path="/foreign-objects",
            access=Permission.PLATFORM_READ,
            summary="List objects of clusters that are not ours",
            description="By cluster, kind and reference; at most 1,000 of a kind and cluster are known.",
            tag="Foreign objects",
            query=ForeignObjectsQuery,
            answer=list_of(ForeignObject),
            features=frozenset({Feature.PAGED}),
            example={"items": [_EXAMPLE], "next": None},
        )
    )
    def list_foreign_objects() -> Response:
        found = foreign_objects.list_foreign_objects(
            database(), context(), page(), cluster_id=g.query.get("cluster_id"), kind=g.query.get("kind")
        )
        return answers.page(found)
