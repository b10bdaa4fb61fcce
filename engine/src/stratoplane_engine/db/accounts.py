# SPDX-License-Identifier: Apache-2.0
"""What quotas have in use and clusters have claimed, changed without a look at limits: what is there counts."""

from collections.abc import Sequence
from typing import Final

from stratoplane_engine.accounting import ClaimChange, QuotaChange
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement

_RETURN_QUOTA: Final = Statement("""
WITH change AS MATERIALIZED (
    SELECT c.organization_id, c.scope_id, c.key, sum(c.amount) AS amount
    FROM jsonb_to_recordset(CAST(:quota AS jsonb)) AS c(organization_id uuid, scope_id uuid, key text, amount bigint)
    GROUP BY c.organization_id, c.scope_id, c.key
),
locked AS MATERIALIZED (
    SELECT q.organization_id, q.scope_id, q.key, c.amount FROM quota q
    JOIN change c USING (organization_id, scope_id, key)
    ORDER BY q.scope_id, q.key FOR UPDATE OF q
)
UPDATE quota q SET used = q.used + l.amount FROM locked l
WHERE q.organization_id = l.organization_id AND q.scope_id = l.scope_id AND q.key = l.key
""")
_RETURN_CLAIMS: Final = Statement("""
WITH change AS MATERIALIZED (
    SELECT c.cluster_id, sum(c.vcpus) AS vcpus, sum(c.memory_mib) AS memory_mib, sum(c.storage_gib) AS storage_gib
    FROM jsonb_to_recordset(CAST(:claims AS jsonb)) AS c(cluster_id uuid,
        vcpus bigint, memory_mib bigint, storage_gib bigint)
    GROUP BY c.cluster_id
),
locked AS MATERIALIZED (
    SELECT c.id FROM cluster c JOIN change ON change.cluster_id = c.id ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE cluster c SET vcpus_claimed = c.vcpus_claimed + change.vcpus,
    memory_mib_claimed = c.memory_mib_claimed + change.memory_mib,
    storage_gib_claimed = c.storage_gib_claimed + change.storage_gib
FROM change JOIN locked ON locked.id = change.cluster_id WHERE c.id = change.cluster_id
""")


def give_back(connection: Connection, quota: Sequence[QuotaChange], claims: Sequence[ClaimChange]) -> None:
    """Change quotas and clusters' claims by the given amounts (negative gives back), before the next statement."""
    if quota:
        connection.defer(_RETURN_QUOTA, {"quota": dump_json(quota)})
    if claims:
        connection.defer(_RETURN_CLAIMS, {"claims": dump_json(claims)})
