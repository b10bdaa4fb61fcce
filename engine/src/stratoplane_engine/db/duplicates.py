# SPDX-License-Identifier: Apache-2.0
"""One mark on several objects, and clusters that show the same objects because they serve one provider."""

from typing import Final

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.drift import Duplicate, SharedProvider

SHARED: Final = """
held AS (SELECT v.cluster_id, v.kind, count(*) AS objects FROM inventory v GROUP BY v.cluster_id, v.kind),
met AS (
    SELECT v.cluster_id AS first, w.cluster_id AS second, v.kind, count(*) AS objects
    FROM inventory v JOIN inventory w ON w.uid = v.uid AND w.kind = v.kind AND w.cluster_id > v.cluster_id
        AND w.status->>'provider_reference' = v.status->>'provider_reference'
    GROUP BY v.cluster_id, w.cluster_id, v.kind
),
shared AS MATERIALIZED (
    SELECT m.* FROM met m JOIN held a ON a.cluster_id = m.first AND a.kind = m.kind AND a.objects = m.objects
        JOIN held b ON b.cluster_id = m.second AND b.kind = m.kind AND b.objects = m.objects
)
"""
"""Pairs of clusters of which each lists every object of a kind that the other lists, by the same provider's id."""
DUPLICATED: Final = f"""
{SHARED},
duplicated AS MATERIALIZED (
    SELECT v.uid FROM inventory v WHERE v.others <> '[]'
    UNION
    SELECT v.uid FROM inventory v JOIN inventory w ON w.uid = v.uid AND w.cluster_id > v.cluster_id
    LEFT JOIN shared s ON s.first = v.cluster_id AND s.second = w.cluster_id AND s.kind = v.kind AND s.kind = w.kind
    WHERE s.kind IS NULL
)
"""
"""Those, and duplicates: marks on more than one object, but for what such a pair lists."""
_DUPLICATES: Final = Statement(f"""
WITH {DUPLICATED}
SELECT d.uid, array_agg(DISTINCT c.name) AS clusters, array_agg(DISTINCT v.kind) AS kinds,
    array_remove(array_agg(DISTINCT o.reference), NULL) AS references
FROM (SELECT uid FROM duplicated ORDER BY uid LIMIT :limit) AS d
JOIN inventory v ON v.uid = d.uid JOIN cluster c ON c.id = v.cluster_id
CROSS JOIN LATERAL (SELECT v.status->>'provider_reference' AS reference
    UNION SELECT jsonb_array_elements_text(v.others)) AS o
GROUP BY d.uid ORDER BY d.uid
""")
_SHARED: Final = Statement(f"""
WITH {SHARED}
SELECT s.first AS cluster_id, s.second AS other_cluster_id, a.name AS cluster, b.name AS other_cluster,
    sum(s.objects)::int AS objects, array_agg(s.kind ORDER BY s.kind) AS kinds
FROM shared s JOIN cluster a ON a.id = s.first JOIN cluster b ON b.id = s.second
GROUP BY s.first, s.second, a.name, b.name ORDER BY s.first, s.second LIMIT :limit
""")


def duplicates(connection: Connection, limit: int) -> list[Duplicate]:
    """Return marks that several objects carry, but not those that clusters with one provider both list."""
    return connection.all(Duplicate, _DUPLICATES, {"limit": limit})


def shared_providers(connection: Connection, limit: int) -> list[SharedProvider]:
    """Return pairs of clusters that serve one provider."""
    return connection.all(SharedProvider, _SHARED, {"limit": limit})
