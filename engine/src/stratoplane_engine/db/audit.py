# SPDX-License-Identifier: Apache-2.0
"""The audit trail: appending in the transaction of the change, and reading pages."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditRecord
from stratoplane.ids import new_id
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import newest_first
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.audit import AuditEvent, AuditFilter

_INSERT: Final = Statement("""
INSERT INTO audit_event (id, organization_id, project_id, action, outcome, actor, subject_id, subject_name, request_id,
    trace_id, detail, occurred_at)
SELECT e.id, a.organization_id, a.project_id, a.action, a.outcome, a.actor, a.subject_id, a.subject_name, a.request_id,
    a.trace_id, a.detail, coalesce(a.occurred_at, clock_timestamp())
FROM jsonb_to_recordset(CAST(:entries AS jsonb)) AS e(id uuid, record jsonb),
    jsonb_populate_record(NULL::audit_event, e.record) AS a
""")
_EVENTS: Final = """
SELECT t.id, t.organization_id, t.project_id, t.action, t.outcome, t.actor, t.subject_id, t.subject_name, t.request_id,
    t.trace_id, t.detail, t.occurred_at FROM audit_event AS t
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """A record and the id that it gets."""

    id: UUID
    record: AuditRecord


def write(connection: Connection, *records: AuditRecord) -> None:
    """Append records, in the transaction of the change that they tell of; without a time, the database's is taken."""
    if records:
        connection.run(_INSERT, {"entries": dump_json([_Entry(id=new_id(), record=each) for each in records])})


def events(connection: Connection, wanted: AuditFilter, *, before: UUID | None = None, limit: int) -> list[AuditEvent]:
    """Return up to ``limit`` events before the id ``before``, newest first."""
    conditions = {
        "t.organization_id = :value": wanted.organization_id,
        "t.project_id = :value": wanted.project_id,
        "t.subject_id = :value": wanted.subject_id,
        "t.actor = :value": wanted.actor,
        "t.action = :value": wanted.action,
        "t.occurred_at >= :value": wanted.since,
        "t.occurred_at < :value": wanted.until,
    }
    return newest_first(connection, AuditEvent, _EVENTS, conditions, before=before, limit=limit)
