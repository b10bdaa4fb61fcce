# SPDX-License-Identifier: Apache-2.0
"""The leak register, for operators."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import ResourceNotFoundError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import leaks as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

_SORT: Final = "-created_at"


def list_leaks(
    database: Database, context: RequestContext, page: Page, *, only_open: bool
) -> Listing[Mapping[str, object]]:
    """Return one page of what failed jobs left behind, newest first."""
    require(context, Permission.PLATFORM_READ)
    after = cursors.decode(_SORT, page.cursor)
    with database.system() as connection:
        found = rows.page(connection, only_open=only_open, after=UUID(after) if after else None, limit=page.limit + 1)
    shown = found[: page.limit]
    following = cursors.encode(_SORT, str(shown[-1]["id"])) if len(found) > page.limit else None
    return Listing(items=tuple(map(wire_form.leak, shown)), next=following)


def resolve_leak(database: Database, context: RequestContext, leak_id: UUID, *, note: str) -> dict[str, Any]:
    """Close an entry by hand: somebody has looked at the provider.

    Raises:
        ResourceNotFoundError: there is no open entry with the id.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        found = rows.resolve(connection, leak_id, actor=context.actor.name, note=note)
        if found is None:
            raise ResourceNotFoundError(f"there is no open leak {leak_id}; list the leaks")
        record = AuditRecord(
            action=AuditAction.LEAK_RESOLVED,
            actor=context.actor.name,
            occurred_at=datetime.now(UTC),
            organization_id=found["organization_id"],
            project_id=found["project_id"],
            subject_id=found["resource_id"],
            subject_name=found["name"],
            request_id=context.request_id,
            detail={"leak_id": str(leak_id), "step": found["step"], "note": note},
        )
        audit.write(connection, record)
    return wire_form.leak(found)
