# SPDX-License-Identifier: Apache-2.0
"""The leak register: what jobs that ended could not take back."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.job import Leak, LeakFilter

_INSERT: Final = Statement("""
INSERT INTO leak (id, organization_id, project_id, cluster_id, resource_id, kind, name, job_id, step, detail)
SELECT l.id, l.organization_id, l.project_id, l.cluster_id, l.resource_id, l.kind, l.name, l.job_id, l.step, l.detail
FROM jsonb_populate_recordset(NULL::leak, CAST(:leaks AS jsonb)) AS l
""")
_PAGE: Final = Statement("""
SELECT l.*, c.name AS cluster FROM leak l LEFT JOIN cluster c ON c.id = l.cluster_id
WHERE (:state = 'ALL' OR l.resolved_at IS NULL) AND (CAST(:before AS uuid) IS NULL OR l.id < :before)
ORDER BY l.id DESC LIMIT :limit
""")
_RESOLVE: Final = Statement("""
WITH resolved AS (
    UPDATE leak l SET resolved_at = clock_timestamp(), resolved_by = :actor, note = :note
    WHERE l.id = :id AND l.resolved_at IS NULL RETURNING l.*
)
SELECT l.*, c.name AS cluster FROM resolved l LEFT JOIN cluster c ON c.id = l.cluster_id
""")


def insert(connection: Connection, leaks: Sequence[Leak]) -> None:
    """Register what was left behind, before the next statement."""
    if leaks:
        connection.defer(_INSERT, {"leaks": dump_json(leaks)})


def page(connection: Connection, shown: LeakFilter, *, before: UUID | None, limit: int) -> list[Leak]:
    """Return up to ``limit`` leaks before the id ``before``, newest first."""
    return connection.all(Leak, _PAGE, {"state": shown, "before": before, "limit": limit})


def resolve(connection: Connection, leak_id: UUID, *, actor: str, note: str) -> Leak | None:
    """Resolve a leak and return it; None when there is no open one."""
    return connection.first(Leak, _RESOLVE, {"id": leak_id, "actor": actor, "note": note})
