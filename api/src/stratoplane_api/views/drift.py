# SPDX-License-Identifier: Apache-2.0
"""Differences between what is desired and what is there, what is done about them, and objects of nobody."""

from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import drift as schemas
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import drift

_TAG: Final = "Drift"
_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_PAGED: Final = frozenset({Feature.PAGED})
_POLICY: Final = {"kind": "virtual_machine", "field": "power", "driver": "*"}
_SHOWN: Final = {**_POLICY, "policy": "alert", "is_set": True, "allowed": ["correct", "adopt", "alert"]}
_Body = dict[str, Any]


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_lists(routes)
    _serve_policies(routes)


def _serve_lists(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="list_drift",
            method="GET",
            path="/drift",
            access=_READ,
            summary="List differences between what is desired and what is there, newest first",
            tag=_TAG,
            query=schemas.DriftQuery,
            answer=list_of(schemas.Drift),
            features=_PAGED,
            example={"items": [examples.DRIFT], "next": None},
        )
    )
    def list_drift() -> Response:
        resource = g.query.get("resource_id")
        wanted = {"only_open": g.query["open"], "resource_id": UUID(str(resource)) if resource else None}
        return answers.page(drift.list_drift(database(), context(), page(), **wanted))

    @routes.add(
        Endpoint(
            id="list_orphans",
            method="GET",
            path="/orphans",
            access=_READ,
            summary="List objects that carry our mark and belong to no resource",
            tag=_TAG,
            query=PageQuery,
            answer=list_of(schemas.Orphan),
            features=_PAGED,
            example={"items": [examples.ORPHAN], "next": None},
        )
    )
    def list_orphans() -> Response:
        return answers.page(drift.list_orphans(database(), context(), page()))


def _serve_policies(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="list_drift_policies",
            method="GET",
            path="/drift-policies",
            access=_READ,
            summary="List what is done about differences, field by field",
            tag=_TAG,
            answer=schemas.Policies,
            example={"items": [_SHOWN]},
        )
    )
    def list_drift_policies() -> Response:
        return answers.content({"items": drift.list_policies(database(), context())})

    @routes.add(
        Endpoint(
            id="set_drift_policy",
            method="PUT",
            path="/drift-policies",
            access=_WRITE,
            summary="Set what is done about differences of one field",
            tag=_TAG,
            body=schemas.PolicySet,
            body_example={**_POLICY, "policy": "alert"},
            answer=schemas.Policy,
            example=_SHOWN,
        )
    )
    def set_drift_policy(body: _Body) -> Response:
        return answers.content(drift.set_policy(database(), context(), **body))

    @routes.add(
        Endpoint(
            id="reset_drift_policy",
            method="POST",
            path="/drift-policies/reset",
            access=_WRITE,
            summary="Return to the platform's own policy for one field",
            tag=_TAG,
            body=schemas.PolicyKey,
            body_example=_POLICY,
            success=204,
            errors=(404,),
        )
    )
    def reset_drift_policy(body: _Body) -> Response:
        drift.reset_policy(database(), context(), **body)
        return answers.empty()
