# SPDX-License-Identifier: Apache-2.0
"""One statement that looks up everything a create or a change points at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.kinds.draft import Gathered, References, Target

_CLUSTER: Final = f"""
    jsonb_build_object('id', c.id, 'name', c.name, 'state', c.state, 'features', to_jsonb(c.features),
        'online', {is_online("c")},
        'free_vcpus', c.vcpus_total - c.vcpus_claimed,
        'free_memory_mib', c.memory_mib_total - c.memory_mib_claimed,
        'free_storage_gib', c.storage_gib_total - c.storage_gib_claimed)
"""
_TARGET: Final = """
    jsonb_build_object('id', r.id, 'kind', r.kind, 'name', r.name, 'status', r.status, 'project_id', r.project_id,
        'cluster_id', r.cluster_id, 'spec', r.spec,
        'volume_user_id', (SELECT l.source_id FROM resource_link l WHERE l.organization_id = r.organization_id
            AND l.target_id = r.id AND l.role IN ('volume', 'boot_volume')))
"""
OVERLAPS: Final = """
    SELECT jsonb_build_object('name', r.name, 'cidr', r.spec->>'cidr') FROM resource r
    WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = 'network' AND r.deleted_at IS NULL
        AND r.quota_usage <> '{}' AND CAST(r.spec->>'cidr' AS inet) && CAST(:cidr AS inet) LIMIT 1
"""
"""A network whose range overlaps; one that failed to come to be holds nothing and is in nobody's way."""
# Creates of networks in a project go one after the other, or two that overlap would not see each other. The lock is
# weak enough for everything else in the project, which refers to the same row.
_ONE_AT_A_TIME: Final = text("""
SELECT FROM project p WHERE p.organization_id = :organization AND p.id = :project FOR NO KEY UPDATE
""")
_GATHER: Final = text(f"""
WITH fixed AS MATERIALIZED (
    SELECT array_remove(CAST(:cluster_id AS uuid) || ARRAY(SELECT r.cluster_id FROM resource r
        WHERE r.organization_id = :organization AND r.id = ANY(CAST(:targets AS uuid[]))), NULL) AS ids
)
SELECT clock_timestamp() AS now,
    (SELECT p.name FROM project p WHERE p.organization_id = :organization AND p.id = :project
        AND p.deleted_at IS NULL) AS project_name,
    (SELECT jsonb_build_object('fingerprint', i.fingerprint, 'answer', i.answer) FROM idempotency i
        WHERE i.organization_id = :organization AND i.actor_id = :actor AND i.key = :key
        AND i.expires_at > clock_timestamp()) AS stored,
    (SELECT to_jsonb(f) FROM flavor f WHERE (f.name = :flavor OR f.id = CAST(:flavor_id AS uuid))
        AND f.deleted_at IS NULL LIMIT 1) AS flavor,
    (SELECT to_jsonb(m) FROM image m WHERE (m.name = :image OR m.id = CAST(:image_id AS uuid))
        AND m.deleted_at IS NULL LIMIT 1) AS image,
    (SELECT {_TARGET} FROM resource r WHERE r.organization_id = :organization AND r.project_id = :project
        AND r.kind = 'key_pair' AND r.deleted_at IS NULL
        AND (r.name = :key_pair OR r.id = CAST(:key_pair_id AS uuid)) LIMIT 1) AS key_pair,
    (SELECT jsonb_agg({_TARGET}) FROM resource r WHERE r.organization_id = :organization
        AND r.id = ANY(CAST(:targets AS uuid[])) AND r.deleted_at IS NULL) AS targets,
    CASE WHEN CAST(:cidr AS text) IS NOT NULL THEN ({OVERLAPS}) END AS overlapping,
    (SELECT jsonb_agg(cluster) FROM (
        SELECT {_CLUSTER} AS cluster FROM cluster c, fixed
        WHERE c.deleted_at IS NULL AND (c.id = ANY(fixed.ids)
            OR (CAST(:cluster_id AS uuid) IS NULL AND :cluster = '' AND c.state = 'ENABLED'
                AND {is_online("c")})
            OR c.name = :cluster)
        ORDER BY c.id = ANY(fixed.ids) DESC, c.memory_mib_total - c.memory_mib_claimed DESC LIMIT 50) AS near)
        AS clusters
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the gathering statement found.

    Attributes:
        now: the database's clock; every time of the acceptance is this one.
        project_name: None when the project does not exist here.
        stored: an earlier answer under the caller's idempotency key.
        clusters: candidates for placement and the clusters of the linked resources.
    """

    now: datetime
    project_name: str | None
    stored: Mapping[str, Any] | None
    clusters: tuple[Mapping[str, Any], ...]
    gathered: Gathered


def _uuid_or_none(candidate: str) -> str | None:
    try:
        return str(UUID(candidate))
    except ValueError:
        return None


def _target(row: Mapping[str, Any]) -> Target:
    return Target(
        id=UUID(row["id"]),
        kind=row["kind"],
        name=row["name"],
        status=ResourceStatus(row["status"]),
        project_id=UUID(row["project_id"]),
        cluster_id=UUID(row["cluster_id"]) if row["cluster_id"] else None,
        spec=row["spec"],
        volume_user_id=UUID(row["volume_user_id"]) if row["volume_user_id"] else None,
    )


def gather(
    connection: Connection,
    references: References,
    *,
    organization_id: UUID,
    project_id: UUID,
    actor_id: UUID,
    idempotency_key: str = "",
    resource_id: UUID | None = None,
    cluster_id: UUID | None = None,
) -> Surroundings:
    """Look up everything that ``references`` name, with the project, the stored answer and candidate clusters.

    ``resource_id`` and ``cluster_id`` are those of a resource that is changed, None for a new one.
    """
    parameters = {
        "organization": organization_id,
        "project": project_id,
        "actor": actor_id,
        "key": idempotency_key,
        "flavor": references.flavor,
        "flavor_id": _uuid_or_none(references.flavor),
        "image": references.image,
        "image_id": _uuid_or_none(references.image),
        "key_pair": references.key_pair,
        "key_pair_id": _uuid_or_none(references.key_pair),
        "cluster": references.cluster,
        "cluster_id": cluster_id,
        "cidr": references.cidr or None,
        "targets": [identifier for each in references.resource_ids if (identifier := _uuid_or_none(each))],
    }
    if references.cidr:
        connection.execute(_ONE_AT_A_TIME, parameters)
    row = connection.execute(_GATHER, parameters).one()
    return Surroundings(
        now=row.now,
        project_name=row.project_name,
        stored=row.stored,
        clusters=tuple(row.clusters or ()),
        gathered=Gathered(
            project_id=project_id,
            resource_id=resource_id,
            flavor=row.flavor,
            image=row.image,
            key_pair=_target(row.key_pair) if row.key_pair else None,
            overlapping=row.overlapping,
            targets={target.id: target for target in map(_target, row.targets or ())},
        ),
    )
