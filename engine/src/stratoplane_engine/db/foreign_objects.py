# SPDX-License-Identifier: Apache-2.0
"""Objects of clusters that carry no mark of ours, as agents list them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json

_REPLACE: Final = text("""
WITH seen AS MATERIALIZED (
    SELECT DISTINCT ON (f.reference) f.reference, f.name, f.status
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS f(reference text, name text, status jsonb)
    ORDER BY f.reference
),
gone AS (
    DELETE FROM foreign_object o WHERE o.cluster_id = :cluster AND o.kind = :kind
        AND NOT EXISTS (SELECT FROM seen s WHERE s.reference = o.reference)
)
INSERT INTO foreign_object (cluster_id, kind, reference, name, status)
SELECT :cluster, :kind, s.reference, s.name, s.status FROM seen s
ON CONFLICT (cluster_id, kind, reference) DO UPDATE SET name = EXCLUDED.name, status = EXCLUDED.status,
    seen_at = clock_timestamp()
""")
_PAGE: Final = text("""
SELECT f.*, c.name AS cluster FROM foreign_object f JOIN cluster c ON c.id = f.cluster_id
WHERE (CAST(:of_cluster AS uuid) IS NULL OR f.cluster_id = :of_cluster)
    AND (CAST(:of_kind AS text) IS NULL OR f.kind = :of_kind)
    AND (CAST(:after_cluster AS uuid) IS NULL
        OR (f.cluster_id, f.kind, f.reference) > (CAST(:after_cluster AS uuid), :after_kind, :after_reference))
ORDER BY f.cluster_id, f.kind, f.reference LIMIT :limit
""")
_GET: Final = text("""
SELECT f.*, c.name AS cluster, (SELECT p.organization_id FROM project p WHERE p.id = :project) AS organization_id,
    (SELECT j.id FROM job j WHERE j.cluster_id = f.cluster_id AND j.kind = f.kind || '.adopt'
        AND j.state IN ('PENDING', 'RUNNING', 'RETRYING') AND j.input->>'reference' = f.reference LIMIT 1) AS job_id
FROM foreign_object f JOIN cluster c ON c.id = f.cluster_id
WHERE f.cluster_id = :cluster AND f.kind = :kind AND f.reference = :reference
""")


def replace(connection: Connection, cluster_id: UUID, kind: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Write which foreign objects of a kind the cluster has; those that are no longer listed are forgotten."""
    connection.execute(_REPLACE, {"cluster": cluster_id, "kind": kind, "items": dump_json(items)})


def page(
    connection: Connection,
    *,
    cluster_id: UUID | None,
    kind: str | None,
    after: tuple[UUID, str, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return up to ``limit`` objects after the key ``after`` (cluster, kind, reference), in the order of the key."""
    cluster, of_kind, reference = after or (None, "", "")
    parameters = {
        "of_cluster": cluster_id,
        "of_kind": kind,
        "after_cluster": cluster,
        "after_kind": of_kind,
        "after_reference": reference,
        "limit": limit,
    }
    return [row._asdict() for row in connection.execute(_PAGE, parameters)]


def get(
    connection: Connection, *, cluster_id: UUID, kind: str, reference: str, project_id: UUID
) -> dict[str, Any] | None:
    """Return one object, None when there is none.

    Returns:
        The row, with the ``organization_id`` of the project and the ``job_id`` that adopts the object already.
    """
    parameters = {"cluster": cluster_id, "kind": kind, "reference": reference, "project": project_id}
    found = connection.execute(_GET, parameters).one_or_none()
    return found._asdict() if found else None
