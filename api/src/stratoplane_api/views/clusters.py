# SPDX-License-Identifier: Apache-2.0
"""Clusters, their join tokens and providers, and the plugins of the control plane."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flask import Response, request

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.declarations import Body, Noun, change, creation, deletion, listing, reading
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.gateway import context, database, gateway, page, plugins
from stratoplane_api.namespaces import COMMON, OPS
from stratoplane_api.presentation import clusters as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_api.schemas.strict import list_of
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.cluster import ClusterDraft, ClusterPatch
from stratoplane_engine.services import clusters

_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE
_TAG: Final = "Clusters"
_CLUSTER: Final = Noun(tag=_TAG, answer=schemas.Cluster, example=examples.CLUSTER)
_CLUSTER_NAME: Final = Noun(tag=_TAG, answer=schemas.ClusterName, example=examples.CLUSTER_NAME)
_PROVIDER: Final = Noun(tag=_TAG, answer=schemas.Provider, example=examples.PROVIDER)


@COMMON.add(
    listing(
        "list_cluster_names",
        "/clusters",
        noun=_CLUSTER_NAME,
        access=Permission.SELF,
        summary="List clusters: names and features",
    )
)
def list_cluster_names() -> Response:
    return answers.page_of(clusters.list_cluster_names(database(), page()), presentation.cluster_name)


@OPS.add(
    listing(
        "list_clusters",
        "/clusters",
        noun=_CLUSTER,
        access=_READ,
        summary="List clusters",
    )
)
def list_clusters() -> Response:
    return answers.page_of(clusters.list_clusters(database(), context(), page()), presentation.cluster)


@OPS.add(
    creation(
        "create_cluster",
        "/clusters",
        noun=_CLUSTER,
        access=_WRITE,
        summary="Create a cluster",
        body=schemas.ClusterCreate,
        body_example={"name": "rack-1", "description": "First rack", "labels": {"zone": "a"}},
    )
)
def create_cluster(body: Body) -> Response:
    made = clusters.create_cluster(database(), context(), from_json(ClusterDraft, body))
    return answers.created(presentation.cluster(made), f"{request.path}/{made.id}")


@OPS.add(
    reading(
        "get_cluster",
        "/clusters/<id:id>",
        noun=_CLUSTER,
        access=_READ,
        summary="Show a cluster",
    )
)
def get_cluster(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(presentation.cluster(clusters.get_cluster(database(), context(), id)))


@OPS.add(
    change(
        "update_cluster",
        "/clusters/<id:id>",
        noun=_CLUSTER,
        access=_WRITE,
        summary="Change a cluster",
        body=schemas.ClusterUpdate,
        body_example={"state": "DRAINING"},
    )
)
def update_cluster(id: UUID, body: Body) -> Response:  # noqa: A002  # the path parameter's public name
    changed = clusters.update_cluster(database(), context(), id, from_json(ClusterPatch, body))
    return answers.item(presentation.cluster(changed))


@OPS.add(deletion("delete_cluster", "/clusters/<id:id>", noun=_CLUSTER, access=_WRITE, summary="Delete a cluster"))
def delete_cluster(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    clusters.delete_cluster(database(), context(), id)
    return answers.empty()


@OPS.add(
    Endpoint(
        id="create_join_token",
        method="POST",
        path="/clusters/<id:id>/join-tokens",
        access=_WRITE,
        summary="Create a token with which one agent can join, once",
        tag=_TAG,
        body=schemas.JoinTokenCreate,
        body_example={"expires_in": 3600},
        success=201,
        answer=schemas.JoinToken,
        example=examples.JOIN_TOKEN,
    )
)
def create_join_token(id: UUID, body: Body) -> Response:  # noqa: A002  # the path parameter's public name
    lifetime = timedelta(seconds=int(str(body["expires_in"])))
    pin = gateway().certificate_pin
    made = clusters.create_join_token(
        database(), context(), id, lifetime, replaces=bool(body["replace"]), certificate_pin=pin
    )
    return answers.content(presentation.join_token(made), 201)


@OPS.add(
    listing(
        "list_providers",
        "/providers",
        noun=_PROVIDER,
        access=_READ,
        summary="List drivers as their agents reported them",
    )
)
def list_providers() -> Response:
    return answers.page_of(clusters.list_providers(database(), context(), page()), presentation.provider)


@OPS.add(
    Endpoint(
        id="list_plugins",
        method="GET",
        path="/plugins",
        access=_READ,
        summary="List the plugins of this process, with the reason of those that do not work",
        description="There are few: they come on one page.",
        tag="Plugins",
        answer=list_of(schemas.Plugin),
        example={"items": [examples.PLUGIN], "next": None},
    )
)
def list_plugins() -> Response:
    shown = ("name", "distribution", "version", "state", "reason")
    found = [{name: getattr(each, name) for name in shown} for each in plugins().extensions]
    return answers.content({"items": found, "next": None})
