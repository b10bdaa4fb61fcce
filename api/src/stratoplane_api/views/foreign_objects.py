# SPDX-License-Identifier: Apache-2.0
"""Foreign objects: what is on clusters and is not the platform's, until an operator gives it to a project."""

from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation.foreign_objects import foreign_object
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.foreign_objects import AdoptForeignObject, ForeignObject, ForeignObjectsQuery
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.queries import ChangeQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import adoption, foreign_objects
from stratoplane_engine.services.adoption import AdoptionDraft

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
_DESCRIPTION: Final = (
    "A job marks and renames the object; from its end on it is a resource like any other, and charged. If the job"
    " fails, the object is foreign as before; it is never deleted. A network needs a range and a gateway"
    " as the platform gives them, and what something foreign uses stays foreign."
)


@OPS.add(
    Endpoint(
        id="list_foreign_objects",
        method="GET",
        path="/foreign-objects",
        access=Permission.PLATFORM_READ,
        summary="List objects on clusters that the platform does not manage",
        description="By cluster, kind and reference; at most 1,000 of a kind and cluster are known.",
        tag="Foreign objects",
        query=ForeignObjectsQuery,
        answer=list_of(ForeignObject),
        features=frozenset({Feature.PAGED}),
        example={"items": [_EXAMPLE], "next": None},
    )
)
def list_foreign_objects() -> Response:
    cluster_id = g.query.get("cluster_id")
    found = foreign_objects.list_foreign_objects(
        database(),
        context(),
        page(),
        cluster_id=UUID(cluster_id) if cluster_id else None,
        kind=g.query.get("kind"),
    )
    return answers.page_of(found, foreign_object)


@OPS.add(
    Endpoint(
        id="adopt_foreign_object",
        method="POST",
        path="/foreign-objects/adopt",
        access=Permission.PLATFORM_WRITE,
        summary="Adopt a foreign object as a resource of a project",
        description=_DESCRIPTION,
        tag="Foreign objects",
        query=ChangeQuery,
        body=AdoptForeignObject,
        body_example={
            **{member: _EXAMPLE[member] for member in ("cluster_id", "kind", "reference")},
            "project_id": examples.PROJECT_ID,
            "name": "old-backup",
        },
        success=202,
        answer=Job,
        plan=Job,
        features=frozenset({Feature.IDEMPOTENT}),
        example=examples.job("volume.adopt", examples.VOLUME_ID, "old-backup"),
        errors=(404, 409),
    )
)
def adopt_foreign_object(body: dict[str, Any]) -> Response:
    asked = context()
    outcome = adoption.adopt_foreign_object(database(), plugins(), asked, from_json(AdoptionDraft, body))
    return answers.accepted_job(outcome, "/api/ops/v1/jobs", dry_run=asked.dry_run)
