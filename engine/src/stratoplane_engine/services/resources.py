# SPDX-License-Identifier: Apache-2.0
"""What tenants own, of any kind: reading one, and listing a project's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

from stratoplane.kinds import AnyKind, Kind, SpecT
from stratoplane.resources import ResourceStatus
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import jobs
from stratoplane_engine.db import resources as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.model.waiting import waiting_in_words
from stratoplane_engine.services.changes.request import existing
from stratoplane_engine.services.listings import Order, newest_first, oldest_first

_ORDERS: Final[Mapping[str, Order[Resource[Any], Any]]] = {
    "created_at": oldest_first(Resource),
    "-created_at": newest_first(Resource),
    "name": Order(name="name", key=lambda resource: resource.name, read=str),
    "-name": Order(name="-name", key=lambda resource: resource.name, read=str),
}

_MOVING: Final = frozenset({ResourceStatus.PENDING, ResourceStatus.UPDATING, ResourceStatus.DELETING})
"""Statuses of resources with a job; the detail of such a one says what the job waits for."""


def get_resource(
    database: Database, context: RequestContext, project_id: UUID, kind: Kind[SpecT, Any, Any], resource_id: UUID
) -> Resource[SpecT]:
    """Return one resource.

    Raises:
        ResourceNotFoundError: this project has none with the id; ResourceDeletedError: it had one.
    """
    collection = _readable(context, project_id, kind)
    with database.tenant_reads(context.organization_id) as connection:
        resource = existing(rows.get(connection, collection, resource_id), kind.name, resource_id)
        (shown,) = _with_reasons(connection, collection, [resource])
    return cast("Resource[SpecT]", shown)


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
        found = rows.page(connection, collection, page, after=order.begin(page))
        shown = cast("list[Resource[SpecT]]", _with_reasons(connection, collection, found))
    return order.listing(shown, page)


def _with_reasons(
    connection: Connection, collection: rows.Collection, found: Sequence[Resource[Any]]
) -> list[Resource[Any]]:
    """Say of each resource whose job waits what it waits for; ask only where a job is under way."""
    moving = [each.id for each in found if each.status in _MOVING]
    if not moving:
        return list(found)
    live = jobs.first_and_last(connection, collection.organization_id, moving)
    reasons = {resource_id: waiting_in_words(*ends) for resource_id, ends in live.items()}
    return [replace(each, detail=reasons.get(each.id) or each.detail) for each in found]


def _readable(context: RequestContext, project_id: UUID, kind: AnyKind) -> rows.Collection:
    require(context, Permission.RESOURCE_READ, organization_id=context.organization_id, project_id=project_id)
    return rows.Collection(organization_id=context.organization_id, project_id=project_id, kind=kind.name)
