# SPDX-License-Identifier: Apache-2.0
"""The installation's own identity."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection

_INSERT: Final = text("INSERT INTO installation (id) SELECT :id WHERE NOT EXISTS (SELECT FROM installation)")
_GET: Final = text("SELECT i.id FROM installation i ORDER BY i.created_at LIMIT 1")
_ORGANIZATION: Final = text("SELECT o.id FROM organization o WHERE o.name = :name AND o.deleted_at IS NULL")
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:lock)")
_BOOTSTRAP: Final = 0x5354_5242


def lock(connection: Connection) -> None:
    """Let one bootstrap at a time go on."""
    connection.execute(_LOCK, {"lock": _BOOTSTRAP})


def ensure(connection: Connection, installation_id: UUID) -> UUID:
    """Give the installation an id unless it has one; return the one it has."""
    connection.execute(_INSERT, {"id": installation_id})
    kept: UUID = connection.execute(_GET).scalar_one()
    return kept


def organization_by_name(connection: Connection, name: str) -> UUID | None:
    """Return the id of the organization of a name, None if there is none."""
    found: UUID | None = connection.execute(_ORGANIZATION, {"name": name}).scalar_one_or_none()
    return found
