# SPDX-License-Identifier: Apache-2.0
"""Buckets: what a tenant does with its own."""

from typing import Final
from uuid import UUID

from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.bucket import BucketKind, BucketPatch, BucketRequest, BucketSpec
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource
from stratoplane_engine.services.resources import get_resource, list_resources

_KIND: Final = BucketKind()


def list_buckets(
    database: Database, context: RequestContext, project_id: UUID, page: Page
) -> Listing[Resource[BucketSpec]]:
    """Return one page of a project's buckets. Raises as :func:`.resources.list_resources`."""
    return list_resources(database, context, project_id, _KIND, page)


def get_bucket(database: Database, context: RequestContext, project_id: UUID, bucket_id: UUID) -> Resource[BucketSpec]:
    """Return one bucket. Raises as :func:`.resources.get_resource`."""
    return get_resource(database, context, project_id, _KIND, bucket_id)


def create_bucket(
    database: Database, context: RequestContext, project_id: UUID, wanted: BucketRequest, *, plugins: Plugins
) -> ChangeResult:
    """Accept a new bucket. Raises as :func:`.changes.create.create_resource`."""
    return create_resource(database, _request(context, project_id, plugins), wanted)


def update_bucket(  # the path's ids are two of them
    database: Database,
    context: RequestContext,
    project_id: UUID,
    bucket_id: UUID,
    patch: BucketPatch,
    *,
    plugins: Plugins,
) -> ChangeResult:
    """Accept a change of a bucket. Raises as :func:`.changes.update.update_resource`."""
    return update_resource(database, _request(context, project_id, plugins), bucket_id, patch)


def delete_bucket(
    database: Database, context: RequestContext, project_id: UUID, bucket_id: UUID, *, plugins: Plugins
) -> ChangeResult:
    """Accept the deletion of a bucket. Raises as :func:`.changes.delete.delete_resource`."""
    return delete_resource(database, _request(context, project_id, plugins), bucket_id)


def _request(context: RequestContext, project_id: UUID, plugins: Plugins) -> ChangeRequest:
    return ChangeRequest(context=context, project_id=project_id, kind=_KIND, plugins=plugins)
