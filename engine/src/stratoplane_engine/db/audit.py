# SPDX-License-Identifier: Apache-2.0
"""The audit trail: appending in the transaction of the change, and reading pages."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.audit import AuditRecord
from stratoplane.ids import new_id
from stratoplane.wire import to_json
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import rows_after

_INSERT: Final = text("""
INSERT INTO audit_event (id, organization_id, project_id, action, outcome, actor, subject_id, subject_name, request_id,
    trace_id, detail, occurred_at)
SELECT a.id, a.organization_id, a.project_id, a.action, a.outcome, a.actor, a.subject_id, a.subject_name, a.request_id,
    a.trace_id, a.detail, coalesce(a.occurred_at, clock_timestamp())
FROM jsonb_populate_recordset(NULL::audit_event, CAST(:rows AS jsonb)) AS a
""")
_EVENTS: Final = """
SELECT t.id, t.organization_id, t.project_id, t.action, t.outcome, t.actor, t.subject_id, t.subject_name, t.request_id,
    t.trace_id, t.detail, t.occurred_at FROM audit_event AS t
"""


def insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append events given as rows; without ``occurred_at`` the database's clock is taken."""
    if rows:
        connection.execute(_INSERT, {"rows": dump_json(rows)})


def write(connection: Connection, *records: AuditRecord) -> None:
    """Append records, in the transaction of the change that they tell of."""
    insert(connection, [{"id": new_id(), **to_json(record)} for record in records])


def page(
    connection: Connection,
    *,
    organization_id: UUID | None,
    project_id: UUID | None,
    subject_id: UUID | None,
    after: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return a page of events, newest first; None does not narrow."""
    conditions = {
        "t.organization_id = :value": organization_id,
        "t.project_id = :value": project_id,
        "t.subject_id = :value": subject_id,
    }
    return rows_after(connection, _EVENTS, conditions, after=after, limit=limit, newest_first=True)
