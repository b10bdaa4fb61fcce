# SPDX-License-Identifier: Apache-2.0
"""Volumes: what a tenant does with its own."""

from typing import Final
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.volume import VolumeKind, VolumePatch, VolumeRequest, VolumeSpec
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources

_KIND: Final = VolumeKind()


def list_volumes(
    database: Database, context: RequestContext, project_id: UUID, page: Page
) -> Listing[Resource[VolumeSpec]]:
    """Return one page of a project's volumes. Raises as :func:`.resources.list_resources`."""
    return list_resources(database, context, project_id, _KIND, page)


def get_volume(database: Database, context: RequestContext, project_id: UUID, volume_id: UUID) -> Resource[VolumeSpec]:
    """Return one volume. Raises as :func:`.resources.get_resource`."""
    return get_resource(database, context, project_id, _KIND, volume_id)


def create_volume(
    database: Database, context: RequestContext, project_id: UUID, wanted: VolumeRequest, *, plugins: Plugins
) -> ChangeResult:
    """Accept a new volume. Raises as :func:`.changes.create.create_resource`."""
    return create_resource(database, _request(context, project_id, plugins), wanted)


def update_volume(  # the path's ids are two of them
    database: Database,
    context: RequestContext,
    project_id: UUID,
    volume_id: UUID,
    patch: VolumePatch,
    *,
    plugins: Plugins,
) -> ChangeResult:
    """Accept a change of a volume. Raises as :func:`.changes.update.update_resource`."""
    return update_resource(database, _request(context, project_id, plugins), volume_id, patch)


def delete_volume(
    database: Database, context: RequestContext, project_id: UUID, volume_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept the deletion of a volume. Raises as :func:`.changes.delete.delete_resource`."""
    return delete_resource(database, _request(context, project_id, plugins), volume_id)


def _request(context: RequestContext, project_id: UUID, plugins: Plugins) -> ChangeRequest:
    return ChangeRequest(context=context, project_id=project_id, kind=_KIND, plugins=plugins)
