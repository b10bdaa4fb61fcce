# SPDX-License-Identifier: Apache-2.0
"""Reading the audit trail and its seals."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit as rows
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors, listings

_SORT: Final = "-created_at"
_BY_SIZE: Final = "-size"
_LARGEST: Final = 2**63 - 1


def list_audit_events(
    database: Database,
    context: RequestContext,
    page: Page,
    *,
    project_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> Listing[Mapping[str, object]]:
    """Return a page of the organization's or one project's events, newest first."""
    require(context, Permission.AUDIT_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        found = rows.page(
            connection,
            organization_id=context.organization_id,
            project_id=project_id,
            subject_id=subject_id,
            after=listings.after(page, _SORT),
            limit=page.limit + 1,
        )
    return listings.listing(found, page, _wire, _SORT)


def list_all_audit_events(
    database: Database, context: RequestContext, page: Page, *, subject_id: UUID | None = None
) -> Listing[Mapping[str, object]]:
    """Return a page of every event of the platform, newest first, for operators."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(
            connection,
            organization_id=None,
            project_id=None,
            subject_id=subject_id,
            after=listings.after(page, _SORT),
            limit=page.limit + 1,
        )
    return listings.listing(found, page, _wire, _SORT)


def list_audit_checkpoints(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of signed checkpoints of the trail, newest first, for operators who keep them elsewhere."""
    require(context, Permission.PLATFORM_READ)
    before = _size(cursors.decode(_BY_SIZE, page.cursor))
    with database.system() as connection:
        found = audit_tree.page(connection, before=before, limit=page.limit + 1)
    shown = found[: page.limit]
    following = cursors.encode(_BY_SIZE, str(shown[-1]["size"])) if len(found) > page.limit else None
    return Listing(items=tuple(map(_checkpoint, shown)), next=following)


def _size(key: str | None) -> int | None:
    if key is None:
        return None
    if not key.isascii() or not key.isdigit() or int(key) > _LARGEST:
        raise cursors.foreign()
    return int(key)


def _checkpoint(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "size": row["size"],
        "root": bytes(row["root"]).hex(),
        "sealed_at": instant(row["sealed_at"]),
        "note": row["note"],
    }


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    ids = ("id", "organization_id", "project_id", "subject_id")
    texts = ("action", "outcome", "actor", "subject_name", "request_id", "trace_id", "detail")
    return {
        **{name: str(row[name]) if row[name] else None for name in ids},
        **{name: row[name] for name in texts},
        "occurred_at": instant(row["occurred_at"]),
    }
