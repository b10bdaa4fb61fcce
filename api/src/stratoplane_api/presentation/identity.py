# SPDX-License-Identifier: Apache-2.0
"""Users, tokens, sessions, roles and role bindings on the wire."""

from stratoplane_api.presentation.organizations import organization
from stratoplane_engine.access.permissions import Grant
from stratoplane_engine.model.identity import IssuedToken, Role, RoleBinding, Session, Token, User
from stratoplane_engine.services.identity import Me


def user(value: User) -> dict[str, object]:
    """Return the wire form of a user."""
    return {
        "id": value.id,
        "username": value.username,
        "display_name": value.display_name,
        "enabled": value.enabled,
        "organization_id": value.organization_id,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }


def token(value: Token) -> dict[str, object]:
    """Return the wire form of a token, without its secret."""
    return {
        "id": value.id,
        "name": value.name,
        "kind": value.kind,
        "created_at": value.created_at,
        "expires_at": value.expires_at,
    }


def issued_token(value: IssuedToken) -> dict[str, object]:
    """Return the wire form of a new token, with its secret."""
    return {**token(value.token), "token": value.secret}


def session(value: Session) -> dict[str, object]:
    """Return the wire form of a login."""
    return {
        "token": value.issued.secret,
        "token_id": value.issued.token.id,
        "expires_at": value.issued.token.expires_at,
        "user": user(value.user),
    }


def me(value: Me) -> dict[str, object]:
    """Return the wire form of who asks."""
    return {
        "user": user(value.user),
        "organization": organization(value.organization),
        "grants": [_grant(each) for each in value.grants],
    }


def _grant(value: Grant) -> dict[str, object]:
    return {
        "scope": value.scope,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "permissions": sorted(value.permissions),
    }


def role(value: Role) -> dict[str, object]:
    """Return the wire form of a role."""
    return {
        "id": value.id,
        "name": value.name,
        "description": value.description,
        "scope": value.scope,
        "permissions": sorted(value.permissions),
    }


def role_binding(value: RoleBinding) -> dict[str, object]:
    """Return the wire form of a role binding."""
    return {
        "id": value.id,
        "user_id": value.user_id,
        "username": value.username,
        "role": value.role,
        "scope": value.scope,
        "organization_id": value.organization_id,
        "project_id": value.project_id,
        "created_at": value.created_at,
    }
