# SPDX-License-Identifier: Apache-2.0
"""Incidents in the database."""

from typing import Final

from sqlalchemy import Connection, text

from stratoplane.ids import new_id
from stratoplane.incidents import Sighting
from stratoplane_engine.db.connection import dump_json

_SEE: Final = text("""
WITH seen AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:sightings AS jsonb)) AS s(id uuid, kind text, severity text, key text,
        title text, detail jsonb, organization_id uuid, cluster_id uuid, resource_id uuid) ORDER BY s.key
)
INSERT INTO incident (id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id)
SELECT id, kind, severity, key, title, detail, organization_id, cluster_id, resource_id FROM seen
ON CONFLICT (key) WHERE status <> 'RESOLVED' DO UPDATE SET sightings = incident.sightings + 1,
    seen_at = clock_timestamp(), title = excluded.title, detail = excluded.detail
""")


def see(connection: Connection, *sightings: Sighting) -> None:
    """Open an incident for each sighting, or add it to the one that is open under its key."""
    if not sightings:
        return
    rows = [
        {
            "id": new_id(),
            "kind": sighting.kind.value,
            "severity": sighting.severity.value,
            "key": sighting.key,
            "title": sighting.title,
            "detail": sighting.detail,
            "organization_id": sighting.organization_id,
            "cluster_id": sighting.cluster_id,
            "resource_id": sighting.resource_id,
        }
        for sighting in {each.key: each for each in sightings}.values()
    ]
    connection.execute(_SEE, {"sightings": dump_json(rows)})
