# SPDX-License-Identifier: Apache-2.0
"""The leak register: what jobs that ended could not take back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json

_INSERT: Final = text("""
INSERT INTO leak (id, organization_id, project_id, cluster_id, resource_id, kind, name, job_id, step, detail)
SELECT l.id, l.organization_id, l.project_id, l.cluster_id, l.resource_id, l.kind, l.name, l.job_id, l.step, l.detail
FROM jsonb_populate_recordset(NULL::leak, CAST(:leaks AS jsonb)) AS l
""")
_PAGE: Final = text("""
SELECT l.*, c.name AS cluster FROM leak l LEFT JOIN cluster c ON c.id = l.cluster_id
WHERE (NOT :open OR l.resolved_at IS NULL) AND (CAST(:after AS uuid) IS NULL OR l.id < :after)
ORDER BY l.id DESC LIMIT :limit
""")
_RESOLVE: Final = text("""
WITH resolved AS (
    UPDATE leak l SET resolved_at = clock_timestamp(), resolved_by = :actor, note = :note
    WHERE l.id = :id AND l.resolved_at IS NULL RETURNING l.*
)
SELECT l.*, c.name AS cluster FROM resolved l LEFT JOIN cluster c ON c.id = l.cluster_id
""")
_OTHERS: Final = text("SELECT EXISTS (SELECT FROM leak l WHERE l.resource_id = :resource AND l.resolved_at IS NULL)")


def insert(connection: Connection, leaks: Sequence[Mapping[str, Any]]) -> None:
    """Register what was left behind."""
    if leaks:
        connection.execute(_INSERT, {"leaks": dump_json(leaks)})


def page(connection: Connection, *, only_open: bool, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` leaks before the id ``after``, newest first."""
    return [row._asdict() for row in connection.execute(_PAGE, {"open": only_open, "after": after, "limit": limit})]


def resolve(connection: Connection, leak_id: UUID, *, actor: str, note: str) -> Mapping[str, Any] | None:
    """Close a leak and return it; None when there is no open one."""
    found = connection.execute(_RESOLVE, {"id": leak_id, "actor": actor, "note": note}).one_or_none()
    return found._asdict() if found else None


def are_open(connection: Connection, resource_id: UUID) -> bool:
    """Tell whether anything that the resource left behind is still open."""
    return bool(connection.execute(_OTHERS, {"resource": resource_id}).scalar_one())
