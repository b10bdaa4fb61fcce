# SPDX-License-Identifier: Apache-2.0
"""One statement that looks up everything a request for a change needs to know, behind the lock of what it changes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from stratoplane.kinds import FlavorReference, FoundImage, NamedRange, References, ResolvedReferences, Spec, Target
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Connection, Document
from stratoplane_engine.db.images import IMAGE_REFERENCE, lacks_image
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.resources import COLUMNS, read_resource
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.change import StoredAnswer
from stratoplane_engine.model.cluster import PlacementCluster
from stratoplane_engine.model.resource import Resource

_CLUSTER: Final = f"""
    jsonb_build_object('id', c.id, 'name', c.name, 'state', c.state, 'features', to_jsonb(c.features),
        'online', {is_online("c")},
        'free_vcpus', c.vcpus_total - c.vcpus_claimed,
        'free_memory_mib', c.memory_mib_total - c.memory_mib_claimed,
        'free_storage_gib', c.storage_gib_total - c.storage_gib_claimed,
        'lacks_image', CASE WHEN wanted.image IS NOT NULL AND {lacks_image("c.id", "wanted.image")}
            THEN wanted.image->>'name' ELSE '' END)
"""
_TARGET: Final = """
    jsonb_build_object('id', r.id, 'kind', r.kind, 'name', r.name, 'status', r.status, 'project_id', r.project_id,
        'cluster_id', r.cluster_id, 'spec', r.spec,
        'user_id', (SELECT l.source_id FROM resource_link l WHERE l.organization_id = r.organization_id
            AND l.target_id = r.id AND l.role IN ('volume', 'boot_volume')),
        'cards', CASE WHEN r.kind = 'network' THEN (SELECT count(*) FROM resource_link l
            WHERE l.organization_id = r.organization_id AND l.target_id = r.id AND l.role = 'interface') ELSE 0 END)
"""
_IMAGE: Final = f"jsonb_build_object('minimum_disk_gib', m.minimum_disk_gib, 'reference', {IMAGE_REFERENCE})"
OVERLAPS: Final = """
    SELECT jsonb_build_object('name', r.name, 'cidr', r.spec->>'cidr') FROM resource r
    WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = 'network' AND r.deleted_at IS NULL
        AND r.quota_usage <> '{}' AND CAST(r.spec->>'cidr' AS inet) && CAST(:cidr AS inet) LIMIT 1
"""
"""A network whose range overlaps; one whose create failed takes nothing of a quota and does not count."""
# Creates of networks in a project go one after the other, or two that overlap would not see each other. The lock is
# weak enough for everything else in the project, which refers to the same row.
_ONE_AT_A_TIME: Final = Statement("""
SELECT FROM project p WHERE p.organization_id = :organization AND p.id = :project FOR NO KEY UPDATE
""")
_LOCK_RESOURCE: Final = Statement("""
SELECT FROM resource r
WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind AND r.id = :resource
FOR UPDATE OF r
""")
_RESOLVE: Final = Statement(f"""
WITH offered AS MATERIALIZED (
    SELECT {_IMAGE} AS image FROM image m WHERE (m.name = :image OR m.id = CAST(:image_id AS uuid))
        AND m.deleted_at IS NULL LIMIT 1
),
-- What the resource is made from: the image that is named, or the one that its spec has kept.
wanted AS MATERIALIZED (
    SELECT coalesce((SELECT o.image->'reference' FROM offered o),
        (SELECT nullif(r.spec->'image', 'null') FROM resource r WHERE r.organization_id = :organization
            AND r.project_id = :project AND r.kind = :kind AND r.id = CAST(:resource AS uuid))) AS image
),
fixed AS MATERIALIZED (
    SELECT ARRAY(SELECT r.cluster_id FROM resource r WHERE r.organization_id = :organization
        AND r.cluster_id IS NOT NULL
        AND (r.id = CAST(:resource AS uuid) OR r.id = ANY(CAST(:targets AS uuid[])))) AS ids
)
SELECT clock_timestamp() AS now,
    (SELECT p.name FROM project p WHERE p.organization_id = :organization AND p.id = :project
        AND p.deleted_at IS NULL) AS project_name,
    (SELECT jsonb_build_object('fingerprint', i.fingerprint, 'answer', i.answer) FROM idempotency i
        WHERE i.organization_id = :organization AND i.actor_id = :actor AND i.key = :key
        AND i.expires_at > clock_timestamp()) AS stored,
    (SELECT to_jsonb(o) FROM (
        SELECT {COLUMNS} FROM resource r LEFT JOIN cluster c ON c.id = r.cluster_id
        WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind
            AND r.id = CAST(:resource AS uuid)) AS o) AS resource,
    (SELECT jsonb_agg(u.name) FROM (
        SELECT replace(r.kind, '_', ' ') || ' ' || r.name AS name FROM resource_link l
        JOIN resource r ON r.organization_id = l.organization_id AND r.id = l.source_id
        WHERE l.organization_id = :organization AND l.target_id = CAST(:resource AS uuid)
        ORDER BY r.name LIMIT 10) AS u) AS users,
    (SELECT to_jsonb(f) FROM flavor f WHERE (f.name = :flavor OR f.id = CAST(:flavor_id AS uuid))
        AND f.deleted_at IS NULL LIMIT 1) AS flavor,
    (SELECT o.image FROM offered o) AS image,
    (SELECT {_TARGET} FROM resource r WHERE r.organization_id = :organization AND r.project_id = :project
        AND r.kind = 'key_pair' AND r.deleted_at IS NULL
        AND (r.name = :key_pair OR r.id = CAST(:key_pair_id AS uuid)) LIMIT 1) AS key_pair,
    (SELECT jsonb_agg({_TARGET}) FROM resource r WHERE r.organization_id = :organization
        AND r.id = ANY(CAST(:targets AS uuid[])) AND r.deleted_at IS NULL) AS targets,
    CASE WHEN CAST(:cidr AS text) IS NOT NULL THEN ({OVERLAPS}) END AS overlapping,
    (SELECT jsonb_agg(cluster) FROM (
        SELECT {_CLUSTER} AS cluster FROM cluster c, fixed, wanted
        WHERE c.deleted_at IS NULL AND (c.id = ANY(fixed.ids)
            OR (CAST(:resource AS uuid) IS NULL AND :cluster = '' AND c.state = 'ENABLED'
                AND {is_online("c")})
            OR c.name = :cluster)
        ORDER BY c.id = ANY(fixed.ids) DESC,
            (wanted.image IS NULL OR NOT {lacks_image("c.id", "wanted.image")}) DESC,
            c.memory_mib_total - c.memory_mib_claimed DESC LIMIT 50) AS near)
        AS clusters
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """What a request for a change needs to know.

    Attributes:
        interface: of the driver that makes the kind, empty if none does.
        idempotency_key: of ``actor_id``, empty for none.
        resource_id: the resource that is changed, of this kind; it stays locked. None for a new one.
    """

    organization_id: UUID
    project_id: UUID
    actor_id: UUID
    kind: str
    interface: str = ""
    references: References = field(default_factory=References)
    idempotency_key: str = ""
    resource_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What was found.

    Attributes:
        now: the database's clock; every time of the change is this one.
        project_name: None when the project does not exist here.
        stored: an earlier answer under the caller's idempotency key.
        resource: the one that is changed, a deleted one too.
        users: up to ten resources that use it, as ``virtual machine web-1``.
        clusters: candidates for placement and the clusters of the linked resources.
    """

    now: datetime
    project_name: str | None
    stored: StoredAnswer | None
    resource: Resource[Spec] | None
    users: tuple[str, ...]
    clusters: tuple[PlacementCluster, ...]
    references: ResolvedReferences


@dataclass(frozen=True, kw_only=True, slots=True)
class _StoredTarget:
    """A target whose spec only its kind can read."""

    id: UUID
    kind: str
    name: str
    status: ResourceStatus
    project_id: UUID
    cluster_id: UUID | None
    spec: Document
    user_id: UUID | None
    cards: int

    def read(self, kinds: Kinds) -> Target:
        return Target(
            id=self.id,
            kind=self.kind,
            name=self.name,
            status=self.status,
            project_id=self.project_id,
            cluster_id=self.cluster_id,
            spec=kinds.read_spec(self.kind, self.spec),
            user_id=self.user_id,
            cards=self.cards,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """The row, in which specs have not been read yet."""

    now: datetime
    project_name: str | None
    stored: StoredAnswer | None
    resource: Document | None
    users: tuple[str, ...] | None
    flavor: FlavorReference | None
    image: FoundImage | None
    key_pair: _StoredTarget | None
    targets: tuple[_StoredTarget, ...] | None
    overlapping: NamedRange | None
    clusters: tuple[PlacementCluster, ...] | None


def resolve_references(connection: Connection, lookup: Lookup) -> Resolution:
    """Look up everything that ``lookup`` names, once what it changes is locked; all of it in one round trip."""
    parameters = _parameters(lookup)
    if lookup.resource_id is not None:
        connection.defer(_LOCK_RESOURCE, parameters)
    if lookup.references.cidr:
        connection.defer(_ONE_AT_A_TIME, parameters)
    (row,) = connection.all(_Row, _RESOLVE, parameters)
    return _resolution(connection.kinds, lookup, row)


def _parameters(lookup: Lookup) -> dict[str, object]:
    wanted = lookup.references
    return {
        "organization": lookup.organization_id,
        "project": lookup.project_id,
        "actor": lookup.actor_id,
        "kind": lookup.kind,
        "interface": lookup.interface,
        "resource": lookup.resource_id,
        "key": lookup.idempotency_key,
        "flavor": wanted.flavor,
        "flavor_id": _uuid_or_none(wanted.flavor),
        "image": wanted.image,
        "image_id": _uuid_or_none(wanted.image),
        "key_pair": wanted.key_pair,
        "key_pair_id": _uuid_or_none(wanted.key_pair),
        "cluster": wanted.cluster,
        "cidr": wanted.cidr or None,
        "targets": list(wanted.resource_ids),
    }


def _uuid_or_none(candidate: str) -> UUID | None:
    try:
        return UUID(candidate)
    except ValueError:
        return None


def _resolution(kinds: Kinds, lookup: Lookup, row: _Row) -> Resolution:
    targets = [each.read(kinds) for each in row.targets or ()]
    return Resolution(
        now=row.now,
        project_name=row.project_name,
        stored=row.stored,
        resource=None if row.resource is None else read_resource(kinds, row.resource),
        users=row.users or (),
        clusters=row.clusters or (),
        references=ResolvedReferences(
            project_id=lookup.project_id,
            resource_id=lookup.resource_id,
            flavor=row.flavor,
            image=row.image,
            key_pair=None if row.key_pair is None else row.key_pair.read(kinds),
            overlapping=row.overlapping,
            targets={target.id: target for target in targets},
        ),
    )
