# SPDX-License-Identifier: Apache-2.0
"""Objects of clusters that do not carry the platform's mark: recorded as agents list them, and shown to operators."""

import re
from typing import Final
from uuid import UUID

from stratoplane.foreign import FOREIGN_LIMIT
from stratoplane.messages import Inventory
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import foreign_objects as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.foreign_objects import ForeignKey, ListedObject
from stratoplane_engine.model.cluster import ForeignObject
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.listings import Order

_LONGEST_TEXT: Final = 255
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _read_key(text: str) -> ForeignKey:
    cluster, kind, reference = text.split("/", 2)
    return ForeignKey(cluster_id=UUID(cluster), kind=kind, reference=reference)


_BY_PLACE: Final[Order[ForeignObject, ForeignKey]] = Order(
    name="foreign",
    key=lambda each: ForeignKey(cluster_id=each.cluster_id, kind=each.kind, reference=each.reference),
    read=_read_key,
    write=lambda key: f"{key.cluster_id}/{key.kind}/{key.reference}",
)


def record_listing(connection: Connection, cluster_id: UUID, message: Inventory) -> None:
    """Write what an inventory lists of foreign objects; nothing when the agent could not say.

    An object whose reference is longer than 255 bytes is left out: cut off, it could be another's.
    """
    if message.foreign is None or len(message.kinds) != 1:
        return
    items = [
        ListedObject(reference=each.reference, name=_CONTROLS.sub("", each.name)[:_LONGEST_TEXT], status=each.status)
        for each in message.foreign[:FOREIGN_LIMIT]
        if 0 < len(each.reference.encode()) <= _LONGEST_TEXT and not _CONTROLS.search(each.reference)
    ]
    rows.replace(connection, cluster_id, message.kinds[0], items)


def list_foreign_objects(
    database: Database, context: RequestContext, page: Page, *, cluster_id: UUID | None, kind: str | None
) -> Listing[ForeignObject]:
    """Return one page of foreign objects, by cluster, kind and reference.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    after = _BY_PLACE.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, cluster_id=cluster_id, kind=kind, after=after, limit=page.limit + 1)
    return _BY_PLACE.listing(found, page)
