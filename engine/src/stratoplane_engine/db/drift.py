# SPDX-License-Identifier: Apache-2.0
"""Differences in the database: found by comparing everything or what has changed, recorded, and ended."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from stratoplane.incidents import IncidentKind
from stratoplane_engine.db.at_rest import HAS_NO_JOB, IS_LISTED_SINCE, IS_SETTLED
from stratoplane_engine.db.connection import Connection, dump_json, read_all
from stratoplane_engine.db.drift_fields import differences
from stratoplane_engine.db.keyset import newest_first
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.drift import (
    Adoption,
    ComparedKind,
    Difference,
    Drift,
    DriftFilter,
    PolicyKey,
    PolicySetting,
    RecordedDifferences,
)

_ROUND: Final = 0x5354_5243  # "STRC": one round at a time
_AT_REST: Final = f"{IS_SETTLED} AND {IS_LISTED_SINCE} AND {HAS_NO_JOB}"

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
_RECORD: Final = f"""
new AS (
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
ended AS (
    UPDATE drift d SET ended_at = clock_timestamp() FROM resource r
    WHERE d.ended_at IS NULL AND r.organization_id = d.organization_id AND r.id = d.resource_id
        AND NOT EXISTS (SELECT FROM found x WHERE x.id = d.resource_id AND x.field = d.field)
        AND (r.deleted_at IS NOT NULL OR EXISTS (
            SELECT FROM inventory_report p JOIN inventory v ON v.cluster_id = p.cluster_id AND v.kind = p.kind
            WHERE p.cluster_id = r.cluster_id AND p.kind = r.kind AND v.uid = r.id AND {_AT_REST}))
    RETURNING d.organization_id, d.project_id, d.resource_id, d.kind, r.name, d.cluster_id, d.field, d.desired,
        d.observed, d.policy
)
SELECT x.*, false AS is_ended FROM found x JOIN new ON new.resource_id = x.id AND new.field = x.field
UNION ALL SELECT ended.*, true FROM ended
"""
# Lasting differences of resources at rest, but for those that a person has been told of already. What changed after
# the round began has to be compared again first.
_LASTING: Final = Statement(f"""
SELECT d.id AS drift_id, d.organization_id, d.project_id, d.resource_id AS id, d.kind, r.name, d.cluster_id, d.field,
    d.desired, d.observed, d.policy, r.observed AS shown,
    d.corrections + (SELECT coalesce(sum(e.corrections), 0)::int FROM drift e
        WHERE e.resource_id = d.resource_id AND e.field = d.field AND e.ended_at > clock_timestamp() - interval '1 hour'
    ) AS corrections
FROM drift d JOIN resource r ON r.organization_id = d.organization_id AND r.id = d.resource_id
JOIN inventory_report p ON p.cluster_id = r.cluster_id AND p.kind = r.kind
JOIN inventory v ON v.cluster_id = r.cluster_id AND v.kind = r.kind AND v.uid = r.id
WHERE d.ended_at IS NULL AND r.updated_at < :began AND d.kind = ANY(:kinds) AND {_AT_REST}
    AND (CAST(:after AS uuid) IS NULL OR (d.resource_id, d.field) > (CAST(:after AS uuid), :after_field))
    AND NOT (d.policy = 'alert' AND EXISTS (SELECT FROM incident i
        WHERE i.key = '{IncidentKind.DRIFT}:' || d.resource_id || ':' || d.field AND i.status <> 'RESOLVED'
            AND i.detail->'observed' = d.observed AND i.detail->'desired' = d.desired
            AND i.seen_at > clock_timestamp() - interval '10 minutes'))
ORDER BY d.resource_id, d.field LIMIT :limit
""")
_LOCK: Final = Statement(f"""
SELECT r.id FROM resource r WHERE r.id = ANY(:ids) AND {IS_SETTLED} AND {HAS_NO_JOB}
    ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
""")
_CORRECTED: Final = Statement("""
UPDATE drift d SET corrections = d.corrections + 1, job_id = c.job_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS c(id uuid, job_id uuid) WHERE d.id = c.id
""")
_ADOPT: Final = Statement("""
WITH taken AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t(drift_id uuid, id uuid, field text, observed jsonb,
        storage_gib bigint, status text)
),
adopted AS (
    UPDATE resource r SET spec = r.spec || jsonb_build_object(t.field, t.observed), generation = r.generation + 1,
        observed_generation = r.generation + 1, version = r.version + 1, updated_at = clock_timestamp(),
        status = t.status, observed = r.observed || jsonb_build_object(t.field, t.observed),
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
_BEGIN: Final = Statement("SELECT CASE WHEN pg_try_advisory_xact_lock(:lock) THEN clock_timestamp() END AS now")
_COMPARED_AT: Final = Statement("SELECT w.looked_at FROM watermark w WHERE w.name = 'comparison'")
_FULL_IS_DUE: Final = Statement("""
SELECT NOT EXISTS (SELECT FROM watermark w
    WHERE w.name = 'full-comparison' AND w.looked_at > clock_timestamp() - make_interval(secs => :seconds))
""")
_MARK: Final = Statement("""
INSERT INTO watermark (name, looked_at) VALUES (:name, :now)
ON CONFLICT (name) DO UPDATE SET looked_at = excluded.looked_at
""")
_DRIFT: Final = """
SELECT t.*, r.name, c.name AS cluster FROM drift t
JOIN resource r ON r.organization_id = t.organization_id AND r.id = t.resource_id
LEFT JOIN cluster c ON c.id = t.cluster_id
"""
_POLICIES: Final = Statement("SELECT p.kind, p.field, p.driver, p.policy FROM drift_policy p LIMIT 10000")
_SET_POLICY: Final = Statement("""
INSERT INTO drift_policy (kind, field, driver, policy) VALUES (:kind, :field, :driver, :policy)
ON CONFLICT (kind, field, driver) DO UPDATE SET policy = excluded.policy, updated_at = clock_timestamp()
""")
_RESET_POLICY: Final = Statement(
    "DELETE FROM drift_policy p WHERE p.kind = :kind AND p.field = :field AND p.driver = :driver"
)


@functools.lru_cache(maxsize=16)
def _record_all(kinds: tuple[ComparedKind, ...]) -> Statement:
    return Statement(f"WITH found AS MATERIALIZED ({differences(kinds)}), {_RECORD}")


@functools.lru_cache(maxsize=16)
def _record_changed(kinds: tuple[ComparedKind, ...]) -> Statement:
    found = differences(kinds, "AND r.id = ANY(ARRAY(SELECT id FROM changed))")
    return Statement(f"WITH {_CHANGED}, found AS MATERIALIZED ({found}), {_RECORD}")


def begin_round(connection: Connection) -> datetime | None:
    """Return the database's time when this round may go on, None while another reconciler compares."""
    return connection.value(datetime, _BEGIN, {"lock": _ROUND})


def compared_at(connection: Connection) -> datetime | None:
    """Return when the last round compared, None before the first."""
    return connection.value(datetime, _COMPARED_AT)


def is_full_due(connection: Connection, seconds: float) -> bool:
    """Tell whether everything was not compared to the end for ``seconds``, by any reconciler."""
    return bool(connection.value(bool, _FULL_IS_DUE, {"seconds": seconds}))


def mark_compared(connection: Connection, began: datetime) -> None:
    """Write when the round began that has compared what had changed."""
    connection.run(_MARK, {"name": "comparison", "now": began})


def mark_full(connection: Connection, began: datetime) -> None:
    """Write when the round began that has compared everything."""
    connection.run(_MARK, {"name": "full-comparison", "now": began})


def record(
    connection: Connection, kinds: tuple[ComparedKind, ...], *, since: datetime | None, limit: int
) -> RecordedDifferences:
    """Compare, record new differences, bring those that last up to date, and end those that are gone.

    Args:
        connection: compares and writes, in one statement.
        kinds: what is compared.
        since: compares what has changed since then, everything if None.
        limit: new differences at once; those beyond are found the next time.
    """
    if since is None:
        rows = connection.documents(_record_all(kinds), {"limit": limit})
    else:
        rows = connection.documents(_record_changed(kinds), {"since": since, "limit": limit})
    return RecordedDifferences(
        new=tuple(read_all(Difference, [row for row in rows if not row["is_ended"]])),
        ended=tuple(read_all(Difference, [row for row in rows if row["is_ended"]])),
    )


def lasting(connection: Connection, *, began: datetime, after: Difference | None, limit: int) -> list[Difference]:
    """Return a page of the differences that something may have to be done about, by resource and field.

    Args:
        connection: reads.
        began: when the round began on the database's clock.
        after: the last difference of the page before.
        limit: differences at once.
    """
    place = {"after": None, "after_field": ""} if after is None else {"after": after.id, "after_field": after.field}
    # What to do about a kind, its plugin knows alone: while that is disabled, its differences wait.
    kinds = [kind.name for kind in connection.kinds.clustered]
    return connection.all(Difference, _LASTING, {"began": began, "limit": limit, "kinds": kinds, **place})


def lock_at_rest(connection: Connection, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Lock and return those resources that are at rest and have no live job."""
    return frozenset(connection.values(UUID, _LOCK, {"ids": list(ids)})) if ids else frozenset()


def mark_corrections(connection: Connection, jobs: Sequence[tuple[UUID, UUID]]) -> None:
    """Write which job (the second of each pair) corrects which difference (the first)."""
    rows = [{"id": drift_id, "job_id": job_id} for drift_id, job_id in jobs]
    connection.run(_CORRECTED, {"rows": dump_json(rows)})


def adopt(connection: Connection, adoptions: Sequence[Adoption]) -> None:
    """Make what is observed what is desired and end the differences; no more than one field of a resource."""
    connection.run(_ADOPT, {"rows": dump_json(adoptions)})


def list_drift(connection: Connection, wanted: DriftFilter, *, before: UUID | None = None, limit: int) -> list[Drift]:
    """Return up to ``limit`` differences before the id ``before``, newest first."""
    conditions = {
        "(t.ended_at IS NULL) = :value": True if wanted.only_open else None,
        "t.resource_id = :value": wanted.resource_id,
    }
    return newest_first(connection, Drift, _DRIFT, conditions, before=before, limit=limit)


def policies(connection: Connection) -> list[PolicySetting]:
    """Return what operators have set."""
    return connection.all(PolicySetting, _POLICIES)


def set_policy(connection: Connection, setting: PolicySetting) -> None:
    """Write the drift policy of a field."""
    key = {"kind": setting.kind, "field": setting.field, "driver": setting.driver}
    connection.run(_SET_POLICY, {**key, "policy": setting.policy})


def reset_policy(connection: Connection, key: PolicyKey) -> bool:
    """Delete what was set; return whether anything was."""
    return connection.run(_RESET_POLICY, {"kind": key.kind, "field": key.field, "driver": key.driver}) > 0
