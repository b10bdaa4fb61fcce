# SPDX-License-Identifier: Apache-2.0
"""Agents: enrolment, credentials, what they report of their cluster."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from stratoplane.drivers import Capacity
from stratoplane_engine.db.connection import dump_json

_USE_TOKEN: Final = text("""
UPDATE join_token t SET used_at = clock_timestamp() FROM cluster c
WHERE t.secret_hash = :secret_hash AND t.used_at IS NULL AND t.expires_at > clock_timestamp() AND c.id = t.cluster_id
    AND c.deleted_at IS NULL
RETURNING c.id, c.name, (SELECT i.id FROM installation i LIMIT 1) AS installation_id
""")
_INSERT: Final = text("""
INSERT INTO agent (id, cluster_id, name, version, credential_hash)
VALUES (:id, :cluster, :name, :version, :credential_hash)
""")
_FIND: Final = text("""
WITH found AS (
    SELECT a.id, a.name, a.cluster_id, c.name AS cluster, a.seen_at FROM agent a JOIN cluster c ON c.id = a.cluster_id
    WHERE a.credential_hash = :credential_hash AND a.revoked_at IS NULL AND c.deleted_at IS NULL
),
heard AS (
    UPDATE agent a SET seen_at = clock_timestamp() FROM found f
    WHERE a.id = f.id AND coalesce(f.seen_at < clock_timestamp() - interval '10 seconds', true) RETURNING a.cluster_id
),
online AS (UPDATE cluster c SET seen_at = clock_timestamp() FROM heard h WHERE c.id = h.cluster_id)
SELECT f.id, f.name, f.cluster_id, f.cluster FROM found f
""")
_PROVIDERS: Final = text("""
INSERT INTO provider (cluster_id, interface, driver, version, contract, status, reason, features, production_ready)
SELECT :cluster, p.interface, p.driver, p.version, p.contract, p.status, p.reason, p.features, p.production_ready
FROM jsonb_populate_recordset(NULL::provider, CAST(:providers AS jsonb)) AS p
ON CONFLICT (cluster_id, interface) DO UPDATE SET driver = EXCLUDED.driver, version = EXCLUDED.version,
    contract = EXCLUDED.contract, status = EXCLUDED.status, reason = EXCLUDED.reason, features = EXCLUDED.features,
    production_ready = EXCLUDED.production_ready, reported_at = clock_timestamp()
""")
_FORGET_PROVIDERS: Final = text(
    "DELETE FROM provider p WHERE p.cluster_id = :cluster AND NOT p.interface = ANY(:interfaces)"
)
_FEATURES: Final = text("""
UPDATE cluster c SET features = :features, seen_at = clock_timestamp() WHERE c.id = :cluster
""")
_CAPACITY: Final = text("""
UPDATE cluster c SET vcpus_total = :vcpus, memory_mib_total = :memory_mib, storage_gib_total = :storage_gib
WHERE c.id = :cluster AND (c.vcpus_total, c.memory_mib_total, c.storage_gib_total) IS DISTINCT FROM
    (CAST(:vcpus AS bigint), CAST(:memory_mib AS bigint), CAST(:storage_gib AS bigint))
""")
_INVENTORY: Final = text("""
WITH seen AS MATERIALIZED (
    SELECT DISTINCT ON (i.uid) i.uid, i.kind, i.status
    FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(uid uuid, kind text, status jsonb) WHERE i.kind = ANY(:kinds)
),
told AS (
    INSERT INTO inventory_report (cluster_id, kind, taken_at)
    SELECT :cluster, k, clock_timestamp() - make_interval(secs => :age) FROM unnest(CAST(:kinds AS text[])) AS k
    ON CONFLICT (cluster_id, kind) DO UPDATE SET taken_at = EXCLUDED.taken_at
),
gone AS (
    DELETE FROM inventory v WHERE v.cluster_id = :cluster AND v.kind = ANY(:kinds)
        AND NOT EXISTS (SELECT FROM seen s WHERE s.uid = v.uid)
)
INSERT INTO inventory (cluster_id, uid, kind, status) SELECT :cluster, s.uid, s.kind, s.status FROM seen s
ON CONFLICT (cluster_id, uid) DO UPDATE SET status = EXCLUDED.status, seen_at = clock_timestamp()
    WHERE inventory.status IS DISTINCT FROM EXCLUDED.status
""")


def use_join_token(connection: Connection, secret_hash: str) -> Mapping[str, Any] | None:
    """Use up a join token; return its cluster, None if it is unknown, used or over."""
    row = connection.execute(_USE_TOKEN, {"secret_hash": secret_hash}).one_or_none()
    return row._asdict() if row else None


def insert(
    connection: Connection, *, agent_id: UUID, cluster_id: UUID, name: str, version: str, credential_hash: str
) -> None:
    """Add an agent."""
    parameters = {"id": agent_id, "cluster": cluster_id, "name": name, "version": version}
    connection.execute(_INSERT, parameters | {"credential_hash": credential_hash})


def find(connection: Connection, credential_hash: str) -> Mapping[str, Any] | None:
    """Return the agent of a credential, None if it is unknown or revoked, and note that it was heard.

    At most one note in ten seconds is written.
    """
    row = connection.execute(_FIND, {"credential_hash": credential_hash}).one_or_none()
    return row._asdict() if row else None


def replace_providers(
    connection: Connection, cluster_id: UUID, providers: Sequence[Mapping[str, Any]], features: Sequence[str]
) -> None:
    """Write what drivers the agent has, in the place of what it said before, and what the cluster can do by them."""
    connection.execute(_PROVIDERS, {"cluster": cluster_id, "providers": dump_json(providers)})
    interfaces = [provider["interface"] for provider in providers]
    connection.execute(_FORGET_PROVIDERS, {"cluster": cluster_id, "interfaces": interfaces})
    connection.execute(_FEATURES, {"cluster": cluster_id, "features": list(features)})


def set_capacity(connection: Connection, cluster_id: UUID, capacity: Capacity) -> None:
    """Write what the cluster can hold in all."""
    amounts = {"vcpus": capacity.vcpus, "memory_mib": capacity.memory_mib, "storage_gib": capacity.storage_gib}
    connection.execute(_CAPACITY, {"cluster": cluster_id, **amounts})


def replace_inventory(
    connection: Connection, cluster_id: UUID, kinds: Sequence[str], items: Sequence[Mapping[str, Any]], *, age: float
) -> None:
    """Write what the cluster held of the ``kinds`` ``age`` seconds ago; rows that did not change are not touched."""
    parameters = {"cluster": cluster_id, "kinds": sorted(set(kinds)), "items": dump_json(items), "age": age}
    connection.execute(_INVENTORY, parameters)
