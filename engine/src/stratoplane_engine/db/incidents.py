# SPDX-License-Identifier: Apache-2.0
"""Incidents in the database: what was seen, what was done about it, and what is to be told."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.ids import new_id
from stratoplane.incidents import Finding
from stratoplane_engine.db.connection import Connection, dump_json

PLATFORM: Final = "platform"
REOPEN_HOURS: Final = 24
"""Within this time after its end the same finding opens the same incident again."""

_RANK: Final = "CASE {} WHEN 'INFO' THEN 0 WHEN 'WARNING' THEN 1 ELSE 2 END"
_SEEN: Final = """
seen AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:findings AS jsonb)) AS s(id uuid, kind text, severity text, key text,
        title text, detail jsonb, organization_id uuid, cluster_id uuid, resource_id uuid, event_id uuid) ORDER BY s.key
)
"""
_REOPEN: Final = text(f"""
WITH {_SEEN},
back AS (
    UPDATE incident i SET status = 'OPEN', severity = s.severity, title = s.title, detail = s.detail,
        occurrences = i.occurrences + 1, seen_at = clock_timestamp(), resolved_at = NULL, acknowledged_at = NULL,
        escalates_at = NULL, escalation = 0, opened_at = clock_timestamp()
    FROM seen s WHERE i.status = 'RESOLVED' AND i.id = (SELECT l.id FROM incident l WHERE l.key = s.key
            AND l.resolved_at > clock_timestamp() - make_interval(hours => :hours) ORDER BY l.resolved_at DESC LIMIT 1)
        AND NOT EXISTS (SELECT FROM incident o WHERE o.key = s.key AND o.status <> 'RESOLVED')
    RETURNING i.id, i.key, s.event_id
),
told AS (
    INSERT INTO incident_event (id, incident_id, action, actor) SELECT b.event_id, b.id, 'reopened', :actor FROM back b
)
SELECT key FROM back
""")
# What is seen again and again is written down once a minute, so that it makes no row hot.
_OPEN: Final = text(f"""
WITH {_SEEN},
opened AS (
    INSERT INTO incident (id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id)
    SELECT id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id FROM seen
    ON CONFLICT (key) WHERE status <> 'RESOLVED' DO UPDATE SET occurrences = incident.occurrences + 1,
        seen_at = clock_timestamp(), title = excluded.title, detail = excluded.detail,
        escalates_at = CASE WHEN {_RANK.format("excluded.severity")} <= {_RANK.format("incident.severity")}
            THEN incident.escalates_at END,
        severity = CASE WHEN {_RANK.format("excluded.severity")} > {_RANK.format("incident.severity")}
            THEN excluded.severity ELSE incident.severity END
    WHERE incident.seen_at < clock_timestamp() - interval '1 minute'
        OR {_RANK.format("excluded.severity")} > {_RANK.format("incident.severity")}
    RETURNING id
)
INSERT INTO incident_event (id, incident_id, action, actor)
SELECT s.event_id, o.id, 'opened', :actor FROM opened o JOIN seen s ON s.id = o.id
""")
_CLEAR: Final = text("""
WITH over AS (
    UPDATE incident i SET status = 'RESOLVED', resolved_at = clock_timestamp(), escalates_at = NULL
    FROM (SELECT id FROM incident WHERE key = ANY(:keys) AND status <> 'RESOLVED' ORDER BY key FOR NO KEY UPDATE) AS o
    WHERE i.id = o.id RETURNING i.id
)
INSERT INTO incident_event (id, incident_id, action, actor, note)
SELECT gen_random_uuid(), id, 'resolved', :actor, 'the cause has gone away' FROM over
""")
_ESCALATE: Final = text("""
WITH dated AS (
    UPDATE incident i SET escalates_at = i.opened_at + make_interval(
        secs => CASE i.severity WHEN 'CRITICAL' THEN :critical ELSE :warning END)
    WHERE i.status = 'OPEN' AND i.escalates_at IS NULL AND i.severity <> 'INFO' AND i.escalation = 0
),
late AS MATERIALIZED (
    SELECT i.id FROM incident i WHERE i.status = 'OPEN' AND i.escalates_at < clock_timestamp()
    ORDER BY i.escalates_at LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
),
escalated AS (
    UPDATE incident i SET escalation = i.escalation + 1, severity = 'CRITICAL',
        escalates_at = CASE WHEN i.escalation + 1 < :most
            THEN clock_timestamp() + make_interval(secs => :critical) END
    FROM late WHERE i.id = late.id RETURNING i.id, i.escalation
)
INSERT INTO incident_event (id, incident_id, action, actor, detail)
SELECT gen_random_uuid(), id, 'escalated', :actor, jsonb_build_object('level', escalation) FROM escalated
""")
_FIELDS: Final = "i.*, c.name AS cluster FROM incident i LEFT JOIN cluster c ON c.id = i.cluster_id"
_GET: Final = text(f"SELECT {_FIELDS} WHERE i.id = :id")
_LOCK: Final = text("SELECT i.* FROM incident i WHERE i.id = :id FOR NO KEY UPDATE")
_EVENTS: Final = text(
    "SELECT e.* FROM incident_event e WHERE e.incident_id = :id ORDER BY e.occurred_at, e.id LIMIT 500"
)
_MOVE: Final = text("""
WITH moved AS (
    UPDATE incident i SET status = :status, assignee = :assignee,
        acknowledged_at = CASE WHEN :status = 'ACKNOWLEDGED' THEN coalesce(i.acknowledged_at, clock_timestamp()) END,
        resolved_at = CASE WHEN :status = 'RESOLVED' THEN clock_timestamp() END,
        opened_at = CASE WHEN :status = 'OPEN' AND i.status <> 'OPEN' THEN clock_timestamp() ELSE i.opened_at END,
        escalation = CASE WHEN :status = 'OPEN' AND i.status <> 'OPEN' THEN 0 ELSE i.escalation END,
        escalates_at = CASE WHEN :status = i.status THEN i.escalates_at END
    WHERE i.id = :id RETURNING i.id
)
INSERT INTO incident_event (id, incident_id, action, actor, note, detail)
SELECT :event, id, :action, :actor, :note, CAST(:detail AS jsonb) FROM moved
""")
_SILENT: Final = text("""
SELECT c.id, c.name, c.seen_at FROM cluster c
WHERE c.deleted_at IS NULL AND c.seen_at < clock_timestamp() - make_interval(secs => :seconds)
    AND EXISTS (SELECT FROM resource r WHERE r.cluster_id = c.id AND r.deleted_at IS NULL)
LIMIT 1000
""")
_HEARD: Final = text("""
SELECT i.key FROM incident i JOIN cluster c ON c.id = i.cluster_id
WHERE i.kind = 'agent-lost' AND i.status <> 'RESOLVED'
    AND (c.deleted_at IS NOT NULL OR c.seen_at > clock_timestamp() - make_interval(secs => :seconds))
""")


def report(connection: Connection, *findings: Finding) -> None:
    """Open an incident for each finding, add it to the open one under its key, or reopen one that ended lately."""
    if not findings:
        return
    rows = {each.key: _row(each) for each in findings}
    parameters = {"actor": PLATFORM, "hours": REOPEN_HOURS, "findings": dump_json(list(rows.values()))}
    back = set(connection.execute(_REOPEN, parameters).scalars())
    if left := [row for key, row in rows.items() if key not in back]:
        connection.execute(_OPEN, {"actor": PLATFORM, "findings": dump_json(left)})


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "id": new_id(),
        "event_id": new_id(),
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "key": finding.key,
        "title": finding.title,
        "detail": finding.detail,
        "organization_id": finding.organization_id,
        "cluster_id": finding.cluster_id,
        "resource_id": finding.resource_id,
    }


def resolve(connection: Connection, *keys: str) -> None:
    """Resolve the incidents under ``keys``: their cause has gone away."""
    if keys:
        connection.execute(_CLEAR, {"keys": sorted(keys), "actor": PLATFORM})


def escalate(connection: Connection, *, warning: float, critical: float, most: int, limit: int) -> int:
    """Raise open incidents that nobody has acknowledged in time to the next level.

    Args:
        warning: seconds that a WARNING may be open before it becomes CRITICAL.
        critical: seconds between the levels of a CRITICAL one.
        most: levels.
        limit: incidents at once.

    Returns:
        How many were raised.
    """
    parameters = {"warning": warning, "critical": critical, "most": most, "limit": limit, "actor": PLATFORM}
    return connection.execute(_ESCALATE, parameters).rowcount


def page(connection: Connection, *, filters: Mapping[str, Any], after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` incidents before the id ``after``, newest first.

    Args:
        filters: values of ``status``, ``severity``, ``kind``, ``cluster_id``, ``assignee``; None does not count.
            ``status`` is a list.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    conditions = ["i.status = ANY(:status)" if name == "status" else f"i.{name} = :{name}" for name in wanted]
    if after is not None:
        conditions.append("i.id < :after")
    where = " AND ".join(["true", *conditions])
    statement = text(f"SELECT {_FIELDS} WHERE {where} ORDER BY i.id DESC LIMIT :limit")
    found = connection.execute(
        statement, {**wanted, "after": after, "limit": limit} if after else {**wanted, "limit": limit}
    )
    return [row._asdict() for row in found]


def get(connection: Connection, incident_id: UUID) -> dict[str, Any] | None:
    """Return one incident, None when there is none."""
    found = connection.execute(_GET, {"id": incident_id}).one_or_none()
    return found._asdict() if found else None


def lock(connection: Connection, incident_id: UUID) -> dict[str, Any] | None:
    """Return one incident for a change, None when there is none."""
    found = connection.execute(_LOCK, {"id": incident_id}).one_or_none()
    return found._asdict() if found else None


def events(connection: Connection, incident_id: UUID) -> Sequence[Mapping[str, Any]]:
    """Return what has happened with an incident, oldest first."""
    return [row._asdict() for row in connection.execute(_EVENTS, {"id": incident_id})]


def move(connection: Connection, incident_id: UUID, *, status: str, assignee: str, event: Mapping[str, Any]) -> None:
    """Write status and assignee with the event (``action``, ``actor``, ``note``, ``detail``) that tells of it."""
    parameters = {"id": incident_id, "status": status, "assignee": assignee, "event": new_id()}
    words = {"action": event["action"], "actor": event["actor"], "note": event["note"]}
    connection.execute(_MOVE, {**parameters, **words, "detail": dump_json(event["detail"])})


def silent_clusters(connection: Connection, *, seconds: float) -> Sequence[Mapping[str, Any]]:
    """Return clusters with resources that have not been heard of for so long."""
    return [row._asdict() for row in connection.execute(_SILENT, {"seconds": seconds})]


def heard_again(connection: Connection, *, seconds: float) -> Sequence[str]:
    """Return the keys of incidents about lost agents whose clusters have been heard of since."""
    return list(connection.execute(_HEARD, {"seconds": seconds}).scalars())
