# SPDX-License-Identifier: Apache-2.0
"""The leak register, for operators."""

from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import leaks as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.job import Leak, LeakFilter
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.listings import newest_first

_BY_TIME: Final = newest_first(Leak)


def list_leaks(database: Database, context: RequestContext, page: Page, shown: LeakFilter) -> Listing[Leak]:
    """Return one page of what failed jobs left behind, newest first.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    before = _BY_TIME.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, shown, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def resolve_leak(database: Database, context: RequestContext, leak_id: UUID, *, note: str) -> Leak:
    """Resolve a leak that an operator has checked at the provider.

    Raises:
        ResourceNotFoundError: there is no open leak with the id.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        leak = rows.resolve(connection, leak_id, actor=context.actor.name, note=note)
        if leak is None:
            raise ResourceNotFoundError(f"there is no open leak {leak_id}; list the leaks")
        resolved = record(
            context,
            AuditAction.LEAK_RESOLVED,
            leak.resource_id,
            leak.name,
            organization_id=leak.organization_id,
            project_id=leak.project_id,
            detail={"leak_id": str(leak_id), "step": leak.step, "note": note},
        )
        audit.write(connection, resolved)
    return leak
