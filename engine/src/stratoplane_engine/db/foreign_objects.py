# SPDX-License-Identifier: Apache-2.0
"""Objects of clusters that do not carry the platform's mark, as agents list them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.cluster import ForeignObject

_REPLACE: Final = Statement("""
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
_PAGE: Final = Statement("""
SELECT f.*, c.name AS cluster FROM foreign_object f JOIN cluster c ON c.id = f.cluster_id
WHERE (CAST(:of_cluster AS uuid) IS NULL OR f.cluster_id = :of_cluster)
    AND (CAST(:of_kind AS text) IS NULL OR f.kind = :of_kind)
    AND (CAST(:after_cluster AS uuid) IS NULL
        OR (f.cluster_id, f.kind, f.reference) > (CAST(:after_cluster AS uuid), :after_kind, :after_reference))
ORDER BY f.cluster_id, f.kind, f.reference LIMIT :limit
""")
_GET: Final = Statement("""
SELECT f.status, c.name AS cluster,
    (SELECT p.organization_id FROM project p WHERE p.id = :project) AS organization_id,
    (SELECT j.id FROM job j WHERE j.cluster_id = f.cluster_id AND j.kind = f.kind || '.adopt'
        AND j.state IN ('PENDING', 'RUNNING', 'RETRYING') AND j.input->>'reference' = f.reference LIMIT 1) AS job_id
FROM foreign_object f JOIN cluster c ON c.id = f.cluster_id
WHERE f.cluster_id = :cluster AND f.kind = :kind AND f.reference = :reference
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignKey:
    """Which foreign object: ``reference`` is the provider's own id. Lists are in the order of the three."""

    cluster_id: UUID
    kind: str
    reference: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedObject:
    """An object as an agent lists it; ``status`` is JSON values."""

    reference: str
    name: str
    status: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptableObject:
    """A foreign object that a project shall have.

    Attributes:
        organization_id: of the project, None when there is no such project.
        job_id: the job that adopts the object already.
    """

    status: Mapping[str, object]
    cluster: str
    organization_id: UUID | None
    job_id: UUID | None


def replace(connection: Connection, cluster_id: UUID, kind: str, items: Sequence[ListedObject]) -> None:
    """Write which foreign objects of a kind the cluster has; those that are no longer listed are forgotten."""
    connection.run(_REPLACE, {"cluster": cluster_id, "kind": kind, "items": dump_json(items)})


def page(
    connection: Connection, *, cluster_id: UUID | None, kind: str | None, after: ForeignKey | None, limit: int
) -> list[ForeignObject]:
    """Return up to ``limit`` objects after a key, in the order of keys; of one cluster or kind if they are given."""
    parameters = {
        "of_cluster": cluster_id,
        "of_kind": kind,
        "after_cluster": after.cluster_id if after else None,
        "after_kind": after.kind if after else "",
        "after_reference": after.reference if after else "",
        "limit": limit,
    }
    return connection.all(ForeignObject, _PAGE, parameters)


def get(connection: Connection, key: ForeignKey, project_id: UUID) -> AdoptableObject | None:
    """Return one object for a project, None when there is none."""
    parameters = {
        "cluster": key.cluster_id,
        "kind": key.kind,
        "reference": key.reference,
        "project": project_id,
    }
    return connection.first(AdoptableObject, _GET, parameters)
