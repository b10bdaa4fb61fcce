# SPDX-License-Identifier: Apache-2.0
"""Whether the accounts add up: quotas and claims against what the resources take."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.statement import Statement

_TAKEN = Statement("""
SELECT s.scope_id, h.key, CAST(sum(CAST(h.value AS bigint)) AS bigint) AS amount
FROM resource r, jsonb_each_text(r.quota_usage) h,
    LATERAL (VALUES (r.organization_id), (r.project_id)) AS s(scope_id)
WHERE r.organization_id = :organization GROUP BY 1, 2
""")
_LINES = Statement("SELECT scope_id, key, used, limit_amount FROM quota WHERE organization_id = :organization")
_WRONG_CLAIMS = Statement("""
SELECT c.name FROM cluster c CROSS JOIN LATERAL (
    SELECT coalesce(sum(CAST(quota_usage->>'vcpus' AS bigint)), 0) AS vcpus,
        coalesce(sum(CAST(quota_usage->>'memory_mib' AS bigint)), 0) AS memory_mib,
        coalesce(sum(CAST(quota_usage->>'storage_gib' AS bigint)), 0) AS storage_gib
    FROM resource r WHERE r.cluster_id = c.id) taken
WHERE (c.vcpus_claimed, c.memory_mib_claimed, c.storage_gib_claimed)
        <> (taken.vcpus, taken.memory_mib, taken.storage_gib)
    OR taken.vcpus > c.vcpus_total OR taken.memory_mib > c.memory_mib_total OR taken.storage_gib > c.storage_gib_total
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    scope_id: UUID
    key: str
    used: int
    limit_amount: int


def check_ledger(database: Database, organization_id: UUID) -> None:
    """Assert that quotas and claims are what the resources take, counted again, and within their limits."""
    with database.system() as connection:
        _check_quotas(connection, {"organization": organization_id})
        wrong = connection.documents(_WRONG_CLAIMS)
    assert wrong == [], "clusters whose claims are not what their resources take"


def _check_quotas(connection: Connection, organization: dict[str, Any]) -> None:
    lines = connection.all(_Line, _LINES, organization)
    counted = {
        (row["scope_id"], row["key"]): row["amount"]
        for row in connection.documents(_TAKEN, organization)
        if row["amount"]
    }
    assert {(line.scope_id, line.key): line.used for line in lines if line.used} == counted
    assert [line for line in lines if -1 < line.limit_amount < line.used] == []
