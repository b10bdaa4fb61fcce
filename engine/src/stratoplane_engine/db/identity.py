# SPDX-License-Identifier: Apache-2.0
"""Users, tokens, roles and role bindings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import rows_after

_GRANTS: Final = """
    (SELECT coalesce(jsonb_agg(jsonb_build_object('scope', b.scope, 'organization_id', b.organization_id,
        'project_id', b.project_id, 'role', r.name, 'permissions', to_jsonb(r.permissions))), '[]')
        FROM role_binding b JOIN role r ON r.id = b.role_id WHERE b.user_id = u.id) AS grants
"""
_AUTHENTICATE: Final = text(f"""
SELECT t.id AS credential_id, u.id, u.username, u.organization_id, {_GRANTS}
FROM api_token t JOIN user_account u ON u.id = t.user_id JOIN organization o ON o.id = u.organization_id
WHERE t.secret_hash = :secret_hash AND t.revoked_at IS NULL AND u.enabled AND u.deleted_at IS NULL
    AND o.deleted_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
""")
_FIND_LOGIN: Final = text(f"""
SELECT u.id, u.username, u.display_name, u.organization_id, u.password_hash, u.version, u.created_at, u.updated_at,
    u.enabled, {_GRANTS}
FROM user_account u JOIN organization o ON o.id = u.organization_id
WHERE u.username = :username AND u.enabled AND u.deleted_at IS NULL AND o.deleted_at IS NULL
""")
_INSERT_TOKEN: Final = text("""
INSERT INTO api_token (id, organization_id, user_id, kind, name, secret_hash, expires_at)
VALUES (:id, :organization_id, :user_id, :kind, :name, :secret_hash,
    clock_timestamp() + make_interval(secs => CAST(:lifetime AS double precision)))
RETURNING id, kind, name, created_at, expires_at
""")
_REVOKE: Final = text("""
UPDATE api_token t SET revoked_at = clock_timestamp()
WHERE t.user_id = :user AND t.id = :id AND t.revoked_at IS NULL RETURNING t.id, t.name
""")
_END: Final = text("SELECT t.kind, t.expires_at FROM api_token t WHERE t.user_id = :user AND t.id = :id")
_TOKENS: Final = "SELECT t.id, t.kind, t.name, t.created_at, t.expires_at FROM api_token AS t"
_USERS: Final = f"""
SELECT t.id, t.organization_id, t.username, t.display_name, t.enabled, t.version, t.created_at, t.updated_at,
    {_GRANTS.replace("u.id", "t.id")} FROM user_account AS t
"""
_INSERT_USER: Final = text("""
INSERT INTO user_account (id, organization_id, username, display_name, password_hash)
VALUES (:id, :organization_id, :username, :display_name, :password_hash)
RETURNING id, organization_id, username, display_name, enabled, version, created_at, updated_at
""")
_DELETE_USER: Final = text("""
WITH gone AS (
    UPDATE user_account u SET deleted_at = clock_timestamp(), enabled = false, version = u.version + 1
    WHERE u.id = :id AND u.deleted_at IS NULL RETURNING u.id, u.username, u.organization_id
),
tokens AS (
    UPDATE api_token t SET revoked_at = clock_timestamp() FROM gone
    WHERE t.user_id = gone.id AND t.revoked_at IS NULL
),
bindings AS (DELETE FROM role_binding b USING gone WHERE b.user_id = gone.id)
SELECT id, username, organization_id FROM gone
""")
_SYNC_ROLES: Final = text("""
INSERT INTO role (id, name, description, permissions, scope)
SELECT r.id, r.name, r.description, r.permissions, r.scope
FROM jsonb_populate_recordset(NULL::role, CAST(:roles AS jsonb)) AS r
ON CONFLICT (name) DO UPDATE SET description = EXCLUDED.description, permissions = EXCLUDED.permissions,
    scope = EXCLUDED.scope
""")
_ROLES: Final = text("SELECT r.id, r.name, r.description, r.scope, r.permissions FROM role r ORDER BY r.name")
_ROLE: Final = text("SELECT r.id, r.name, r.description, r.scope, r.permissions FROM role r WHERE r.name = :name")
_BINDINGS: Final = """
SELECT t.id, t.organization_id, t.user_id, t.scope, t.project_id, t.created_at, r.name AS role, r.permissions,
    u.username FROM role_binding AS t JOIN role r ON r.id = t.role_id JOIN user_account u ON u.id = t.user_id
"""
_INSERT_BINDING: Final = text("""
INSERT INTO role_binding (id, organization_id, user_id, role_id, scope, project_id)
VALUES (:id, :organization_id, :user_id, :role_id, :scope, :project_id)
""")
_DELETE_BINDING: Final = text("DELETE FROM role_binding b WHERE b.id = :id RETURNING b.id")


def authenticate(connection: Connection, secret_hash: str) -> Mapping[str, Any] | None:
    """Return the user behind a token with every grant, None if the token opens nothing."""
    row = connection.execute(_AUTHENTICATE, {"secret_hash": secret_hash}).one_or_none()
    return row._asdict() if row else None


def find_login(connection: Connection, username: str) -> Mapping[str, Any] | None:
    """Return the user who may log in under this name."""
    row = connection.execute(_FIND_LOGIN, {"username": username}).one_or_none()
    return row._asdict() if row else None


def insert_token(connection: Connection, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add a token; ``lifetime`` is in seconds, None for no end."""
    return connection.execute(_INSERT_TOKEN, dict(values)).one()._asdict()


def revoke_token(connection: Connection, user_id: UUID, token_id: UUID) -> Mapping[str, Any] | None:
    """Revoke a user's token; return it, None if there is none."""
    row = connection.execute(_REVOKE, {"user": user_id, "id": token_id}).one_or_none()
    return row._asdict() if row else None


def token_end(connection: Connection, user_id: UUID, token_id: UUID) -> Mapping[str, Any] | None:
    """Return kind and end of a user's token, also of one that is over."""
    row = connection.execute(_END, {"user": user_id, "id": token_id}).one_or_none()
    return row._asdict() if row else None


def tokens(connection: Connection, user_id: UUID, *, after: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Return a page of the tokens that a user made and that still open something."""
    conditions = {
        "t.user_id = :value": user_id,
        "t.revoked_at IS NULL AND t.kind = :value": "api",
        "coalesce(t.expires_at > clock_timestamp(), :value)": True,
    }
    return rows_after(connection, _TOKENS, conditions, after=after, limit=limit)


def users(
    connection: Connection, *, organization_id: UUID | None, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return a page of users; None means of every organization."""
    conditions = {"t.organization_id = :value": organization_id, "t.deleted_at IS NULL AND t.enabled = :value": True}
    return rows_after(connection, _USERS, conditions, after=after, limit=limit)


def user(connection: Connection, *, organization_id: UUID | None, user_id: UUID) -> dict[str, Any] | None:
    """Return one user, None if there is none."""
    conditions = {"t.organization_id = :value": organization_id, "t.deleted_at IS NULL AND t.id = :value": user_id}
    found = rows_after(connection, _USERS, conditions, after=None, limit=1)
    return found[0] if found else None


def insert_user(connection: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Add a user."""
    return connection.execute(_INSERT_USER, dict(values)).one()._asdict() | {"grants": []}


def delete_user(connection: Connection, user_id: UUID) -> Mapping[str, Any] | None:
    """End a user with every token and role binding; None if there is none."""
    row = connection.execute(_DELETE_USER, {"id": user_id}).one_or_none()
    return row._asdict() if row else None


def sync_roles(connection: Connection, roles: Sequence[Mapping[str, Any]]) -> None:
    """Make the built-in roles be as this version of the platform has them."""
    connection.execute(_SYNC_ROLES, {"roles": dump_json(roles)})


def roles(connection: Connection) -> Sequence[dict[str, Any]]:
    """Return every role, by name."""
    return [row._asdict() for row in connection.execute(_ROLES)]


def role(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return a role by its name."""
    row = connection.execute(_ROLE, {"name": name}).one_or_none()
    return row._asdict() if row else None


def bindings(
    connection: Connection,
    *,
    organization_id: UUID | None,
    after: str | None,
    limit: int,
    user_id: UUID | None = None,
    binding_id: UUID | None = None,
) -> Sequence[dict[str, Any]]:
    """Return a page of role bindings."""
    conditions = {
        "t.organization_id = :value": organization_id,
        "t.user_id = :value": user_id,
        "t.id = :value": binding_id,
    }
    return rows_after(connection, _BINDINGS, conditions, after=after, limit=limit)


def insert_binding(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add a role binding."""
    connection.execute(_INSERT_BINDING, dict(values))


def delete_binding(connection: Connection, binding_id: UUID) -> bool:
    """Remove a role binding; tell whether there was one."""
    return connection.execute(_DELETE_BINDING, {"id": binding_id}).one_or_none() is not None
