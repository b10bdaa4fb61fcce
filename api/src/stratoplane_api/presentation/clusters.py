# SPDX-License-Identifier: Apache-2.0
"""Clusters, their join tokens and providers on the wire."""

from stratoplane_engine.model.cluster import Cluster, IssuedJoinToken, Provider


def cluster(value: Cluster) -> dict[str, object]:
    """Return the wire form of a cluster as operators see it."""
    return {
        "id": value.id,
        "name": value.name,
        "description": value.description,
        "state": value.state,
        "online": value.online,
        "features": value.features,
        "labels": value.labels,
        "vcpus_total": value.vcpus_total,
        "vcpus_claimed": value.vcpus_claimed,
        "memory_mib_total": value.memory_mib_total,
        "memory_mib_claimed": value.memory_mib_claimed,
        "storage_gib_total": value.storage_gib_total,
        "storage_gib_claimed": value.storage_gib_claimed,
        "seen_at": value.seen_at,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }


def cluster_name(value: Cluster) -> dict[str, object]:
    """Return the wire form of a cluster as every user sees it."""
    return {"name": value.name, "features": value.features, "online": value.online}


def join_token(value: IssuedJoinToken) -> dict[str, object]:
    """Return the wire form of a new join token, with its secret."""
    return {
        "id": value.id,
        "cluster_id": value.cluster_id,
        "token": value.token,
        "expires_at": value.expires_at,
    }


def provider(value: Provider) -> dict[str, object]:
    """Return the wire form of a driver as its agent reported it."""
    return {
        "cluster_id": value.cluster_id,
        "cluster": value.cluster,
        "interface": value.interface,
        "driver": value.driver,
        "version": value.version,
        "contract": value.contract,
        "status": value.status,
        "reason": value.reason,
        "features": value.features,
        "production_ready": value.production_ready,
        "reported_at": value.reported_at,
        "images": value.images,
        "listings": [
            {"name": each.name, "answered_at": each.answered_at, "error": each.error} for each in value.listings
        ],
    }
