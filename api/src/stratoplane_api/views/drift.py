# SPDX-License-Identifier: Apache-2.0
"""Differences between desired and observed state, and the policies for them."""

from typing import Any, Final
from uuid import UUID

from flask import Response, g

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, page
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation import drift as presentation
from stratoplane_api.schemas import drift as schemas
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.drift import DriftFilter, PolicyKey, PolicySetting
from stratoplane_engine.services import drift

_TAG: Final = "Drift"
_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_PAGED: Final = frozenset({Feature.PAGED})
_POLICY: Final = {"kind": "virtual_machine", "field": "power", "driver": "*"}
_SHOWN: Final = {**_POLICY, "policy": "alert", "is_set": True, "allowed": ["correct", "adopt", "alert"]}
_Body = dict[str, Any]


@OPS.add(
    Endpoint(
        id="list_drift",
        method="GET",
        path="/drift",
        access=_READ,
        summary="List drift, newest first",
        tag=_TAG,
        query=schemas.DriftQuery,
        answer=list_of(schemas.Drift),
        features=_PAGED,
        example={"items": [examples.DRIFT], "next": None},
    )
)
def list_drift() -> Response:
    """Answer with differences, those that last unless the query asks for all."""
    resource = g.query.get("resource_id")
    wanted = DriftFilter(only_open=g.query["open"], resource_id=UUID(str(resource)) if resource else None)
    return answers.page_of(drift.list_drift(database(), context(), page(), wanted), presentation.drift)


@OPS.add(
    Endpoint(
        id="list_drift_policies",
        method="GET",
        path="/drift-policies",
        access=_READ,
        summary="List the drift policy of each field",
        tag=_TAG,
        answer=schemas.Policies,
        example={"items": [_SHOWN]},
    )
)
def list_drift_policies() -> Response:
    """Answer with the policy of every field."""
    lines = drift.list_policies(database(), context())
    return answers.content({"items": [presentation.policy(line) for line in lines]})


@OPS.add(
    Endpoint(
        id="set_drift_policy",
        method="PUT",
        path="/drift-policies",
        access=_WRITE,
        summary="Set the drift policy of a field",
        tag=_TAG,
        body=schemas.PolicySet,
        body_example={**_POLICY, "policy": "alert"},
        answer=schemas.Policy,
        example=_SHOWN,
    )
)
def set_drift_policy(body: _Body) -> Response:
    """Set a policy and answer with it."""
    line = drift.set_policy(database(), context(), from_json(PolicySetting, body))
    return answers.content(presentation.policy(line))


@OPS.add(
    Endpoint(
        id="reset_drift_policy",
        method="POST",
        path="/drift-policies/reset",
        access=_WRITE,
        summary="Reset a field to the platform's default policy",
        tag=_TAG,
        body=schemas.PolicyKey,
        body_example=_POLICY,
        success=204,
        errors=(404,),
    )
)
def reset_drift_policy(body: _Body) -> Response:
    """Delete what an operator has set."""
    drift.reset_policy(database(), context(), from_json(PolicyKey, body))
    return answers.empty()
