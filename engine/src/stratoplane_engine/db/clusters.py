# SPDX-License-Identifier: Apache-2.0
"""Clusters, their providers and the join tokens of their agents."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import rows_after
from stratoplane_engine.db.liveness import is_online

_CLUSTERS: Final = f"""
SELECT t.id, t.name, t.description, t.state, t.features, t.labels, t.vcpus_total, t.vcpus_claimed, t.memory_mib_total,
    t.memory_mib_claimed, t.storage_gib_total, t.storage_gib_claimed, t.seen_at, t.version, t.created_at, t.updated_at,
    {is_online("t")} AS online FROM cluster AS t
"""
_PROVIDERS: Final = text("""
SELECT p.cluster_id, c.name AS cluster, p.interface, p.driver, p.version, p.contract, p.status, p.reason, p.features,
    p.production_ready, p.reported_at
FROM provider p JOIN cluster c ON c.id = p.cluster_id WHERE c.deleted_at IS NULL
    AND (c.name, p.interface) > (:cluster, :interface) ORDER BY c.name, p.interface LIMIT :limit
""")
_BY_NAME: Final = text(f"{_CLUSTERS} WHERE t.name = :name AND t.deleted_at IS NULL")
_GET: Final = text(f"{_CLUSTERS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK: Final = text(f"{_CLUSTERS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT: Final = text("""
INSERT INTO cluster (id, name, description, labels) VALUES (:id, :name, :description, CAST(:labels AS jsonb))
""")
_UPDATE: Final = text("""
UPDATE cluster SET description = :description, state = :state, labels = CAST(:labels AS jsonb), version = version + 1,
    updated_at = clock_timestamp() WHERE id = :id
""")
_LEFT: Final = text("""
SELECT r.kind, r.name FROM resource r WHERE r.cluster_id = :id AND r.deleted_at IS NULL LIMIT 10
""")
_DELETE: Final = text("""
WITH agents AS (UPDATE agent a SET revoked_at = clock_timestamp() WHERE a.cluster_id = :id AND a.revoked_at IS NULL),
tokens AS (DELETE FROM join_token j WHERE j.cluster_id = :id),
strangers AS (DELETE FROM foreign_object f WHERE f.cluster_id = :id),
items AS (DELETE FROM inventory i WHERE i.cluster_id = :id),
reports AS (DELETE FROM inventory_report i WHERE i.cluster_id = :id)
UPDATE cluster c SET deleted_at = clock_timestamp(), state = 'DISABLED' WHERE c.id = :id
""")
_INSERT_TOKEN: Final = text("""
INSERT INTO join_token (id, cluster_id, secret_hash, expires_at)
VALUES (:id, :cluster_id, :secret_hash, clock_timestamp() + make_interval(secs => :lifetime)) RETURNING expires_at
""")


def page(connection: Connection, *, after: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Return a page of clusters."""
    return rows_after(connection, _CLUSTERS, {"t.deleted_at IS NULL AND :value": True}, after=after, limit=limit)


def get(connection: Connection, cluster_id: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """Return a cluster, None if there is none."""
    row = connection.execute(_LOCK if lock else _GET, {"id": cluster_id}).one_or_none()
    return row._asdict() if row else None


def by_name(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return the cluster of a name, None if there is none."""
    row = connection.execute(_BY_NAME, {"name": name}).one_or_none()
    return row._asdict() if row else None


def insert(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add a cluster."""
    connection.execute(_INSERT, {**values, "labels": dump_json(values["labels"])})


def update(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write description, state and labels of a cluster."""
    connection.execute(_UPDATE, {**values, "labels": dump_json(values["labels"])})


def resources_left(connection: Connection, cluster_id: UUID) -> Sequence[str]:
    """Return up to ten resources that a cluster still has, as ``volume data``."""
    return [f"{row.kind.replace('_', ' ')} {row.name}" for row in connection.execute(_LEFT, {"id": cluster_id})]


def delete(connection: Connection, cluster_id: UUID) -> None:
    """End a cluster and its agents' credentials."""
    connection.execute(_DELETE, {"id": cluster_id})


def insert_join_token(connection: Connection, values: Mapping[str, Any]) -> Any:
    """Add a join token; return when it ends."""
    return connection.execute(_INSERT_TOKEN, dict(values)).scalar_one()


def providers(connection: Connection, *, after: tuple[str, str], limit: int) -> Sequence[dict[str, Any]]:
    """Return a page of every cluster's providers, by cluster name and interface."""
    cluster, interface = after
    parameters = {"cluster": cluster, "interface": interface, "limit": limit}
    return [row._asdict() for row in connection.execute(_PROVIDERS, parameters)]
