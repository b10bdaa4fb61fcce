# SPDX-License-Identifier: Apache-2.0
"""Agents, and what they report of their cluster; their keys are in :mod:`stratoplane_engine.db.agent_keys`."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane.drivers import Capacity
from stratoplane.messages import Inventory, ListingReport, ProviderReport
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import oldest_first
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.cluster import Agent

_AGENTS: Final = """
SELECT t.id, t.cluster_id, c.name AS cluster, t.name, t.version, t.protocol, t.generation, t.created_at, t.seen_at,
    t.revoked_at, t.locked_at, CASE WHEN t.revoked_at IS NOT NULL THEN 'REVOKED' WHEN t.locked_at IS NOT NULL
    THEN 'LOCKED' ELSE 'ACTIVE' END AS state
FROM agent AS t JOIN cluster c ON c.id = t.cluster_id
"""
_GET: Final = Statement(f"{_AGENTS} WHERE t.id = :id")
_SET_VERSION: Final = Statement("""
UPDATE agent a SET version = :version, protocol = :protocol
WHERE a.id = :agent AND (a.version, a.protocol) IS DISTINCT FROM (:version, CAST(:protocol AS bigint))
""")
_WAITING: Final = Statement("""
SELECT DISTINCT o.cluster_id FROM operation o
WHERE o.state = 'QUEUED' OR (o.state = 'OFFERED' AND o.offered_until < clock_timestamp())
""")
_PROVIDERS: Final = Statement("""
INSERT INTO provider (cluster_id, interface, driver, version, contract, status, reason, features, production_ready,
    images)
SELECT :cluster, p.interface, p.driver, p.version, p.contract, p.status, p.reason, p.features, p.production_ready,
    CASE WHEN jsonb_typeof(p.images) = 'array' THEN (
        SELECT coalesce(jsonb_object_agg(coalesce(e->>'uid', e->>'source'), jsonb_build_object('sha256', e->'sha256')),
            '{}') FROM jsonb_array_elements(p.images) AS e) END
FROM jsonb_populate_recordset(NULL::provider, CAST(:providers AS jsonb)) AS p
ON CONFLICT (cluster_id, interface) DO UPDATE SET driver = EXCLUDED.driver, version = EXCLUDED.version,
    contract = EXCLUDED.contract, status = EXCLUDED.status, reason = EXCLUDED.reason, features = EXCLUDED.features,
    production_ready = EXCLUDED.production_ready, images = EXCLUDED.images, reported_at = clock_timestamp()
""")
_LISTINGS: Final = Statement("""
UPDATE provider p SET listings = l.listings FROM (
    SELECT r.interface, jsonb_agg(jsonb_build_object('name', r.name, 'error', r.error,
        'answered_at', clock_timestamp() - make_interval(secs => r.age_seconds)) ORDER BY r.name) AS listings
    FROM jsonb_to_recordset(CAST(:reports AS jsonb))
        AS r(interface text, name text, age_seconds double precision, error text) GROUP BY r.interface
) AS l WHERE p.cluster_id = :cluster AND p.interface = l.interface
""")
_FORGET_PROVIDERS: Final = Statement(
    "DELETE FROM provider p WHERE p.cluster_id = :cluster AND NOT p.interface = ANY(:interfaces)"
)
_FEATURES: Final = Statement("""
UPDATE cluster c SET features = :features, seen_at = clock_timestamp() WHERE c.id = :cluster
""")
_CAPACITY: Final = Statement("""
UPDATE cluster c SET vcpus_total = :vcpus, memory_mib_total = :memory_mib, storage_gib_total = :storage_gib
WHERE c.id = :cluster AND (c.vcpus_total, c.memory_mib_total, c.storage_gib_total) IS DISTINCT FROM
    (CAST(:vcpus AS bigint), CAST(:memory_mib AS bigint), CAST(:storage_gib AS bigint))
""")
_UPSERT: Final = """
INSERT INTO inventory (cluster_id, uid, kind, status, others)
SELECT :cluster, s.uid, s.kind, s.status, s.others FROM seen s
ON CONFLICT (cluster_id, uid) DO UPDATE SET kind = EXCLUDED.kind, status = EXCLUDED.status,
    others = EXCLUDED.others, seen_at = clock_timestamp(), changed_at = clock_timestamp()
    WHERE (inventory.kind, inventory.status, inventory.others)
        IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.status, EXCLUDED.others)
"""
_SNAPSHOT: Final = Statement(f"""
WITH seen AS MATERIALIZED (
    SELECT DISTINCT ON (i.uid) i.uid, i.kind, i.status, i.others
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(uid uuid, kind text, status jsonb, others jsonb)
    WHERE i.kind = ANY(:kinds)
),
told AS (
    INSERT INTO inventory_report (cluster_id, kind, taken_at, snapshot_id, sequence)
    SELECT :cluster, k, clock_timestamp() - make_interval(secs => :age), CAST(:snapshot AS uuid), 0
    FROM unnest(CAST(:kinds AS text[])) AS k
    ON CONFLICT (cluster_id, kind) DO UPDATE SET taken_at = EXCLUDED.taken_at, snapshot_id = EXCLUDED.snapshot_id,
        sequence = 0
),
gone AS (
    DELETE FROM inventory v WHERE v.cluster_id = :cluster AND v.kind = ANY(:kinds)
        AND NOT EXISTS (SELECT FROM seen s WHERE s.uid = v.uid)
)
{_UPSERT}
""")
# A delta that was applied and whose answer was lost comes again with the same number, and does the same again.
_CONTINUE: Final = Statement("""
UPDATE inventory_report r SET sequence = :sequence, taken_at = clock_timestamp() - make_interval(secs => :age)
WHERE r.cluster_id = :cluster AND r.kind = ANY(:kinds) AND r.snapshot_id = :snapshot
    AND r.sequence IN (:sequence - 1, :sequence)
RETURNING r.kind
""")
_DELTA: Final = Statement(f"""
WITH seen AS MATERIALIZED (
    SELECT DISTINCT ON (i.uid) i.uid, i.kind, i.status, i.others
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(uid uuid, kind text, status jsonb, others jsonb)
    WHERE i.kind = ANY(:kinds)
),
gone AS (
    DELETE FROM inventory v WHERE v.cluster_id = :cluster AND v.kind = ANY(:kinds) AND v.uid = ANY(:gone)
        AND NOT EXISTS (SELECT FROM seen s WHERE s.uid = v.uid)
)
{_UPSERT}
""")


def page(connection: Connection, *, cluster_id: UUID | None, after: UUID | None, limit: int) -> list[Agent]:
    """Return a page of agents, those of one cluster or all."""
    return oldest_first(connection, Agent, _AGENTS, {"t.cluster_id = :value": cluster_id}, after=after, limit=limit)


def get(connection: Connection, agent_id: UUID) -> Agent | None:
    """Return an agent, None if there is none."""
    return connection.first(Agent, _GET, {"id": agent_id})


def set_version(connection: Connection, agent_id: UUID, *, version: str, protocol: int) -> None:
    """Write which version an agent is and which protocol it speaks."""
    connection.run(_SET_VERSION, {"agent": agent_id, "version": version, "protocol": protocol})


def clusters_with_work(connection: Connection) -> frozenset[UUID]:
    """Return the clusters that have operations to offer, for when a notification may have been missed."""
    return frozenset(connection.values(UUID, _WAITING))


def replace_providers(
    connection: Connection, cluster_id: UUID, providers: Sequence[ProviderReport], features: Sequence[str]
) -> None:
    """Write what drivers the agent has, in the place of what it said before, and what the cluster can do by them."""
    connection.run(_PROVIDERS, {"cluster": cluster_id, "providers": dump_json(providers)})
    interfaces = [provider.interface for provider in providers]
    connection.run(_FORGET_PROVIDERS, {"cluster": cluster_id, "interfaces": interfaces})
    connection.run(_FEATURES, {"cluster": cluster_id, "features": list(features)})


def set_listings(connection: Connection, cluster_id: UUID, reports: Sequence[ListingReport]) -> None:
    """Write how the cluster's drivers answer what they are asked again and again."""
    connection.run(_LISTINGS, {"cluster": cluster_id, "reports": dump_json(reports)})


def set_capacity(connection: Connection, cluster_id: UUID, capacity: Capacity) -> None:
    """Write what the cluster can hold in all."""
    amounts = {"vcpus": capacity.vcpus, "memory_mib": capacity.memory_mib, "storage_gib": capacity.storage_gib}
    connection.run(_CAPACITY, {"cluster": cluster_id, **amounts})


def replace_inventory(connection: Connection, cluster_id: UUID, inventory: Inventory) -> None:
    """Write what the cluster held of the inventory's kinds; rows that did not change are not touched."""
    connection.run(_SNAPSHOT, _parameters(cluster_id, inventory))


def change_inventory(connection: Connection, cluster_id: UUID, delta: Inventory) -> frozenset[str]:
    """Write what changed since the delta before; return the kinds that it does not continue, of which nothing is taken.

    The caller asks the agent for a snapshot of those.
    """
    parameters = _parameters(cluster_id, delta) | {"sequence": delta.sequence, "gone": list(delta.gone)}
    continued = frozenset(connection.values(str, _CONTINUE, parameters))
    if continued:
        connection.run(_DELTA, parameters | {"kinds": sorted(continued)})
    return frozenset(delta.kinds) - continued


def _parameters(cluster_id: UUID, inventory: Inventory) -> dict[str, object]:
    return {
        "cluster": cluster_id,
        "kinds": sorted(set(inventory.kinds)),
        "items": dump_json(inventory.items),
        "age": inventory.age_seconds,
        "snapshot": inventory.snapshot,
    }
