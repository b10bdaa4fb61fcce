# SPDX-License-Identifier: Apache-2.0
"""Networks: what a tenant does with its own."""

from typing import Final
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.network import NetworkKind, NetworkPatch, NetworkRequest, NetworkSpec
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources

_KIND: Final = NetworkKind()


def list_networks(
    database: Database, context: RequestContext, project_id: UUID, page: Page
) -> Listing[Resource[NetworkSpec]]:
    """Return one page of a project's networks. Raises as :func:`.resources.list_resources`."""
    return list_resources(database, context, project_id, _KIND, page)


def get_network(
    database: Database, context: RequestContext, project_id: UUID, network_id: UUID
) -> Resource[NetworkSpec]:
    """Return one network. Raises as :func:`.resources.get_resource`."""
    return get_resource(database, context, project_id, _KIND, network_id)


def create_network(
    database: Database, context: RequestContext, project_id: UUID, wanted: NetworkRequest, *, plugins: Plugins
) -> ChangeResult:
    """Accept a new network. Raises as :func:`.changes.create.create_resource`."""
    return create_resource(database, _request(context, project_id, plugins), wanted)


def update_network(  # the path's ids are two of them
    database: Database,
    context: RequestContext,
    project_id: UUID,
    network_id: UUID,
    patch: NetworkPatch,
    *,
    plugins: Plugins,
) -> ChangeResult:
    """Accept a change of a network. Raises as :func:`.changes.update.update_resource`."""
    return update_resource(database, _request(context, project_id, plugins), network_id, patch)


def delete_network(
    database: Database, context: RequestContext, project_id: UUID, network_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept the deletion of a network. Raises as :func:`.changes.delete.delete_resource`."""
    return delete_resource(database, _request(context, project_id, plugins), network_id)


def _request(context: RequestContext, project_id: UUID, plugins: Plugins) -> ChangeRequest:
    return ChangeRequest(context=context, project_id=project_id, kind=_KIND, plugins=plugins)
