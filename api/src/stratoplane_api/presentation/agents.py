# SPDX-License-Identifier: Apache-2.0
"""Agents on the wire."""

from stratoplane_engine.model.cluster import Agent


def agent(value: Agent) -> dict[str, object]:
    """Return the wire form of an agent as operators see it."""
    return {
        "id": value.id,
        "cluster_id": value.cluster_id,
        "cluster": value.cluster,
        "name": value.name,
        "version": value.version,
        "protocol": value.protocol,
        "generation": value.generation,
        "state": value.state,
        "created_at": value.created_at,
        "seen_at": value.seen_at,
        "revoked_at": value.revoked_at,
        "locked_at": value.locked_at,
    }
