# SPDX-License-Identifier: Apache-2.0
"""Reading the audit trail."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane_engine.authorization import require
from stratoplane_engine.context import Listing, Page, RequestContext
from stratoplane_engine.db import audit as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.permissions import Permission
from stratoplane_engine.services import listings

_SORT: Final = "-created_at"


def list_audit_events(
    database: Database,
    context: RequestContext,
    page: Page,
    *,
    project_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> Listing:
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
) -> Listing:
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


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    ids = ("id", "organization_id", "project_id", "subject_id")
    texts = ("action", "outcome", "actor", "subject_name", "request_id", "trace_id", "detail")
    return {
        **{name: str(row[name]) if row[name] else None for name in ids},
        **{name: row[name] for name in texts},
        "occurred_at": instant(row["occurred_at"]),
    }
