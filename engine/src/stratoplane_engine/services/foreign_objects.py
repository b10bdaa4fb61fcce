# SPDX-License-Identifier: Apache-2.0
"""Objects of clusters that carry no mark of ours: taken down as agents list them, and shown to operators."""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane.foreign import FOREIGN_LIMIT
from stratoplane.messages import Inventory
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import foreign_objects as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

_SORT: Final = "foreign"
_LONGEST_WORDS: Final = 255
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def record_listing(connection: Connection, cluster_id: UUID, message: Inventory) -> None:
    """Write what an inventory lists of foreign objects; nothing when the agent could not say.

    An object whose reference is longer than 255 bytes is left out: cut off, it could be another's.
    """
    if message.foreign is None or len(message.kinds) != 1:
        return
    items = [
        {"reference": each.reference, "name": _CONTROLS.sub("", each.name)[:_LONGEST_WORDS], "status": each.status}
        for each in message.foreign[:FOREIGN_LIMIT]
        if 0 < len(each.reference.encode()) <= _LONGEST_WORDS and not _CONTROLS.search(each.reference)
    ]
    rows.replace(connection, cluster_id, message.kinds[0], items)


def list_foreign_objects(
    database: Database, context: RequestContext, page: Page, *, cluster_id: UUID | None, kind: str | None
) -> Listing[Mapping[str, object]]:
    """Return one page of foreign objects, by cluster, kind and reference.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    after = _key(cursors.decode(_SORT, page.cursor))
    with database.system() as connection:
        found = rows.page(connection, cluster_id=cluster_id, kind=kind, after=after, limit=page.limit + 1)
    shown = found[: page.limit]
    following = cursors.encode(_SORT, _cursor(shown[-1])) if len(found) > page.limit else None
    return Listing(items=tuple(map(_wire_form, shown)), next=following)


def _cursor(row: dict[str, Any]) -> str:
    return f"{row['cluster_id']}/{row['kind']}/{row['reference']}"


def _key(text: str | None) -> tuple[UUID, str, str] | None:
    if text is None:
        return None
    try:
        cluster, kind, reference = text.split("/", 2)
        return UUID(cluster), kind, reference
    except ValueError as error:
        raise cursors.foreign() from error


def _wire_form(row: dict[str, Any]) -> dict[str, Any]:
    words = ("cluster", "kind", "reference", "name", "status")
    return {
        "cluster_id": str(row["cluster_id"]),
        **{name: row[name] for name in words},
        "first_seen_at": instant(row["first_seen_at"]),
        "seen_at": instant(row["seen_at"]),
    }
