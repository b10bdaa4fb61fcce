# SPDX-License-Identifier: Apache-2.0
"""Orphans: objects with the platform's mark that belong to no resource, until a job deletes or adopts them."""

from typing import Any, Final

from flask import Response

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation import drift as presentation
from stratoplane_api.schemas import drift as schemas
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.jobs import Job
from stratoplane_api.schemas.queries import ChangeQuery, PageQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import orphans
from stratoplane_engine.services.orphans import OrphanAdoption, OrphanDeletion

_TAG: Final = "Drift"
_JOBS: Final = "/api/ops/v1/jobs"
_ORPHAN: Final = {
    "uid": "0199d2a4-7d60-7a00-8000-d3f4f3448b0f",
    "kind": "volume",
    "name": "data",
    "status": {"name": "data", "size_gib": 40},
    "cluster_id": examples.CLUSTER_ID,
    "cluster": "rack-1",
    "first_seen_at": "2026-01-05T09:00:00Z",
}
_KEY: Final = {member: _ORPHAN[member] for member in ("cluster_id", "uid")}
_DELETE: Final = (
    "A job lets the driver delete the object by its mark; an object that is gone meanwhile is as good as deleted."
    " The name confirms which object is meant. The job belongs to the project of the deleted resource that the"
    " object was, or to the provider's project `orphans`."
)
_ADOPT: Final = (
    "The resource is what the driver shows of the object; its quota is charged. What no driver shows is named"
    " (`flavor`, `image`) or lost: labels, key pair and user data. If the job fails, the object is an orphan as"
    " before; it is never deleted."
)


@OPS.add(
    Endpoint(
        id="list_orphans",
        method="GET",
        path="/orphans",
        access=Permission.PLATFORM_READ,
        summary="List orphans: objects with the platform's mark that belong to no resource",
        tag=_TAG,
        query=PageQuery,
        answer=list_of(schemas.Orphan),
        features=frozenset({Feature.PAGED}),
        example={"items": [_ORPHAN], "next": None},
    )
)
def list_orphans() -> Response:
    """Answer with orphans."""
    return answers.page_of(orphans.list_orphans(database(), context(), page()), presentation.orphan)


@OPS.add(
    Endpoint(
        id="delete_orphan",
        method="POST",
        path="/orphans/delete",
        access=Permission.PLATFORM_WRITE,
        summary="Delete an orphan at its provider",
        description=_DELETE,
        tag=_TAG,
        query=ChangeQuery,
        body=schemas.DeleteOrphan,
        body_example={**_KEY, "name": _ORPHAN["name"]},
        success=202,
        answer=Job,
        plan=Job,
        features=frozenset({Feature.IDEMPOTENT}),
        example=examples.job("volume.clear", str(_ORPHAN["uid"]), "data"),
        errors=(404, 409),
    )
)
def delete_orphan(body: dict[str, Any]) -> Response:
    asked = context()
    accepted = orphans.delete_orphan(database(), asked, from_json(OrphanDeletion, body))
    return answers.accepted_job(accepted, _JOBS, dry_run=asked.dry_run)


@OPS.add(
    Endpoint(
        id="adopt_orphan",
        method="POST",
        path="/orphans/adopt",
        access=Permission.PLATFORM_WRITE,
        summary="Adopt an orphan as a resource of a project, under its own id",
        description=_ADOPT,
        tag=_TAG,
        query=ChangeQuery,
        body=schemas.AdoptOrphan,
        body_example={**_KEY, "project_id": examples.PROJECT_ID, "name": "data"},
        success=202,
        answer=Job,
        plan=Job,
        features=frozenset({Feature.IDEMPOTENT}),
        example=examples.job("volume.recover", str(_ORPHAN["uid"]), "data"),
        errors=(404, 409),
    )
)
def adopt_orphan(body: dict[str, Any]) -> Response:
    asked = context()
    accepted = orphans.adopt_orphan(database(), plugins(), asked, from_json(OrphanAdoption, body))
    return answers.accepted_job(accepted, _JOBS, dry_run=asked.dry_run)
