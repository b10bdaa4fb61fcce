# SPDX-License-Identifier: Apache-2.0
"""Clusters, their providers and the join tokens of their agents."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.job_states import LIVE_STATES
from stratoplane_engine.db.keyset import oldest_first
from stratoplane_engine.db.liveness import is_online
from stratoplane_engine.db.operations import OPERATION_CHANNEL
from stratoplane_engine.db.resource_names import resource_names
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.cluster import Cluster, ClusterDraft, ClusterPatch, Provider

_CLUSTER: Final = f"""
    t.id, t.name, t.description, t.state, t.features, t.labels, t.vcpus_total, t.vcpus_claimed, t.memory_mib_total,
    t.memory_mib_claimed, t.storage_gib_total, t.storage_gib_claimed, t.seen_at, t.version, t.created_at, t.updated_at,
    {is_online("t")} AS online
"""
_CLUSTERS: Final = f"SELECT {_CLUSTER} FROM cluster AS t"
_PROVIDERS: Final = Statement("""
SELECT p.cluster_id, c.name AS cluster, p.interface, p.driver, p.version, p.contract, p.status, p.reason, p.features,
    p.production_ready, p.reported_at, p.listings,
    CASE WHEN p.images IS NOT NULL THEN ARRAY(SELECT k FROM jsonb_object_keys(p.images) AS k ORDER BY k) END AS images
FROM provider p JOIN cluster c ON c.id = p.cluster_id WHERE c.deleted_at IS NULL
    AND (c.name, p.interface) > (:cluster, :interface) ORDER BY c.name, p.interface LIMIT :limit
""")
_BY_NAME: Final = Statement(f"{_CLUSTERS} WHERE t.name = :name AND t.deleted_at IS NULL")
_GET: Final = Statement(f"{_CLUSTERS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK: Final = Statement(f"{_CLUSTERS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT: Final = Statement(f"""
INSERT INTO cluster AS t (id, name, description, labels)
VALUES (:id, :name, :description, CAST(:labels AS jsonb)) RETURNING {_CLUSTER}
""")
_UPDATE: Final = Statement(f"""
UPDATE cluster AS t SET description = coalesce(:description, t.description), state = coalesce(:state, t.state),
    labels = coalesce(CAST(:labels AS jsonb), t.labels), version = t.version + 1, updated_at = clock_timestamp()
WHERE t.id = :id RETURNING {_CLUSTER}
""")
# The time that a job has begins again: it could not use what passed.
_RELEASE: Final = Statement(f"""
WITH waiting AS (
    UPDATE job j SET deadline_at = greatest(j.deadline_at, clock_timestamp() + (j.deadline_at - j.created_at))
    WHERE j.cluster_id = :id AND j.state IN {LIVE_STATES} RETURNING j.id
),
offered AS (
    UPDATE operation o SET deadline_at = clock_timestamp() + make_interval(secs => o.timeout_seconds)
    WHERE o.cluster_id = :id AND o.state IN ('QUEUED', 'OFFERED')
),
told AS (INSERT INTO outbox (topic, payload) SELECT 'job', jsonb_build_object('job_id', id) FROM waiting)
SELECT pg_notify('stratoplane_outbox', ''), pg_notify('{OPERATION_CHANNEL}', CAST(:id AS text)) AS agents
""")
_LEFT: Final = Statement("""
SELECT r.kind, r.name FROM resource r WHERE r.cluster_id = :id AND r.deleted_at IS NULL LIMIT 10
""")
_DELETE: Final = Statement("""
WITH agents AS (UPDATE agent a SET revoked_at = clock_timestamp() WHERE a.cluster_id = :id AND a.revoked_at IS NULL),
tokens AS (DELETE FROM join_token j WHERE j.cluster_id = :id),
strangers AS (DELETE FROM foreign_object f WHERE f.cluster_id = :id),
items AS (DELETE FROM inventory i WHERE i.cluster_id = :id),
reports AS (DELETE FROM inventory_report i WHERE i.cluster_id = :id)
UPDATE cluster c SET deleted_at = clock_timestamp(), state = 'DISABLED' WHERE c.id = :id
""")
_INSERT_TOKEN: Final = Statement("""
INSERT INTO join_token (id, cluster_id, secret_hash, replaces, expires_at)
VALUES (:id, :cluster, :secret_hash, :replaces, clock_timestamp() + make_interval(secs => :lifetime))
RETURNING expires_at
""")


def page(connection: Connection, *, after: UUID | None, limit: int) -> list[Cluster]:
    """Return a page of clusters."""
    conditions = {"t.deleted_at IS NULL AND :value": True}
    return oldest_first(connection, Cluster, _CLUSTERS, conditions, after=after, limit=limit)


def get(connection: Connection, cluster_id: UUID) -> Cluster | None:
    """Return a cluster, None if there is none."""
    return connection.first(Cluster, _GET, {"id": cluster_id})


def lock(connection: Connection, cluster_id: UUID) -> Cluster | None:
    """Return a cluster whose row stays locked until the transaction ends, None if there is none."""
    return connection.first(Cluster, _LOCK, {"id": cluster_id})


def by_name(connection: Connection, name: str) -> Cluster | None:
    """Return the cluster of a name, None if there is none."""
    return connection.first(Cluster, _BY_NAME, {"name": name})


def insert(connection: Connection, cluster_id: UUID, draft: ClusterDraft) -> Cluster:
    """Add a cluster."""
    members = {"name": draft.name, "description": draft.description, "labels": dump_json(draft.labels)}
    return connection.one(Cluster, _INSERT, {"id": cluster_id, **members})


def update(connection: Connection, cluster_id: UUID, patch: ClusterPatch) -> Cluster:
    """Write description, state and labels of a cluster, those that are given."""
    labels = None if patch.labels is None else dump_json(patch.labels)
    members = {"description": patch.description, "state": patch.state, "labels": labels}
    return connection.one(Cluster, _UPDATE, {"id": cluster_id, **members})


def release(connection: Connection, cluster_id: UUID) -> None:
    """Let the jobs and driver calls go on that waited until the cluster was enabled."""
    connection.run(_RELEASE, {"id": cluster_id})


def resources_left(connection: Connection, cluster_id: UUID) -> list[str]:
    """Return up to ten resources that a cluster still has, as ``volume data``."""
    return resource_names(connection, _LEFT, {"id": cluster_id})


def delete(connection: Connection, cluster_id: UUID) -> None:
    """Delete a cluster and revoke its agents."""
    connection.run(_DELETE, {"id": cluster_id})


def insert_join_token(
    connection: Connection, *, token_id: UUID, cluster_id: UUID, secret_hash: str, lifetime: timedelta, replaces: bool
) -> datetime:
    """Add a join token, which may replace the cluster's agent; return when it expires."""
    values = {
        "id": token_id,
        "cluster": cluster_id,
        "secret_hash": secret_hash,
        "replaces": replaces,
        "lifetime": lifetime.total_seconds(),
    }
    (expires_at,) = connection.values(datetime, _INSERT_TOKEN, values)
    return expires_at


def providers(connection: Connection, *, cluster: str, interface: str, limit: int) -> list[Provider]:
    """Return a page of every cluster's providers, by cluster name and interface, after the one that is named."""
    return connection.all(Provider, _PROVIDERS, {"cluster": cluster, "interface": interface, "limit": limit})
