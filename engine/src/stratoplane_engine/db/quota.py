# SPDX-License-Identifier: Apache-2.0
"""Limits of organizations and projects, and what is used of them."""

from typing import Final
from uuid import UUID

from stratoplane.quota import UNLIMITED, Amount
from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.quota import Quotas

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
_LINES: Final = """
    coalesce((SELECT jsonb_agg(jsonb_build_object('key', q.key, 'limit', q.limit_amount, 'used', q.used) ORDER BY q.key)
        FROM quota q WHERE q.organization_id = {organization} AND q.scope_id = {scope}), '[]')
"""
_OF_ORGANIZATION: Final = Statement(f"""
SELECT {_LINES.format(organization="o.id", scope="o.id")} AS organization
FROM organization o WHERE o.id = :organization AND o.deleted_at IS NULL
""")
_OF_PROJECT: Final = Statement(f"""
SELECT {_LINES.format(organization="p.organization_id", scope="p.organization_id")} AS organization,
    {_LINES.format(organization="p.organization_id", scope="p.id")} AS project
FROM project p WHERE p.id = :project AND p.deleted_at IS NULL
    AND p.organization_id = coalesce(CAST(:organization AS uuid), p.organization_id)
""")
# In the order in which reservations lock, as below.
_SET_LIMITS: Final = Statement("""
INSERT INTO quota (organization_id, scope_id, key, limit_amount)
SELECT :organization, :scope, q.key, CAST(q.value AS bigint) FROM jsonb_each_text(CAST(:limits AS jsonb)) AS q
ORDER BY q.key ON CONFLICT (organization_id, scope_id, key) DO UPDATE SET limit_amount = EXCLUDED.limit_amount
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


def of_organization(connection: Connection, organization_id: UUID) -> Quotas | None:
    """Return limit and use of each key of an organization, None if there is no such organization."""
    return connection.first(Quotas, _OF_ORGANIZATION, {"organization": organization_id})


def of_project(connection: Connection, project_id: UUID, *, organization_id: UUID | None = None) -> Quotas | None:
    """Return limit and use of each key of a project and its organization, None if there is no such project.

    Args:
        connection: reads them.
        project_id: whose.
        organization_id: the one that must own the project; any when it is None.
    """
    return connection.first(Quotas, _OF_PROJECT, {"project": project_id, "organization": organization_id})


def set_limits(connection: Connection, organization_id: UUID, scope_id: UUID, limits: Amount) -> None:
    """Write limits of an organization or project; what is used stays."""
    document = dump_json({str(key): amount for key, amount in limits.items()})
    connection.run(_SET_LIMITS, {"organization": organization_id, "scope": scope_id, "limits": document})


def withdraw(connection: Connection, organization_id: UUID, scope_id: UUID) -> None:
    """Remove every limit of a project: reservations under way end first, and later ones find nothing to reserve."""
    connection.run(_WITHDRAW, {"organization": organization_id, "scope": scope_id})
