# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects and the limits of both."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import rows_after

_MEMBERS: Final = "t.id, t.name, t.display_name, t.labels, t.version, t.created_at, t.updated_at"
_ORGANIZATIONS: Final = f"SELECT {_MEMBERS} FROM organization AS t"
_PROJECTS: Final = f"SELECT {_MEMBERS}, t.organization_id FROM project AS t"
_GET: Final = text(f"{_ORGANIZATIONS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK: Final = text(f"{_ORGANIZATIONS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_GET_PROJECT: Final = text(f"{_PROJECTS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK_PROJECT: Final = text(f"{_PROJECTS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT: Final = text("""
INSERT INTO organization AS t (id, name, display_name, labels)
VALUES (:id, :name, :display_name, CAST(:labels AS jsonb))
""")
_INSERT_PROJECT: Final = text("""
INSERT INTO project AS t (id, organization_id, name, display_name, labels)
VALUES (:id, :organization_id, :name, :display_name, CAST(:labels AS jsonb))
""")
_UPDATE: Final = text(f"""
UPDATE organization AS t SET name = :name, display_name = :display_name, labels = CAST(:labels AS jsonb),
    version = t.version + 1, updated_at = clock_timestamp() WHERE t.id = :id RETURNING {_MEMBERS}
""")
_UPDATE_PROJECT: Final = text(f"""
UPDATE project AS t SET name = :name, display_name = :display_name, labels = CAST(:labels AS jsonb),
    version = t.version + 1, updated_at = clock_timestamp() WHERE t.id = :id RETURNING {_MEMBERS}, t.organization_id
""")
_DELETE: Final = text("""
WITH users AS (UPDATE user_account u SET enabled = false, deleted_at = clock_timestamp() WHERE u.organization_id = :id)
UPDATE organization o SET deleted_at = clock_timestamp() WHERE o.id = :id
""")
_DELETE_PROJECT: Final = text("""
WITH bindings AS (DELETE FROM role_binding b WHERE b.organization_id = :organization AND b.project_id = :id)
UPDATE project p SET deleted_at = clock_timestamp() WHERE p.organization_id = :organization AND p.id = :id
""")
_PROJECTS_LEFT: Final = text("""
SELECT p.name FROM project p WHERE p.organization_id = :id AND p.deleted_at IS NULL ORDER BY p.name LIMIT 10
""")
_RESOURCES_LEFT: Final = text("""
SELECT r.kind, r.name FROM resource r WHERE r.organization_id = :organization AND r.project_id = :id
    AND r.deleted_at IS NULL ORDER BY r.id LIMIT 10
""")
_INSERT_QUOTA: Final = text("""
INSERT INTO quota (organization_id, scope_id, key, limit_amount)
SELECT :organization, :scope, q.key, q.amount
FROM jsonb_to_recordset(CAST(:limits AS jsonb)) AS q(key text, amount bigint)
ON CONFLICT (organization_id, scope_id, key) DO UPDATE SET limit_amount = EXCLUDED.limit_amount
""")
_QUOTA: Final = text("""
SELECT q.key, q.limit_amount AS "limit", q.used FROM quota q
WHERE q.organization_id = :organization AND q.scope_id = :scope ORDER BY q.key
""")


def page(connection: Connection, *, after: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Return a page of organizations."""
    return rows_after(connection, _ORGANIZATIONS, {"t.deleted_at IS NULL AND :value": True}, after=after, limit=limit)


def get(connection: Connection, organization_id: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """Return an organization, None if there is none."""
    row = connection.execute(_LOCK if lock else _GET, {"id": organization_id}).one_or_none()
    return row._asdict() if row else None


def insert(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add an organization."""
    connection.execute(_INSERT, {**values, "labels": dump_json(values["labels"])})


def update(connection: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write name, display name and labels of an organization."""
    return connection.execute(_UPDATE, {**values, "labels": dump_json(values["labels"])}).one()._asdict()


def projects_left(connection: Connection, organization_id: UUID) -> Sequence[str]:
    """Return up to ten names of projects that an organization still has."""
    return list(connection.execute(_PROJECTS_LEFT, {"id": organization_id}).scalars())


def delete(connection: Connection, organization_id: UUID) -> None:
    """End an organization and its users."""
    connection.execute(_DELETE, {"id": organization_id})


def projects(
    connection: Connection, *, organization_id: UUID, among: Sequence[UUID] | None, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return a page of an organization's projects, of those ``among`` when it is given."""
    conditions = {
        "t.organization_id = :value": organization_id,
        "t.deleted_at IS NULL AND :value": True,
        "t.id = ANY(CAST(:value AS uuid[]))": list(among) if among is not None else None,
    }
    return rows_after(connection, _PROJECTS, conditions, after=after, limit=limit)


def project(connection: Connection, project_id: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """Return a project, None if there is none."""
    row = connection.execute(_LOCK_PROJECT if lock else _GET_PROJECT, {"id": project_id}).one_or_none()
    return row._asdict() if row else None


def insert_project(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add a project."""
    connection.execute(_INSERT_PROJECT, {**values, "labels": dump_json(values["labels"])})


def update_project(connection: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write name, display name and labels of a project."""
    return connection.execute(_UPDATE_PROJECT, {**values, "labels": dump_json(values["labels"])}).one()._asdict()


def resources_left(connection: Connection, organization_id: UUID, project_id: UUID) -> Sequence[str]:
    """Return up to ten resources that a project still has, as ``volume data``."""
    found = connection.execute(_RESOURCES_LEFT, {"organization": organization_id, "id": project_id})
    return [f"{row.kind.replace('_', ' ')} {row.name}" for row in found]


def delete_project(connection: Connection, organization_id: UUID, project_id: UUID) -> None:
    """End a project and the role bindings in it."""
    connection.execute(_DELETE_PROJECT, {"organization": organization_id, "id": project_id})


def set_limits(connection: Connection, organization_id: UUID, scope_id: UUID, limits: Mapping[str, int]) -> None:
    """Write limits of an organization or project; what is used stays."""
    document = dump_json([{"key": key, "amount": amount} for key, amount in limits.items()])
    connection.execute(_INSERT_QUOTA, {"organization": organization_id, "scope": scope_id, "limits": document})


def quota(connection: Connection, organization_id: UUID, scope_id: UUID) -> list[dict[str, Any]]:
    """Return limit and use of each key of an organization or project."""
    return [row._asdict() for row in connection.execute(_QUOTA, {"organization": organization_id, "scope": scope_id})]
