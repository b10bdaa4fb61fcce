# SPDX-License-Identifier: Apache-2.0
"""Resources of plugins' kinds: the five operations of every kind, made from what the kind says of itself.

For a kind ``load_balancer`` they are ``list_load_balancers``, ``create_load_balancer``, ``get_load_balancer``,
``update_load_balancer`` and ``delete_load_balancer`` at ``/projects/{id}/load-balancers``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response

from stratoplane.kinds import AnyKind
from stratoplane_api import answers
from stratoplane_api.gateway import context, database, page, plugins
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation.resources import resource_of_plugin
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas.plugin_kinds import answer_schema, create_schema, example, update_schema
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.views.changes import answer_change
from stratoplane_api.views.kinds import (
    KindRoutes,
    creating_endpoint,
    deleting_endpoint,
    listing_endpoint,
    reading_endpoint,
    updating_endpoint,
)
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources


def routes_for(kinds: Iterable[AnyKind]) -> Routes:
    """Return the tenants' operations for kinds of plugins."""
    routes = Routes("plugins", TENANT.prefix, "Kinds of resources that plugins add.")
    for kind in kinds:
        _add(routes, _KindViews(described=_describe(kind)))
    return routes


def _describe(kind: AnyKind) -> KindRoutes:
    common = {member: value for member, value in examples.BUCKET.items() if member in Resource().fields}
    shown = {**common, "name": f"{kind.name.replace('_', '-')}-1", **example(kind.view or kind.spec)}
    wanted = {**example(kind.request), "name": shown["name"], "labels": shown["labels"]}
    return KindRoutes(
        kind=kind,
        present=partial(resource_of_plugin, kind),
        answer=answer_schema(kind),
        create=create_schema(kind),
        update=update_schema(kind),
        example=shown,
        create_example={name: value for name, value in wanted.items() if name != "cluster"},
        update_example={"name": f"{shown['name']}-renamed", "labels": {"env": "test"}},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _KindViews:
    described: KindRoutes

    def list_resources(self, project_id: UUID) -> Response:
        found = list_resources(database(), context(), project_id, self.described.kind, page())
        return answers.page_of(found, self.described.present)

    def create_resource(self, project_id: UUID, body: dict[str, Any]) -> Response:
        wanted = self.described.kind.read_request(body)
        outcome = create_resource(database(), self._request(project_id), wanted)
        return answer_change(self.described, project_id, outcome)

    def get_resource(self, project_id: UUID, id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        found = get_resource(database(), context(), project_id, self.described.kind, id)
        return answers.item(self.described.present(found))

    def update_resource(self, project_id: UUID, id: UUID, body: dict[str, Any]) -> Response:  # noqa: A002
        patch = self.described.kind.read_patch(body)
        outcome = update_resource(database(), self._request(project_id), id, patch)
        return answer_change(self.described, project_id, outcome)

    def delete_resource(self, project_id: UUID, id: UUID) -> Response:  # noqa: A002
        outcome = delete_resource(database(), self._request(project_id), id)
        return answer_change(self.described, project_id, outcome)

    def _request(self, project_id: UUID) -> ChangeRequest:
        return ChangeRequest(context=context(), project_id=project_id, kind=self.described.kind, plugins=plugins())


def _add(routes: Routes, views: _KindViews) -> None:
    described = views.described
    name, plural = described.kind.name, described.kind.plural
    routes.add(listing_endpoint(f"list_{plural}", described))(views.list_resources)
    routes.add(creating_endpoint(f"create_{name}", described))(views.create_resource)
    routes.add(reading_endpoint(f"get_{name}", described))(views.get_resource)
    routes.add(updating_endpoint(f"update_{name}", described))(views.update_resource)
    routes.add(deleting_endpoint(f"delete_{name}", described))(views.delete_resource)
