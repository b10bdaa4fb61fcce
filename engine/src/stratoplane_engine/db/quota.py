# SPDX-License-Identifier: Apache-2.0
"""Lines of quotas as a whole: begun for kinds that were enabled later, and withdrawn with their project."""

from typing import Final
from uuid import UUID

from stratoplane.quota import UNLIMITED
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement

# What an organization or project has no line for cannot be reserved in it.
_SEED: Final = Statement("""
WITH wanted AS MATERIALIZED (
    SELECT w.key, CAST(w.value AS bigint) AS amount FROM jsonb_each_text(CAST(:limits AS jsonb)) AS w
),
scope AS MATERIALIZED (
    SELECT o.id AS organization_id, o.id AS scope_id FROM organization o WHERE o.deleted_at IS NULL
    UNION ALL
    SELECT p.organization_id, p.id FROM project p WHERE p.deleted_at IS NULL
)
INSERT INTO quota (organization_id, scope_id, key, limit_amount)
SELECT s.organization_id, s.scope_id, w.key,
    CASE WHEN s.scope_id = s.organization_id THEN w.amount ELSE :unlimited END
FROM scope s CROSS JOIN wanted w
WHERE NOT EXISTS (SELECT FROM quota q WHERE q.organization_id = s.organization_id AND q.scope_id = s.scope_id
    AND q.key = w.key)
ON CONFLICT (organization_id, scope_id, key) DO NOTHING
""")
# In the order in which reservations lock (scope, key), so that the two never wait for each other in a circle.
_WITHDRAW: Final = Statement("""
WITH locked AS MATERIALIZED (
    SELECT q.scope_id, q.key FROM quota q WHERE q.organization_id = :organization AND q.scope_id = :scope
    ORDER BY q.scope_id, q.key FOR UPDATE
)
DELETE FROM quota q USING locked l
WHERE q.organization_id = :organization AND q.scope_id = l.scope_id AND q.key = l.key
""")


def seed_quota_lines(connection: Connection) -> int:
    """Give every organization and project a line for each key of the connection's kinds that it has none for.

    An organization gets the kind's default limit, a project none. Lines that exist stay as they are.

    Returns:
        How many lines were added.
    """
    limits = dump_json(connection.kinds.default_limits)
    return connection.run(_SEED, {"limits": limits, "unlimited": UNLIMITED})


def withdraw(connection: Connection, organization_id: UUID, scope_id: UUID) -> None:
    """Remove every limit of a project: reservations under way end first, and later ones find nothing to reserve."""
    connection.run(_WITHDRAW, {"organization": organization_id, "scope": scope_id})
