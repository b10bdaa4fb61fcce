# SPDX-License-Identifier: Apache-2.0
"""Foreign objects in the form that the API shows."""

from stratoplane_engine.model.cluster import ForeignObject


def foreign_object(value: ForeignObject) -> dict[str, object]:
    """Return the wire form of an object that does not carry the platform's mark."""
    return {
        "cluster_id": value.cluster_id,
        "cluster": value.cluster,
        "kind": value.kind,
        "reference": value.reference,
        "name": value.name,
        "status": value.status,
        "first_seen_at": value.first_seen_at,
        "seen_at": value.seen_at,
    }
