# SPDX-License-Identifier: Apache-2.0
"""Key pairs: what a tenant does with its own."""

from typing import Final
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.key_pair import KeyPairKind, KeyPairPatch, KeyPairRequest, KeyPairSpec
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources

_KIND: Final = KeyPairKind()


def list_key_pairs(
    database: Database, context: RequestContext, project_id: UUID, page: Page
) -> Listing[Resource[KeyPairSpec]]:
    """Return one page of a project's key pairs. Raises as :func:`.resources.list_resources`."""
    return list_resources(database, context, project_id, _KIND, page)


def get_key_pair(
    database: Database, context: RequestContext, project_id: UUID, key_pair_id: UUID
) -> Resource[KeyPairSpec]:
    """Return one key pair. Raises as :func:`.resources.get_resource`."""
    return get_resource(database, context, project_id, _KIND, key_pair_id)


def create_key_pair(
    database: Database, context: RequestContext, project_id: UUID, wanted: KeyPairRequest, *, plugins: Plugins
) -> ChangeResult:
    """Accept a new key pair. Raises as :func:`.changes.create.create_resource`."""
    return create_resource(database, _request(context, project_id, plugins), wanted)


def update_key_pair(  # the path's ids are two of them
    database: Database,
    context: RequestContext,
    project_id: UUID,
    key_pair_id: UUID,
    patch: KeyPairPatch,
    *,
    plugins: Plugins,
) -> ChangeResult:
    """Accept a change of a key pair. Raises as :func:`.changes.update.update_resource`."""
    return update_resource(database, _request(context, project_id, plugins), key_pair_id, patch)


def delete_key_pair(
    database: Database, context: RequestContext, project_id: UUID, key_pair_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept the deletion of a key pair. Raises as :func:`.changes.delete.delete_resource`."""
    return delete_resource(database, _request(context, project_id, plugins), key_pair_id)


def _request(context: RequestContext, project_id: UUID, plugins: Plugins) -> ChangeRequest:
    return ChangeRequest(context=context, project_id=project_id, kind=_KIND, plugins=plugins)
