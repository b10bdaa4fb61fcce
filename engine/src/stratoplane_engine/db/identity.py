# SPDX-License-Identifier: Apache-2.0
"""Users, tokens, roles and role bindings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection, dump_json
from stratoplane_engine.db.keyset import oldest_first
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import (
    Account,
    HeldRole,
    Role,
    RoleBinding,
    Scope,
    Token,
    TokenKind,
    User,
)

IDENTITY_CHANNEL: Final = "stratoplane_identity"
"""Is notified, by triggers, when what a token stands for may have changed."""

_ROLES_HELD: Final = """
    (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.name, 'scope', b.scope, 'organization_id',
        b.organization_id, 'project_id', b.project_id, 'permissions', to_jsonb(r.permissions))), '[]')
        FROM role_binding b JOIN role r ON r.id = b.role_id WHERE b.user_id = t.id) AS roles
"""
_USER: Final = """
    t.id, t.organization_id, t.username, t.display_name, t.enabled, t.version, t.created_at, t.updated_at
"""
_USERS: Final = f"SELECT {_USER}, {_ROLES_HELD} FROM user_account AS t"
_SHOWN: Final = "t.id, t.kind, t.name, t.created_at, t.expires_at"
_TOKENS: Final = f"SELECT {_SHOWN} FROM api_token AS t"
_ROLE: Final = "r.id, r.name, r.description, r.scope, r.permissions"
_BINDINGS: Final = """
SELECT t.id, t.organization_id, t.user_id, t.scope, t.project_id, t.created_at, r.name AS role, r.permissions,
    u.username FROM role_binding AS t JOIN role r ON r.id = t.role_id JOIN user_account u ON u.id = t.user_id
"""
_AUTHENTICATE: Final = Statement(f"""
SELECT k.id AS credential_id, t.id, t.username, t.organization_id, {_ROLES_HELD},
    CAST(extract(epoch FROM k.expires_at - clock_timestamp()) AS double precision) AS seconds_left
FROM api_token k JOIN user_account t ON t.id = k.user_id JOIN organization o ON o.id = t.organization_id
WHERE k.secret_hash = :secret_hash AND k.revoked_at IS NULL AND t.enabled AND t.deleted_at IS NULL
    AND o.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
""")
_ISSUED_TO: Final = Statement("""
SELECT EXISTS (SELECT FROM api_token k JOIN user_account u ON u.id = k.user_id
    WHERE k.secret_hash = :secret_hash AND u.username = :username AND u.deleted_at IS NULL)
""")
_FIND_ACCOUNT: Final = Statement(f"""
SELECT {_USER}, t.password_hash, {_ROLES_HELD}
FROM user_account AS t JOIN organization o ON o.id = t.organization_id
WHERE t.username = :username AND t.enabled AND t.deleted_at IS NULL AND o.deleted_at IS NULL
""")
_INSERT_TOKEN: Final = Statement(f"""
INSERT INTO api_token AS t (id, organization_id, user_id, kind, name, secret_hash, expires_at)
VALUES (:id, :organization, :user, :kind, :name, :secret_hash,
    clock_timestamp() + make_interval(secs => CAST(:lifetime AS double precision)))
RETURNING {_SHOWN}
""")
_REVOKE_TOKEN: Final = Statement(f"""
UPDATE api_token AS t SET revoked_at = clock_timestamp()
WHERE t.user_id = :user AND t.id = :id AND t.revoked_at IS NULL RETURNING {_SHOWN}
""")
_TOKEN_OF_USER: Final = Statement(f"{_TOKENS} WHERE t.user_id = :user AND t.id = :id")
_INSERT_USER: Final = Statement(f"""
INSERT INTO user_account AS t (id, organization_id, username, display_name, password_hash)
VALUES (:id, :organization, :username, :display_name, :password_hash) RETURNING {_USER}
""")
_DELETE_USER: Final = Statement("""
WITH gone AS (
    UPDATE user_account u SET deleted_at = clock_timestamp(), enabled = false, version = u.version + 1
    WHERE u.id = :id AND u.deleted_at IS NULL RETURNING u.id
),
tokens AS (
    UPDATE api_token t SET revoked_at = clock_timestamp() FROM gone
    WHERE t.user_id = gone.id AND t.revoked_at IS NULL
),
bindings AS (DELETE FROM role_binding b USING gone WHERE b.user_id = gone.id)
SELECT id FROM gone
""")
_SYNC_ROLES: Final = Statement("""
INSERT INTO role (id, name, description, permissions, scope)
SELECT r.id, r.name, r.description, r.permissions, r.scope
FROM jsonb_populate_recordset(NULL::role, CAST(:roles AS jsonb)) AS r
ON CONFLICT (name) DO UPDATE SET description = EXCLUDED.description, permissions = EXCLUDED.permissions,
    scope = EXCLUDED.scope
""")
_ROLES: Final = Statement(f"SELECT {_ROLE} FROM role r ORDER BY r.name")
_ROLE_BY_NAME: Final = Statement(f"SELECT {_ROLE} FROM role r WHERE r.name = :name")
_INSERT_BINDING: Final = Statement("""
WITH made AS (
    INSERT INTO role_binding (id, organization_id, user_id, role_id, scope, project_id)
    VALUES (:id, :organization, :user, :role, :scope, :project)
    RETURNING id, organization_id, user_id, role_id, scope, project_id, created_at
)
SELECT m.id, m.organization_id, m.user_id, m.scope, m.project_id, m.created_at, r.name AS role, r.permissions,
    u.username
FROM made m JOIN role r ON r.id = m.role_id JOIN user_account u ON u.id = m.user_id
""")
# Two administrators who take each other's role at once would each see the other: they go one after the other.
_LOCK_ADMINISTRATORS: Final = Statement("""
SELECT pg_advisory_xact_lock(hashtextextended('administrators ' || coalesce(CAST(:organization AS text), ''), 0))
""")
_ADMINISTRATORS: Final = Statement("""
SELECT DISTINCT b.user_id FROM role_binding b JOIN role r ON r.id = b.role_id JOIN user_account u ON u.id = b.user_id
WHERE :permission = ANY(r.permissions) AND u.enabled AND u.deleted_at IS NULL AND CASE
    WHEN CAST(:organization AS uuid) IS NULL THEN b.scope = 'PLATFORM'
    ELSE b.scope = 'ORGANIZATION' AND b.organization_id = CAST(:organization AS uuid) END
""")
_DELETE_BINDING: Final = Statement("DELETE FROM role_binding b WHERE b.id = :id")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOwner:
    """The user behind a token.

    Attributes:
        id: of the user, ``credential_id`` of the token.
        seconds_left: until the token expires, None for one that does not.
    """

    id: UUID
    username: str
    organization_id: UUID
    credential_id: UUID
    seconds_left: float | None
    roles: tuple[HeldRole, ...]


def token_owner(connection: Connection, secret_hash: str) -> TokenOwner | None:
    """Return the user behind a token with every role, None if the token opens nothing."""
    return connection.first(TokenOwner, _AUTHENTICATE, {"secret_hash": secret_hash})


def was_issued_to(connection: Connection, secret_hash: str, username: str) -> bool:
    """Tell whether a token, also one that has expired or was revoked, was given to the user of this name."""
    parameters = {"secret_hash": secret_hash, "username": username}
    return bool(connection.value(bool, _ISSUED_TO, parameters))


def find_account(connection: Connection, username: str) -> Account | None:
    """Return the user who may log in under this name."""
    return connection.first(Account, _FIND_ACCOUNT, {"username": username})


def insert_token(
    connection: Connection,
    *,
    token_id: UUID,
    organization_id: UUID,
    user_id: UUID,
    kind: TokenKind,
    secret_hash: str,
    name: str = "",
    lifetime: timedelta | None = None,
) -> Token:
    """Add a token; without a ``lifetime`` it does not expire."""
    parameters = {
        "id": token_id,
        "organization": organization_id,
        "user": user_id,
        "kind": kind,
        "name": name,
        "secret_hash": secret_hash,
        "lifetime": None if lifetime is None else lifetime.total_seconds(),
    }
    return connection.one(Token, _INSERT_TOKEN, parameters)


def revoke_token(connection: Connection, user_id: UUID, token_id: UUID) -> Token | None:
    """Revoke a user's token; return it, None if there is none."""
    return connection.first(Token, _REVOKE_TOKEN, {"user": user_id, "id": token_id})


def token(connection: Connection, user_id: UUID, token_id: UUID) -> Token | None:
    """Return a user's token, also one that has expired or was revoked; None if there is none."""
    return connection.first(Token, _TOKEN_OF_USER, {"user": user_id, "id": token_id})


def api_tokens(connection: Connection, user_id: UUID, *, after: UUID | None, limit: int) -> list[Token]:
    """Return a page of the tokens that a user made and that still open something."""
    conditions = {
        "t.user_id = :value": user_id,
        "t.revoked_at IS NULL AND t.kind = :value": TokenKind.API,
        "coalesce(t.expires_at > clock_timestamp(), :value)": True,
    }
    return oldest_first(connection, Token, _TOKENS, conditions, after=after, limit=limit)


def users(connection: Connection, *, organization_id: UUID | None, after: UUID | None, limit: int) -> list[User]:
    """Return a page of users; None means of every organization."""
    conditions = {"t.organization_id = :value": organization_id, "t.deleted_at IS NULL AND t.enabled = :value": True}
    return oldest_first(connection, User, _USERS, conditions, after=after, limit=limit)


def user(connection: Connection, *, organization_id: UUID | None, user_id: UUID) -> User | None:
    """Return one user, None if there is none."""
    conditions = {"t.organization_id = :value": organization_id, "t.deleted_at IS NULL AND t.id = :value": user_id}
    found = oldest_first(connection, User, _USERS, conditions, after=None, limit=1)
    return found[0] if found else None


def insert_user(
    connection: Connection,
    *,
    user_id: UUID,
    organization_id: UUID,
    username: str,
    display_name: str,
    password_hash: str,
) -> User:
    """Add a user; with an empty hash nobody can log in as it."""
    parameters = {
        "id": user_id,
        "organization": organization_id,
        "username": username,
        "display_name": display_name,
        "password_hash": password_hash,
    }
    return connection.one(User, _INSERT_USER, parameters)


def delete_user(connection: Connection, user_id: UUID) -> bool:
    """Delete a user with every token and role binding; tell whether there was one."""
    return connection.run(_DELETE_USER, {"id": user_id}) == 1


def sync_roles(connection: Connection, roles: Sequence[Role]) -> None:
    """Make the built-in roles be as this version of the platform has them; known names keep their ids."""
    connection.run(_SYNC_ROLES, {"roles": dump_json(roles)})


def roles(connection: Connection) -> list[Role]:
    """Return every role, by name."""
    return connection.all(Role, _ROLES)


def role(connection: Connection, name: str) -> Role | None:
    """Return a role by its name."""
    return connection.first(Role, _ROLE_BY_NAME, {"name": name})


def bindings(
    connection: Connection,
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[RoleBinding]:
    """Return a page of role bindings, of one organization or user where one is given."""
    conditions = {"t.organization_id = :value": organization_id, "t.user_id = :value": user_id}
    return oldest_first(connection, RoleBinding, _BINDINGS, conditions, after=after, limit=limit)


def binding(connection: Connection, *, organization_id: UUID | None, binding_id: UUID) -> RoleBinding | None:
    """Return one role binding, None if there is none; without an organization it may be of any."""
    conditions = {"t.organization_id = :value": organization_id, "t.id = :value": binding_id}
    found = oldest_first(connection, RoleBinding, _BINDINGS, conditions, after=None, limit=1)
    return found[0] if found else None


def insert_binding(
    connection: Connection,
    *,
    binding_id: UUID,
    organization_id: UUID,
    user_id: UUID,
    role_id: UUID,
    scope: Scope,
    project_id: UUID | None,
) -> RoleBinding:
    """Add a role binding."""
    parameters = {
        "id": binding_id,
        "organization": organization_id,
        "user": user_id,
        "role": role_id,
        "scope": scope,
        "project": project_id,
    }
    return connection.one(RoleBinding, _INSERT_BINDING, parameters)


def lock_administrators(connection: Connection, organization_id: UUID | None) -> None:
    """Let one transaction at a time end roles of an organization's administrators, of the platform's if it is None."""
    connection.run(_LOCK_ADMINISTRATORS, {"organization": organization_id})


def administrators(connection: Connection, organization_id: UUID | None, permission: str) -> frozenset[UUID]:
    """Return the ids of users whose role in an organization, or for None on the platform, has the permission."""
    parameters = {"organization": organization_id, "permission": permission}
    return frozenset(connection.values(UUID, _ADMINISTRATORS, parameters))


def delete_binding(connection: Connection, binding_id: UUID) -> bool:
    """Remove a role binding; tell whether there was one."""
    return connection.run(_DELETE_BINDING, {"id": binding_id}) == 1
