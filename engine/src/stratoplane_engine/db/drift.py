# SPDX-License-Identifier: Apache-2.0
"""Differences in the database: found by comparing everything or what has changed, recorded, and ended."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.incidents import IncidentKind
from stratoplane.jobs import LIVE
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.drift.fields import COMPARABLE, Comparable
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS

_Rows = Sequence[Mapping[str, Any]]
_LIVE: Final = "(" + ", ".join(f"'{state}'" for state in sorted(LIVE)) + ")"
_QUIET: Final = f"NOT EXISTS (SELECT FROM job j WHERE j.resource_id = r.id AND j.state IN {_LIVE})"
_ROUND: Final = 0x5354_5243  # "STRC": one round at a time
# A resource as its cluster showed it after the last change of it had come to rest: what was listed before does not
# count. Clocks of agent and database are not compared, but the answer took its time to get here.
_AT_REST: Final = f"""
    r.deleted_at IS NULL AND r.status IN ('ACTIVE', 'RUNNING', 'STOPPED')
    AND p.taken_at > r.updated_at + interval '5 seconds' AND {_QUIET}
"""


def _differs(each: Comparable) -> str:
    return f"({each.differs or f'{each.observed} IS NOT NULL AND {each.desired} IS DISTINCT FROM {each.observed}'})"


def _of_kind(kind: str, only: str) -> str:
    fields = [each for each in COMPARABLE if each.kind == kind]
    values = ", ".join(f"('{each.field}', {each.desired}, {each.observed}, '{each.policies[0]}')" for each in fields)
    return f"""
    SELECT r.organization_id, r.project_id, r.id, r.kind, r.name, r.cluster_id, f.field, f.desired, f.observed,
        coalesce(own.policy, every.policy, f.policy) AS policy
    FROM resource r JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind
    JOIN inventory v ON v.cluster_id = r.cluster_id AND v.uid = r.id AND v.kind = r.kind
    LEFT JOIN provider d ON d.cluster_id = r.cluster_id AND d.interface = '{BUILTIN_KINDS[kind].interface}'
    CROSS JOIN LATERAL (VALUES {values}) AS f(field, desired, observed, policy)
    LEFT JOIN drift_policy own ON own.kind = r.kind AND own.field = f.field AND own.driver = d.driver
    LEFT JOIN drift_policy every ON every.kind = r.kind AND every.field = f.field AND every.driver = '*'
    WHERE r.kind = '{kind}' {only} AND ({" OR ".join(map(_differs, fields))})
        AND f.observed IS NOT NULL AND f.observed <> 'null' AND f.desired IS DISTINCT FROM f.observed AND {_AT_REST}
    """


def _every_kind(only: str = "") -> str:
    return " UNION ALL ".join(_of_kind(kind, only) for kind in dict.fromkeys(each.kind for each in COMPARABLE))


# What may have come to differ, or to differ no more, since then.
_CHANGED: Final = """
changed AS MATERIALIZED (
    SELECT v.uid AS id FROM inventory v WHERE v.changed_at > CAST(:since AS timestamptz)
    UNION SELECT d.resource_id FROM drift d WHERE d.ended_at IS NULL
)
"""
# Ordered by time, as RFC 9562 has it (version 7).
_NEW_ID: Final = """CAST(lpad(to_hex(CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)), 12, '0') || '7'
        || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 3) || '8'
        || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 15) AS uuid)"""
# One snapshot for all of it: what is new is recorded, what lasts is brought up to date, and what is gone is ended: when
# the object shows again what is desired, or when nobody desires anything of it any more.
_NOTE: Final = f"""
fresh AS (
    INSERT INTO drift (id, organization_id, project_id, resource_id, cluster_id, kind, field, desired, observed, policy)
    SELECT {_NEW_ID}, x.organization_id, x.project_id, x.id, x.cluster_id, x.kind, x.field, x.desired, x.observed,
        x.policy FROM found x
    WHERE NOT EXISTS (SELECT FROM drift d WHERE d.resource_id = x.id AND d.field = x.field AND d.ended_at IS NULL)
    ORDER BY x.id, x.field LIMIT :limit
    ON CONFLICT (resource_id, field) WHERE ended_at IS NULL DO NOTHING
    RETURNING resource_id, field
),
moved AS (
    UPDATE drift d SET desired = x.desired, observed = x.observed, policy = x.policy FROM found x
    WHERE d.resource_id = x.id AND d.field = x.field AND d.ended_at IS NULL
        AND (d.desired, d.observed, d.policy) IS DISTINCT FROM (x.desired, x.observed, x.policy)
),
over AS (
    UPDATE drift d SET ended_at = clock_timestamp() FROM resource r
    WHERE d.ended_at IS NULL AND r.organization_id = d.organization_id AND r.id = d.resource_id
        AND NOT EXISTS (SELECT FROM found x WHERE x.id = d.resource_id AND x.field = d.field)
        AND (r.deleted_at IS NOT NULL OR EXISTS (
            SELECT FROM inventory_report p JOIN inventory v ON v.cluster_id = p.cluster_id AND v.kind = p.kind
            WHERE p.cluster_id = r.cluster_id AND p.kind = r.kind AND v.uid = r.id AND {_AT_REST}))
    RETURNING d.organization_id, d.project_id, d.resource_id, d.kind, r.name, d.cluster_id, d.field, d.desired,
        d.observed, d.policy
)
SELECT x.*, false AS is_over FROM found x JOIN fresh ON fresh.resource_id = x.id AND fresh.field = x.field
UNION ALL SELECT over.*, true FROM over
"""
_NOTE_ALL: Final = text(f"WITH found AS MATERIALIZED ({_every_kind()}), {_NOTE}")
_NOTE_CHANGED: Final = text(
    f"WITH {_CHANGED}, found AS MATERIALIZED ({_every_kind('AND r.id = ANY(ARRAY(SELECT id FROM changed))')}), {_NOTE}"
)
# Lasting differences of resources at rest, but for those that a person has been told of already. What changed after
# the round began has to be compared again first.
_LASTING: Final = text(f"""
SELECT d.id AS drift_id, d.organization_id, d.project_id, d.resource_id AS id, d.kind, r.name, d.cluster_id, d.field,
    d.desired, d.observed, d.policy, d.corrections + (SELECT coalesce(sum(e.corrections), 0)::int FROM drift e
        WHERE e.resource_id = d.resource_id AND e.field = d.field AND e.ended_at > clock_timestamp() - interval '1 hour'
    ) AS corrections
FROM drift d JOIN resource r ON r.organization_id = d.organization_id AND r.id = d.resource_id
JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind
WHERE d.ended_at IS NULL AND r.updated_at < :began AND {_AT_REST}
    AND (CAST(:after AS uuid) IS NULL OR (d.resource_id, d.field) > (CAST(:after AS uuid), :after_field))
    AND NOT (d.policy = 'alert' AND EXISTS (SELECT FROM incident i
        WHERE i.key = '{IncidentKind.DRIFT}:' || d.resource_id || ':' || d.field AND i.status <> 'RESOLVED'
            AND i.detail->'observed' = d.observed AND i.detail->'desired' = d.desired
            AND i.seen_at > clock_timestamp() - interval '10 minutes'))
ORDER BY d.resource_id, d.field LIMIT :limit
""")
_FREE: Final = text(f"""
SELECT r.id FROM resource r WHERE r.id = ANY(:ids) AND r.status IN ('ACTIVE', 'RUNNING', 'STOPPED')
    AND r.deleted_at IS NULL AND {_QUIET} ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
""")
_CORRECTED: Final = text("""
UPDATE drift d SET corrections = d.corrections + 1, job_id = c.job_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS c(id uuid, job_id uuid) WHERE d.id = c.id
""")
_ADOPT: Final = text("""
WITH taken AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t(drift_id uuid, id uuid, field text, observed jsonb,
        storage_gib bigint)
),
adopted AS (
    UPDATE resource r SET spec = r.spec || jsonb_build_object(t.field, t.observed), generation = r.generation + 1,
        observed_generation = r.generation + 1, version = r.version + 1, updated_at = clock_timestamp(),
        status = CASE WHEN t.field = 'power' THEN t.observed #>> '{}' ELSE r.status END,
        quota_usage = CASE WHEN t.storage_gib <> 0 THEN r.quota_usage || jsonb_build_object('storage_gib',
            coalesce((r.quota_usage->>'storage_gib')::bigint, 0) + t.storage_gib) ELSE r.quota_usage END
    FROM taken t WHERE r.id = t.id RETURNING r.*
),
recorded AS (
    INSERT INTO resource_revision (organization_id, project_id, resource_id, kind, generation, status, spec,
        quota_usage)
    SELECT organization_id, project_id, id, kind, generation, status, spec, quota_usage FROM adopted
)
UPDATE drift d SET ended_at = clock_timestamp() FROM taken t WHERE d.id = t.drift_id
""")
_TRY: Final = text("SELECT pg_try_advisory_xact_lock(:lock), clock_timestamp()")
_SINCE: Final = text("SELECT w.looked_at FROM watermark w WHERE w.name = 'comparison'")
_FULL_IS_DUE: Final = text("""
SELECT NOT EXISTS (SELECT FROM watermark w
    WHERE w.name = 'full-comparison' AND w.looked_at > clock_timestamp() - make_interval(secs => :seconds))
""")
_LOOKED: Final = text("""
INSERT INTO watermark (name, looked_at) VALUES (:name, :now)
ON CONFLICT (name) DO UPDATE SET looked_at = excluded.looked_at
""")
_DUPLICATES: Final = text("""
SELECT v.uid, array_agg(DISTINCT c.name) AS clusters, array_agg(DISTINCT v.kind) AS kinds
FROM inventory v JOIN cluster c ON c.id = v.cluster_id
GROUP BY v.uid HAVING count(*) > 1 ORDER BY v.uid LIMIT :limit
""")
_CLOSE_LEAKS: Final = text("""
WITH gone AS (
    UPDATE leak l SET resolved_at = clock_timestamp(), resolved_by = 'reconciler',
        note = 'the cluster does not have it'
    FROM inventory_report p WHERE l.resolved_at IS NULL AND p.cluster_id = l.cluster_id AND p.kind = l.kind
        AND p.taken_at > l.found_at + interval '5 seconds'
        AND NOT EXISTS (SELECT FROM inventory v WHERE v.cluster_id = l.cluster_id AND v.uid = l.resource_id)
    RETURNING l.id, l.resource_id
)
SELECT DISTINCT g.resource_id FROM gone g WHERE NOT EXISTS (SELECT FROM leak o
    WHERE o.resource_id = g.resource_id AND o.resolved_at IS NULL AND o.id NOT IN (SELECT id FROM gone))
""")

_PAGE: Final = text("""
SELECT d.*, r.name, c.name AS cluster FROM drift d
JOIN resource r ON r.organization_id = d.organization_id AND r.id = d.resource_id
LEFT JOIN cluster c ON c.id = d.cluster_id
WHERE (NOT :open OR d.ended_at IS NULL) AND (CAST(:resource AS uuid) IS NULL OR d.resource_id = :resource)
    AND (CAST(:after AS uuid) IS NULL OR d.id < :after)
ORDER BY d.id DESC LIMIT :limit
""")
_POLICIES: Final = text("SELECT p.kind, p.field, p.driver, p.policy FROM drift_policy p LIMIT 10000")
_SET_POLICY: Final = text("""
INSERT INTO drift_policy (kind, field, driver, policy) VALUES (:kind, :field, :driver, :policy)
ON CONFLICT (kind, field, driver) DO UPDATE SET policy = excluded.policy, updated_at = clock_timestamp()
""")
_RESET_POLICY: Final = text(
    "DELETE FROM drift_policy p WHERE p.kind = :kind AND p.field = :field AND p.driver = :driver"
)


def begin_round(connection: Connection) -> Any:
    """Return the database's time when this round may go on, None while another is at it."""
    mine, now = connection.execute(_TRY, {"lock": _ROUND}).one()
    return now if mine else None


def looked_at(connection: Connection) -> Any:
    """Return when the last round looked, None before the first."""
    return connection.execute(_SINCE).scalar_one_or_none()


def full_is_due(connection: Connection, seconds: float) -> bool:
    """Tell whether everything was not compared to the end for ``seconds``, by any reconciler."""
    return bool(connection.execute(_FULL_IS_DUE, {"seconds": seconds}).scalar_one())


def note_look(connection: Connection, now: Any) -> None:
    """Write when this round looked."""
    connection.execute(_LOOKED, {"name": "comparison", "now": now})


def note_full(connection: Connection, now: Any) -> None:
    """Write when the round began that has compared everything."""
    connection.execute(_LOOKED, {"name": "full-comparison", "now": now})


def note(connection: Connection, *, since: Any, limit: int) -> tuple[_Rows, _Rows]:
    """Compare, record what differs anew, and end what differs no more.

    Args:
        since: compares what has changed since then, everything if None.
        limit: new differences at once; those beyond are found the next time.

    Returns:
        The new differences and the ended ones, each as ``{organization_id, project_id, id, kind, name, cluster_id,
        field, desired, observed, policy}``.
    """
    statement, parameters = (_NOTE_ALL, {}) if since is None else (_NOTE_CHANGED, {"since": since})
    rows = [row._asdict() for row in connection.execute(statement, {**parameters, "limit": limit})]
    return [row for row in rows if not row["is_over"]], [row for row in rows if row["is_over"]]


def lasting(connection: Connection, *, began: Any, after: tuple[UUID, str] | None, limit: int) -> _Rows:
    """Return a page of the differences that something may have to be done about, by resource and field.

    Args:
        began: when the round began on the database's clock.
        after: resource and field of the last one of the page before.
        limit: differences at once.

    Returns:
        Each as :func:`note` has it, with ``drift_id`` and how often it was corrected in an hour (``corrections``).
    """
    resource, field = after or (None, "")
    parameters = {"began": began, "after": resource, "after_field": field, "limit": limit}
    return [row._asdict() for row in connection.execute(_LASTING, parameters)]


def lock_free(connection: Connection, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Lock and return those resources that are at rest and that nobody works on."""
    return frozenset(connection.execute(_FREE, {"ids": list(ids)}).scalars())


def note_corrections(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write which jobs (``{id, job_id}``) correct which differences."""
    connection.execute(_CORRECTED, {"rows": dump_json(rows)})


def adopt(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make what is observed what is desired and end the difference.

    Args:
        rows: ``{drift_id, id, field, observed, storage_gib}``, the last being what the resource holds more; no more
            than one field of a resource.
    """
    connection.execute(_ADOPT, {"rows": dump_json(rows)})


def duplicates(connection: Connection, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return marks that several objects carry."""
    return [row._asdict() for row in connection.execute(_DUPLICATES, {"limit": limit})]


def close_leaks(connection: Connection) -> Sequence[UUID]:
    """Close leaks whose cluster shows no such object any more; return resources that have no open one left."""
    return list(connection.execute(_CLOSE_LEAKS).scalars())


def page(
    connection: Connection, *, only_open: bool, resource_id: UUID | None, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return up to ``limit`` differences before the id ``after``, newest first."""
    parameters = {"open": only_open, "resource": resource_id, "after": after, "limit": limit}
    return [row._asdict() for row in connection.execute(_PAGE, parameters)]


def policies(connection: Connection) -> list[dict[str, Any]]:
    """Return what operators have set."""
    return [row._asdict() for row in connection.execute(_POLICIES)]


def set_policy(connection: Connection, *, kind: str, field: str, driver: str, policy: str) -> None:
    """Write what is done about differences of a field."""
    connection.execute(_SET_POLICY, {"kind": kind, "field": field, "driver": driver, "policy": policy})


def reset_policy(connection: Connection, *, kind: str, field: str, driver: str) -> bool:
    """Forget what was set; return whether anything was."""
    return connection.execute(_RESET_POLICY, {"kind": kind, "field": field, "driver": driver}).rowcount > 0
