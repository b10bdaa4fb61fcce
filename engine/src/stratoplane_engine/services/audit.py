# SPDX-License-Identifier: Apache-2.0
"""Reading the audit trail and its seals."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit as rows
from stratoplane_engine.db import audit_tree
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.audit import AuditCheckpoint, AuditEvent, AuditFilter
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.listings import Order, newest_first

_BY_TIME: Final = newest_first(AuditEvent)
EVERYTHING: Final = AuditFilter()
_LARGEST: Final = 2**63 - 1


def _read_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _LARGEST:
        raise ValueError(text)
    return int(text)


_BY_SIZE: Final[Order[AuditCheckpoint, int]] = Order(
    name="-size", key=lambda checkpoint: checkpoint.size, read=_read_size
)


def list_audit_events(
    database: Database,
    context: RequestContext,
    page: Page,
    wanted: AuditFilter = EVERYTHING,
    *,
    project_id: UUID | None = None,
) -> Listing[AuditEvent]:
    """Return a page of the organization's or one project's events, newest first.

    Args:
        database: where the trail is.
        context: who asks; the organization is the one that is acted in.
        page: which part of the list.
        wanted: only these events, of those that may be read here.
        project_id: only the events of this project.

    Raises:
        PermissionDeniedError: the caller may not read the trail there.
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.AUDIT_READ, organization_id=context.organization_id, project_id=project_id)
    wanted = replace(wanted, organization_id=context.organization_id, project_id=project_id)
    before = _BY_TIME.begin(page)
    with database.tenant_reads(context.organization_id) as connection:
        found = rows.events(connection, wanted, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def list_all_audit_events(
    database: Database, context: RequestContext, page: Page, wanted: AuditFilter = EVERYTHING
) -> Listing[AuditEvent]:
    """Return a page of every event of the platform, newest first, for operators.

    Raises as :func:`list_audit_events`.
    """
    require(context, Permission.PLATFORM_READ)
    before = _BY_TIME.begin(page)
    with database.system_reads() as connection:
        found = rows.events(connection, wanted, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def list_audit_checkpoints(database: Database, context: RequestContext, page: Page) -> Listing[AuditCheckpoint]:
    """Return a page of signed checkpoints, newest first, for operators who keep them elsewhere.

    Raises as :func:`list_audit_events`.
    """
    require(context, Permission.PLATFORM_READ)
    before = _BY_SIZE.begin(page)
    with database.system_reads() as connection:
        found = audit_tree.newest_checkpoints(connection, before=before, limit=page.limit + 1)
    return _BY_SIZE.listing(found, page)
