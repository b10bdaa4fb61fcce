# SPDX-License-Identifier: Apache-2.0
"""Organizations and their projects."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import oldest_first
from stratoplane_engine.db.resource_names import resource_names
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import Organization, OwnerDraft, OwnerPatch, Project

_ORGANIZATION: Final = "t.id, t.name, t.display_name, t.labels, t.version, t.created_at, t.updated_at"
_PROJECT: Final = f"{_ORGANIZATION}, t.organization_id"
_ORGANIZATIONS: Final = f"SELECT {_ORGANIZATION} FROM organization AS t"
_PROJECTS: Final = f"SELECT {_PROJECT} FROM project AS t"
_CHANGES: Final = """
    name = coalesce(:name, t.name), display_name = coalesce(:display_name, t.display_name),
    labels = coalesce(CAST(:labels AS jsonb), t.labels), version = t.version + 1, updated_at = clock_timestamp()
"""
_GET: Final = Statement(f"{_ORGANIZATIONS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK: Final = Statement(f"{_ORGANIZATIONS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_GET_PROJECT: Final = Statement(f"{_PROJECTS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK_PROJECT: Final = Statement(f"{_PROJECTS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT: Final = Statement(f"""
INSERT INTO organization AS t (id, name, display_name, labels)
VALUES (:id, :name, :display_name, CAST(:labels AS jsonb)) RETURNING {_ORGANIZATION}
""")
_INSERT_PROJECT: Final = Statement(f"""
INSERT INTO project AS t (id, organization_id, name, display_name, labels)
VALUES (:id, :organization, :name, :display_name, CAST(:labels AS jsonb)) RETURNING {_PROJECT}
""")
_UPDATE: Final = Statement(f"UPDATE organization AS t SET {_CHANGES} WHERE t.id = :id RETURNING {_ORGANIZATION}")
_UPDATE_PROJECT: Final = Statement(f"UPDATE project AS t SET {_CHANGES} WHERE t.id = :id RETURNING {_PROJECT}")
_DELETE: Final = Statement("""
WITH users AS (UPDATE user_account u SET enabled = false, deleted_at = clock_timestamp() WHERE u.organization_id = :id)
UPDATE organization o SET deleted_at = clock_timestamp() WHERE o.id = :id
""")
_DELETE_PROJECT: Final = Statement("""
WITH bindings AS (DELETE FROM role_binding b WHERE b.organization_id = :organization AND b.project_id = :id)
UPDATE project p SET deleted_at = clock_timestamp() WHERE p.organization_id = :organization AND p.id = :id
""")
_PROJECTS_LEFT: Final = Statement("""
SELECT p.name FROM project p WHERE p.organization_id = :id AND p.deleted_at IS NULL ORDER BY p.name LIMIT 10
""")
_RESOURCES_LEFT: Final = Statement("""
SELECT r.kind, r.name FROM resource r WHERE r.organization_id = :organization AND r.project_id = :id
    AND r.deleted_at IS NULL ORDER BY r.id LIMIT 10
""")


def _members(values: OwnerDraft | OwnerPatch) -> dict[str, object]:
    labels = None if values.labels is None else dump_json(values.labels)
    return {"name": values.name, "display_name": values.display_name, "labels": labels}


def page(connection: Connection, *, after: UUID | None, limit: int) -> list[Organization]:
    """Return a page of organizations."""
    conditions = {"t.deleted_at IS NULL AND :value": True}
    return oldest_first(connection, Organization, _ORGANIZATIONS, conditions, after=after, limit=limit)


def get(connection: Connection, organization_id: UUID) -> Organization | None:
    """Return an organization, None if there is none."""
    return connection.first(Organization, _GET, {"id": organization_id})


def lock(connection: Connection, organization_id: UUID) -> Organization | None:
    """Return an organization whose row stays locked until the transaction ends, None if there is none."""
    return connection.first(Organization, _LOCK, {"id": organization_id})


def insert(connection: Connection, organization_id: UUID, draft: OwnerDraft) -> Organization:
    """Add an organization."""
    return connection.one(Organization, _INSERT, {"id": organization_id, **_members(draft)})


def update(connection: Connection, organization_id: UUID, patch: OwnerPatch) -> Organization:
    """Write name, display name and labels of an organization, those that are given."""
    return connection.one(Organization, _UPDATE, {"id": organization_id, **_members(patch)})


def projects_left(connection: Connection, organization_id: UUID) -> list[str]:
    """Return up to ten names of projects that an organization still has."""
    return connection.values(str, _PROJECTS_LEFT, {"id": organization_id})


def delete(connection: Connection, organization_id: UUID) -> None:
    """Delete an organization and its users."""
    connection.run(_DELETE, {"id": organization_id})


def projects(
    connection: Connection,
    *,
    organization_id: UUID | None,
    among: Sequence[UUID] | None,
    after: UUID | None,
    limit: int,
) -> list[Project]:
    """Return a page of an organization's projects, of those ``among`` when it is given; for None, of all of them."""
    conditions = {
        "(t.deleted_at IS NULL) = :value": True,
        "t.organization_id = :value": organization_id,
        "t.id = ANY(CAST(:value AS uuid[]))": None if among is None else list(among),
    }
    return oldest_first(connection, Project, _PROJECTS, conditions, after=after, limit=limit)


def project(connection: Connection, project_id: UUID) -> Project | None:
    """Return a project, None if there is none."""
    return connection.first(Project, _GET_PROJECT, {"id": project_id})


def lock_project(connection: Connection, project_id: UUID) -> Project | None:
    """Return a project whose row stays locked until the transaction ends, None if there is none."""
    return connection.first(Project, _LOCK_PROJECT, {"id": project_id})


def insert_project(connection: Connection, project_id: UUID, organization_id: UUID, draft: OwnerDraft) -> Project:
    """Add a project."""
    parameters = {"id": project_id, "organization": organization_id, **_members(draft)}
    return connection.one(Project, _INSERT_PROJECT, parameters)


def update_project(connection: Connection, project_id: UUID, patch: OwnerPatch) -> Project:
    """Write name, display name and labels of a project, those that are given."""
    return connection.one(Project, _UPDATE_PROJECT, {"id": project_id, **_members(patch)})


def resources_left(connection: Connection, organization_id: UUID, project_id: UUID) -> list[str]:
    """Return up to ten resources that a project still has, as ``volume data``."""
    return resource_names(connection, _RESOURCES_LEFT, {"organization": organization_id, "id": project_id})


def delete_project(connection: Connection, organization_id: UUID, project_id: UUID) -> None:
    """Delete a project and the role bindings in it."""
    connection.run(_DELETE_PROJECT, {"organization": organization_id, "id": project_id})
