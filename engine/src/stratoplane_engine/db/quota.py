# SPDX-License-Identifier: Apache-2.0
"""Ending the limits of a scope, so that nothing new can be reserved in it."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection

# In the order in which reservations lock (scope, key), so that the two never wait for each other in a circle.
_WITHDRAW: Final = text("""
WITH locked AS MATERIALIZED (
    SELECT q.scope_id, q.key FROM quota q WHERE q.organization_id = :organization AND q.scope_id = :scope
    ORDER BY q.scope_id, q.key FOR UPDATE
)
DELETE FROM quota q USING locked l
WHERE q.organization_id = :organization AND q.scope_id = l.scope_id AND q.key = l.key
""")


def withdraw(connection: Connection, organization_id: UUID, scope_id: UUID) -> None:
    """Remove every limit of a project: reservations under way end first, and later ones find nothing to reserve."""
    connection.execute(_WITHDRAW, {"organization": organization_id, "scope": scope_id})
