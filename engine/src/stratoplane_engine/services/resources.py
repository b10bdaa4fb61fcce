# SPDX-License-Identifier: Apache-2.0
"""What tenants own, of any kind: reading one, and listing a project's."""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from stratoplane.kinds import AnyKind, Kind, SpecT
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import resources as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.services.changes.request import existing
from stratoplane_engine.services.listings import Order, newest_first, oldest_first

_ORDERS: Final[Mapping[str, Order[Resource[Any], Any]]] = {
    "created_at": oldest_first(Resource),
    "-created_at": newest_first(Resource),
    "name": Order(name="name", key=lambda resource: resource.name, read=str),
    "-name": Order(name="-name", key=lambda resource: resource.name, read=str),
}


def get_resource(
    database: Database, context: RequestContext, project_id: UUID, kind: Kind[SpecT, Any, Any], resource_id: UUID
) -> Resource[SpecT]:
    """Return one resource.

    Raises:
        ResourceNotFoundError: this project has none with the id; ResourceDeletedError: it had one.
    """
    collection = _readable(context, project_id, kind)
    with database.tenant_reads(context.organization_id) as connection:
        found = rows.get(connection, collection, resource_id)
    return cast("Resource[SpecT]", existing(found, kind.name, resource_id))


def list_resources(
    database: Database, context: RequestContext, project_id: UUID, kind: Kind[SpecT, Any, Any], page: Page
) -> Listing[Resource[SpecT]]:
    """Return one page of a project's resources of a kind.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    collection = _readable(context, project_id, kind)
    order = _ORDERS[page.sort]
    with database.tenant_reads(context.organization_id) as connection:
        found = cast("list[Resource[SpecT]]", rows.page(connection, collection, page, after=order.begin(page)))
    return order.listing(found, page)


def _readable(context: RequestContext, project_id: UUID, kind: AnyKind) -> rows.Collection:
    require(context, Permission.RESOURCE_READ, organization_id=context.organization_id, project_id=project_id)
    return rows.Collection(organization_id=context.organization_id, project_id=project_id, kind=kind.name)
