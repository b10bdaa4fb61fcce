# SPDX-License-Identifier: Apache-2.0
"""Incidents in the database: what was found, and what was done about it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.ids import new_id
from stratoplane.incidents import Finding
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import newest_first
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.cluster import LateListing
from stratoplane_engine.model.incident import Incident, IncidentChange, IncidentFilter, IncidentHistory, SilentCluster

PLATFORM: Final = "platform"
REOPEN_HOURS: Final = 24
"""Within this time after its end the same finding opens the same incident again."""

_RANK: Final = "CASE {} WHEN 'INFO' THEN 0 WHEN 'WARNING' THEN 1 ELSE 2 END"
_FOUND: Final = """
found AS MATERIALIZED (
    SELECT r.id, r.event_id, f.* FROM jsonb_to_recordset(CAST(:findings AS jsonb)) AS r(id uuid, event_id uuid,
        finding jsonb), jsonb_to_record(r.finding) AS f(kind text, severity text, key text, title text, detail jsonb,
        organization_id uuid, cluster_id uuid, resource_id uuid) ORDER BY f.key
)
"""
_REOPEN: Final = Statement(f"""
WITH {_FOUND},
reopened AS (
    UPDATE incident i SET status = 'OPEN', severity = f.severity, title = f.title, detail = f.detail,
        occurrences = i.occurrences + 1, seen_at = clock_timestamp(), resolved_at = NULL, acknowledged_at = NULL,
        escalates_at = NULL, escalation = 0, opened_at = clock_timestamp()
    FROM found f WHERE i.status = 'RESOLVED' AND i.id = (SELECT l.id FROM incident l WHERE l.key = f.key
            AND l.resolved_at > clock_timestamp() - make_interval(hours => :hours) ORDER BY l.resolved_at DESC LIMIT 1)
        AND NOT EXISTS (SELECT FROM incident o WHERE o.key = f.key AND o.status <> 'RESOLVED')
    RETURNING i.id, i.key, f.event_id
),
noted AS (
    INSERT INTO incident_event (id, incident_id, action, actor)
    SELECT r.event_id, r.id, 'reopened', :actor FROM reopened r
)
SELECT key FROM reopened
""")
# A finding that comes again and again is added once a minute, so that it makes no row hot.
_OPEN: Final = Statement(f"""
WITH {_FOUND},
opened AS (
    INSERT INTO incident (id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id)
    SELECT id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id FROM found
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
SELECT f.event_id, o.id, 'opened', :actor FROM opened o JOIN found f ON f.id = o.id
""")
_RESOLVE: Final = Statement("""
WITH ended AS (
    UPDATE incident i SET status = 'RESOLVED', resolved_at = clock_timestamp(), escalates_at = NULL
    FROM (SELECT id FROM incident WHERE key = ANY(:keys) AND status <> 'RESOLVED' ORDER BY key FOR NO KEY UPDATE) AS o
    WHERE i.id = o.id RETURNING i.id
)
INSERT INTO incident_event (id, incident_id, action, actor, note)
SELECT gen_random_uuid(), id, 'resolved', :actor, 'the cause has gone away' FROM ended
""")
_ESCALATE: Final = Statement("""
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
_INCIDENTS: Final = "SELECT t.*, c.name AS cluster FROM incident t LEFT JOIN cluster c ON c.id = t.cluster_id"
_LOCK: Final = Statement("SELECT i.* FROM incident i WHERE i.id = :id FOR NO KEY UPDATE")
_HISTORY: Final = Statement("""
SELECT to_jsonb(i) || jsonb_build_object('cluster', c.name) AS incident,
    (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.occurred_at, e.id), '[]') FROM (
        SELECT e.id, e.action, e.actor, e.note, e.detail, e.occurred_at FROM incident_event e
        WHERE e.incident_id = i.id ORDER BY e.occurred_at, e.id LIMIT 500) AS e) AS events,
    (SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.created_at, d.id), '[]') FROM (
        SELECT d.id, d.plugin, d.notification->>'event' AS event, d.state, d.attempts, d.error, d.created_at,
            d.next_attempt_at, d.finished_at FROM delivery d
        WHERE d.incident_id = i.id ORDER BY d.created_at, d.id LIMIT 500) AS d) AS deliveries
FROM incident i LEFT JOIN cluster c ON c.id = i.cluster_id WHERE i.id = :id
""")
_CHANGE: Final = Statement("""
WITH changed AS (
    UPDATE incident i SET status = :status, assignee = :assignee,
        acknowledged_at = CASE WHEN :status = 'ACKNOWLEDGED' THEN coalesce(i.acknowledged_at, clock_timestamp()) END,
        resolved_at = CASE WHEN :status = 'RESOLVED' THEN clock_timestamp() END,
        opened_at = CASE WHEN :status = 'OPEN' AND i.status <> 'OPEN' THEN clock_timestamp() ELSE i.opened_at END,
        escalation = CASE WHEN :status = 'OPEN' AND i.status <> 'OPEN' THEN 0 ELSE i.escalation END,
        escalates_at = CASE WHEN :status = i.status THEN i.escalates_at END
    WHERE i.id = :id RETURNING i.id
)
INSERT INTO incident_event (id, incident_id, action, actor, note, detail)
SELECT :event, id, :action, :actor, :note, CAST(:detail AS jsonb) FROM changed
""")
_SILENT: Final = Statement("""
SELECT c.id, c.name, c.seen_at FROM cluster c
WHERE c.deleted_at IS NULL AND c.seen_at < clock_timestamp() - make_interval(secs => :seconds)
    AND EXISTS (SELECT FROM resource r WHERE r.cluster_id = c.id AND r.deleted_at IS NULL)
LIMIT 1000
""")
_HEARD: Final = Statement("""
SELECT i.key FROM incident i JOIN cluster c ON c.id = i.cluster_id
WHERE i.kind = 'agent-lost' AND i.status <> 'RESOLVED'
    AND (c.deleted_at IS NOT NULL OR c.seen_at > clock_timestamp() - make_interval(secs => :seconds))
""")
_LISTED: Final = """
provider p ON p.cluster_id = c.id CROSS JOIN LATERAL
    jsonb_to_recordset(p.listings) AS l(name text, answered_at timestamptz, error text)
"""
_IS_LATE: Final = "c.deleted_at IS NULL AND l.answered_at < clock_timestamp() - make_interval(secs => :seconds)"
# A silent agent is an incident of its own: what it does not report any more is not one more each.
_LATE: Final = Statement(f"""
SELECT c.id AS cluster_id, c.name AS cluster, p.interface, p.driver, l.name, l.answered_at, l.error
FROM cluster c JOIN {_LISTED} WHERE {_IS_LATE} AND {is_online("c")} ORDER BY c.id, p.interface, l.name LIMIT 1000
""")
_LISTED_AGAIN: Final = Statement(f"""
SELECT i.key FROM incident i WHERE i.kind = 'listing-late' AND i.status <> 'RESOLVED' AND NOT EXISTS (
    SELECT FROM cluster c JOIN {_LISTED}
    WHERE c.id = i.cluster_id AND i.detail->>'interface' = p.interface AND i.detail->>'listing' = l.name AND {_IS_LATE})
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class _FindingRow:
    id: UUID
    event_id: UUID
    finding: Finding


def report(connection: Connection, *findings: Finding) -> None:
    """Open an incident for each finding, add it to the open one under its key, or reopen one that ended lately."""
    if not findings:
        return
    rows = {each.key: _FindingRow(id=new_id(), event_id=new_id(), finding=each) for each in findings}
    parameters = {"actor": PLATFORM, "hours": REOPEN_HOURS, "findings": dump_json(list(rows.values()))}
    reopened = frozenset(connection.values(str, _REOPEN, parameters))
    if others := [row for key, row in rows.items() if key not in reopened]:
        connection.run(_OPEN, {"actor": PLATFORM, "findings": dump_json(others)})


def resolve(connection: Connection, *keys: str) -> None:
    """Resolve the incidents under ``keys``: their cause has gone away."""
    if keys:
        connection.run(_RESOLVE, {"keys": sorted(keys), "actor": PLATFORM})


def escalate(connection: Connection, *, warning: float, critical: float, most: int, limit: int) -> int:
    """Raise open incidents that nobody has acknowledged in time to the next level.

    Args:
        connection: writes.
        warning: seconds that a WARNING may be open before it becomes CRITICAL.
        critical: seconds between the levels of a CRITICAL one.
        most: levels.
        limit: incidents at once.

    Returns:
        How many were raised.
    """
    parameters = {"warning": warning, "critical": critical, "most": most, "limit": limit, "actor": PLATFORM}
    return connection.run(_ESCALATE, parameters)


def incidents(
    connection: Connection, wanted: IncidentFilter, *, before: UUID | None = None, limit: int
) -> list[Incident]:
    """Return up to ``limit`` incidents before the id ``before``, newest first."""
    conditions = {
        "t.status = ANY(:value)": list(wanted.statuses),
        "t.severity = :value": wanted.severity,
        "t.kind = :value": wanted.kind,
        "t.cluster_id = :value": wanted.cluster_id,
        "t.assignee = :value": wanted.assignee,
    }
    return newest_first(connection, Incident, _INCIDENTS, conditions, before=before, limit=limit)


def history(connection: Connection, incident_id: UUID) -> IncidentHistory | None:
    """Return an incident with its first 500 events and deliveries, oldest first; None when there is none."""
    return connection.first(IncidentHistory, _HISTORY, {"id": incident_id})


def lock(connection: Connection, incident_id: UUID) -> Incident | None:
    """Return one incident for a change, without its cluster's name; None when there is none."""
    return connection.first(Incident, _LOCK, {"id": incident_id})


def change(connection: Connection, incident_id: UUID, made: IncidentChange) -> None:
    """Write status and assignee with the event that tells of it."""
    parameters = {"id": incident_id, "status": made.status, "assignee": made.assignee, "event": new_id()}
    event = {"action": made.action, "actor": made.actor, "note": made.note, "detail": dump_json(made.detail)}
    connection.run(_CHANGE, {**parameters, **event})


def silent_clusters(connection: Connection, *, seconds: float) -> list[SilentCluster]:
    """Return clusters with resources that have not been heard of for so long."""
    return connection.all(SilentCluster, _SILENT, {"seconds": seconds})


def heard_again(connection: Connection, *, seconds: float) -> list[str]:
    """Return the keys of incidents about lost agents whose clusters have been heard of since."""
    return connection.values(str, _HEARD, {"seconds": seconds})


def late_listings(connection: Connection, *, seconds: float) -> list[LateListing]:
    """Return listings of drivers that are older than that, of clusters whose agent is heard of."""
    return connection.all(LateListing, _LATE, {"seconds": seconds})


def listed_again(connection: Connection, *, seconds: float) -> list[str]:
    """Return the keys of incidents about late listings that are late no more, or that nobody waits for any more."""
    return connection.values(str, _LISTED_AGAIN, {"seconds": seconds})
