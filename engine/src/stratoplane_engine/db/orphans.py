# SPDX-License-Identifier: Apache-2.0
"""Orphans: listed objects that carry the platform's mark and belong to no resource."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.job_states import LIVE_STATES
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.drift import Orphan

LISTED: Final = """
SELECT v.cluster_id, c.name AS cluster, v.uid, v.kind, coalesce(v.status->>'name', '') AS name, v.status, v.others,
    v.first_seen_at
FROM inventory v JOIN cluster c ON c.id = v.cluster_id
JOIN inventory_report p ON p.cluster_id = v.cluster_id AND p.kind = v.kind
LEFT JOIN resource r ON r.id = v.uid AND r.cluster_id = v.cluster_id AND r.kind = v.kind
"""
"""Listed objects ``v``, each with the record ``r`` of its resource, if there is one."""
# An object whose resource is on another cluster that lists it, too, is a duplicate.
IS_ORPHAN: Final = """
(r.id IS NULL OR r.deleted_at < p.taken_at - interval '5 seconds')
    AND NOT EXISTS (SELECT FROM resource o JOIN inventory w ON w.cluster_id = o.cluster_id AND w.uid = o.id
        WHERE o.id = v.uid AND o.cluster_id <> v.cluster_id AND o.deleted_at IS NULL)
"""
"""The listed object belongs to no resource: none is known, or it was deleted before the object was listed."""
_PAGE: Final = Statement(f"""
{LISTED} WHERE {IS_ORPHAN}
    AND (CAST(:cluster AS uuid) IS NULL OR (v.cluster_id, v.uid) > (CAST(:cluster AS uuid), CAST(:uid AS uuid)))
ORDER BY v.cluster_id, v.uid LIMIT :limit
""")
_GET: Final = Statement(f"""
SELECT l.*, o.organization_id, o.project_id, o.cluster_id AS home_id, o.kind AS home_kind,
    coalesce(o.generation, 0) AS generation, o.id IS NOT NULL AND o.deleted_at IS NULL AS is_live,
    (SELECT a.name FROM cluster a WHERE a.id = o.cluster_id) AS home,
    (SELECT j.id FROM job j WHERE j.resource_id = l.uid AND j.state IN {LIVE_STATES} LIMIT 1) AS job_id
FROM ({LISTED} WHERE v.cluster_id = :cluster AND v.uid = :uid AND {IS_ORPHAN}) AS l
LEFT JOIN resource o ON o.id = l.uid
""")
_HOME: Final = Statement("""
SELECT p.id FROM project p WHERE p.organization_id = :organization AND p.name = :name AND p.deleted_at IS NULL
""")
# Deleted before it was listed, so that the object stays listed as an orphan until it is gone.
_RECORD_DELETED: Final = Statement("""
INSERT INTO resource (id, organization_id, project_id, kind, name, status, cluster_id, deleted_at)
VALUES (:uid, :organization, :project, :kind, :name, 'DELETED', :cluster,
    CAST(:seen AS timestamptz) - interval '1 minute')
ON CONFLICT (id) DO NOTHING
""")
# Whoever clears an orphan holds its record, so that one job at a time does.
_HOLD: Final = Statement("""
SELECT r.id FROM resource r WHERE r.id = :uid AND r.organization_id = :organization AND r.deleted_at IS NOT NULL
FOR NO KEY UPDATE OF r
""")
_JOB: Final = Statement(f"SELECT j.id FROM job j WHERE j.resource_id = :uid AND j.state IN {LIVE_STATES} LIMIT 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrphanRecord(Orphan):
    """An orphan with what is on record under its id.

    Attributes:
        organization_id, project_id, home_id, home_kind: of the record; None when nothing was ever known of it.
        home: name of the record's cluster.
        generation: of the record, 0 without one.
        is_live: whether the record is that of a resource on another cluster, or of another kind.
        job_id: a job that works on it.
        others: the provider's ids of further objects with the same mark.
    """

    organization_id: UUID | None
    project_id: UUID | None
    home_id: UUID | None
    home_kind: str | None
    home: str | None
    generation: int
    is_live: bool
    job_id: UUID | None
    others: tuple[str, ...]


def page(connection: Connection, *, limit: int, after: tuple[UUID, UUID] | None = None) -> list[Orphan]:
    """Return a page of orphans, by cluster and mark.

    Args:
        connection: reads.
        limit: objects at once.
        after: cluster and mark of the last one of the page before.
    """
    cluster, uid = after or (None, None)
    return connection.all(Orphan, _PAGE, {"limit": limit, "cluster": cluster, "uid": uid})


def get(connection: Connection, cluster_id: UUID, uid: UUID) -> OrphanRecord | None:
    """Return one orphan of a cluster, None when the cluster lists none of this id."""
    return connection.first(OrphanRecord, _GET, {"cluster": cluster_id, "uid": uid})


def home(connection: Connection, organization_id: UUID, name: str) -> UUID | None:
    """Return the project of this name, None when there is none yet."""
    return connection.value(UUID, _HOME, {"organization": organization_id, "name": name})


def record_deleted(connection: Connection, orphan: Orphan, organization_id: UUID, project_id: UUID) -> None:
    """Record the object as a deleted resource, for a job to be about, unless there is a record already."""
    parameters: Mapping[str, object] = {
        "uid": orphan.uid,
        "organization": organization_id,
        "project": project_id,
        "kind": orphan.kind,
        "name": orphan.name or str(orphan.uid),
        "cluster": orphan.cluster_id,
        "seen": orphan.first_seen_at,
    }
    connection.run(_RECORD_DELETED, parameters)


def hold(connection: Connection, organization_id: UUID, uid: UUID) -> bool:
    """Lock the record of a deleted resource until the transaction ends; tell whether there is one in the organization.

    A job that works on it is seen by :func:`job_of` only after this.
    """
    return connection.value(UUID, _HOLD, {"organization": organization_id, "uid": uid}) is not None


def job_of(connection: Connection, uid: UUID) -> UUID | None:
    """Return the live job of a resource, None when there is none."""
    return connection.value(UUID, _JOB, {"uid": uid})
