# SPDX-License-Identifier: Apache-2.0
"""Clusters, their join tokens and providers, and the plugins of the control plane."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flask import Response

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database, gateway, page, plugins
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import platform as schemas
from stratoplane_api.schemas.queries import PageQuery
from stratoplane_api.schemas.strict import list_of
from stratoplane_api.views import collections
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import clusters

_READ: Final = Permission.PLATFORM_READ
CLUSTERS: Final = collections.Noun(
    name="cluster",
    plural="clusters",
    path="/clusters",
    answer=schemas.Cluster,
    example=examples.CLUSTER,
    read=_READ,
    write=Permission.PLATFORM_WRITE,
)


def serve_names(routes: Routes) -> None:
    """Add the clusters as everybody sees them to ``routes``."""

    @routes.add(
        Endpoint(
            id="list_cluster_names",
            method="GET",
            path="/clusters",
            access=Permission.SELF,
            summary="List clusters by name, with what they can do",
            tag="Clusters",
            query=PageQuery,
            answer=list_of(schemas.ClusterName),
            features=frozenset({Feature.PAGED}),
            example={"items": [examples.CLUSTER_NAME], "next": None},
        )
    )
    def list_cluster_names() -> Response:
        return answers.page(clusters.list_cluster_names(database(), context(), page()))


def serve_operators(routes: Routes) -> None:
    """Add what operators do to ``routes``."""
    example = {"name": "rack-1", "description": "First rack", "labels": {"zone": "a"}}
    collections.serve_list(routes, CLUSTERS, clusters.list_clusters)
    collections.serve_create(routes, CLUSTERS, schemas.ClusterCreate, example, clusters.create_cluster)
    collections.serve_get(routes, CLUSTERS, clusters.get_cluster)
    collections.serve_update(routes, CLUSTERS, schemas.ClusterUpdate, {"state": "DRAINING"}, clusters.update_cluster)
    collections.serve_delete(routes, CLUSTERS, clusters.delete_cluster)
    _serve_join_tokens(routes)
    _serve_providers(routes)
    _serve_plugins(routes)


def _serve_join_tokens(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="create_join_token",
            method="POST",
            path="/clusters/<id:id>/join-tokens",
            access=Permission.PLATFORM_WRITE,
            summary="Create a one-use token with which an agent enrols for a cluster",
            tag="Clusters",
            body=schemas.JoinTokenCreate,
            body_example={"expires_in": 3600},
            success=201,
            answer=schemas.JoinToken,
            example=examples.JOIN_TOKEN,
        )
    )
    def create_join_token(id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002  # the path parameter's public name
        lifetime = timedelta(seconds=body["expires_in"])
        pin = gateway().certificate_pin
        made = clusters.create_join_token(database(), context(), id, lifetime, certificate_pin=pin)
        return answers.content(made, 201)


def _serve_providers(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="list_providers",
            method="GET",
            path="/providers",
            access=_READ,
            summary="List the drivers of every cluster, with the reason of those that cannot work",
            tag="Clusters",
            query=PageQuery,
            answer=list_of(schemas.Provider),
            features=frozenset({Feature.PAGED}),
            example={"items": [examples.PROVIDER], "next": None},
        )
    )
    def list_providers() -> Response:
        return answers.page(clusters.list_providers(database(), context(), page()))


def _serve_plugins(routes: Routes) -> None:
    @routes.add(
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
