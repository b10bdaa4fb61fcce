# SPDX-License-Identifier: Apache-2.0
"""Logging in, tokens, and who a credential stands for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.access.permissions import Grant, Permission
from stratoplane_engine.db import audit, organizations
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import credentials, listings
from stratoplane_engine.services.audit_records import record

SESSION_LIFETIME: Final = timedelta(hours=12)
_KNOWN: Final = frozenset(Permission)


def log_in(
    database: Database, username: str, password: str, *, request_id: str = "", remote: str = ""
) -> dict[str, Any]:
    """Return a new session token of a user: ``token`` (shown this once), ``token_id``, ``expires_at`` and ``user``.

    An unknown name takes as long as a wrong password and gets the same answer.

    Raises:
        AuthenticationFailedError: name or password are wrong, or the user is disabled; the refusal is on record.
    """
    with database.system() as connection:
        found = rows.find_login(connection, username)
    if not credentials.password_matches(found["password_hash"] if found else None, password) or found is None:
        _refuse(database, username, found, request_id, remote)
        raise AuthenticationFailedError("the user name or the password is wrong")
    token = credentials.new_token("ses")
    with database.tenant(found["organization_id"]) as connection:
        made = _insert_token(connection, found["organization_id"], found["id"], "ses", "", token, SESSION_LIFETIME)
        event = AuditRecord(
            action=AuditAction.USER_LOGGED_IN,
            actor=f"user:{username}",
            occurred_at=datetime.now(UTC),
            organization_id=found["organization_id"],
            subject_id=found["id"],
            subject_name=username,
            request_id=request_id,
            detail={"remote": remote},
        )
        audit.write(connection, event)
    expires_at = instant(made["expires_at"])
    return {"token": token, "token_id": str(made["id"]), "expires_at": expires_at, "user": user_wire(found)}


def _refuse(database: Database, username: str, found: Mapping[str, Any] | None, request_id: str, remote: str) -> None:
    event = AuditRecord(
        action=AuditAction.USER_LOGIN_REFUSED,
        actor="anonymous",
        occurred_at=datetime.now(UTC),
        outcome="refused",
        organization_id=found["organization_id"] if found else None,
        subject_id=found["id"] if found else None,
        subject_name=username if found else "",
        request_id=request_id,
        detail={"remote": remote},
    )
    with database.system() as connection:
        audit.write(connection, event)


def authenticate(database: Database, credential: str) -> Actor:
    """Return who a token stands for, with every grant.

    Raises:
        AuthenticationFailedError: it is mistyped, unknown, over or revoked; the caller logs in again.
    """
    row = None
    if credentials.is_token(credential):
        with database.system() as connection:
            row = rows.authenticate(connection, credentials.token_hash(credential))
    if row is None:
        raise AuthenticationFailedError("the token is unknown, over or revoked; log in again")
    return Actor(
        id=row["id"],
        name=f"user:{row['username']}",
        organization_id=row["organization_id"],
        credential_id=row["credential_id"],
        grants=tuple(map(read_grant, row["grants"])),
    )


def read_grant(document: Mapping[str, Any]) -> Grant:
    """Return the grant that a row's JSON tells of; permissions of a newer version are left out."""
    project = document["project_id"]
    return Grant(
        scope=Scope(document["scope"]),
        organization_id=UUID(document["organization_id"]),
        project_id=UUID(project) if project else None,
        permissions=frozenset(Permission(each) for each in document["permissions"] if each in _KNOWN),
    )


def log_out(database: Database, context: RequestContext) -> None:
    """Revoke the token that was shown."""
    require(context, Permission.SELF, organization_id=context.actor.organization_id, own=True)
    with database.tenant(context.actor.organization_id) as connection:
        rows.revoke_token(connection, context.actor.id, context.actor.credential_id)
        audit.write(connection, record(context, AuditAction.USER_LOGGED_OUT, context.actor.id, context.actor.name))


def get_me(database: Database, context: RequestContext) -> dict[str, Any]:
    """Return the actor's user, organization and grants."""
    actor = context.actor
    require(context, Permission.SELF, organization_id=actor.organization_id, own=True)
    with database.tenant(actor.organization_id) as connection:
        user = rows.user(connection, organization_id=actor.organization_id, user_id=actor.id)
        home = organizations.get(connection, actor.organization_id)
    if user is None or home is None:
        raise ResourceNotFoundError("the user was deleted a moment ago")
    grants = [
        {
            "scope": grant.scope.value,
            "organization_id": str(grant.organization_id),
            "project_id": str(grant.project_id) if grant.project_id else None,
            "permissions": sorted(each.value for each in grant.permissions),
        }
        for grant in actor.grants
    ]
    return {"user": user_wire(user), "organization": organization_wire(home), "grants": grants}


def list_tokens(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of the actor's own API tokens."""
    require(context, Permission.SELF, organization_id=context.actor.organization_id, own=True)
    with database.tenant(context.actor.organization_id) as connection:
        found = rows.tokens(connection, context.actor.id, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, token_wire)


def create_token(
    database: Database, context: RequestContext, name: str, lifetime: timedelta | None = None
) -> dict[str, Any]:
    """Return a new API token with its secret, which is never shown again; it has the grants of its owner.

    Raises:
        PermissionDeniedError: it would outlive the API token that asks for it; log in with the password instead.
    """
    require(context, Permission.SELF, organization_id=context.actor.organization_id, own=True)
    token = credentials.new_token("api")
    actor = context.actor
    with database.tenant(actor.organization_id) as connection:
        made = _insert_token(connection, actor.organization_id, actor.id, "api", name, token, lifetime)
        _refuse_longer_life(made, rows.token_end(connection, actor.id, actor.credential_id))
        audit.write(connection, record(context, AuditAction.TOKEN_CREATED, made["id"], name))
    return token_wire(made) | {"token": token}


def _refuse_longer_life(made: Mapping[str, Any], shown: Mapping[str, Any] | None) -> None:
    """Let a stolen API token make nothing that lives on when it is over; a session comes from the password itself."""
    if shown is None or shown["kind"] != "api" or shown["expires_at"] is None:
        return
    if made["expires_at"] is None or made["expires_at"] > shown["expires_at"]:
        end = instant(shown["expires_at"])
        raise PermissionDeniedError(
            f"the API token that you show ends at {end} and makes none that live longer; ask for less or log in"
        )


def delete_token(database: Database, context: RequestContext, token_id: UUID) -> None:
    """Revoke one of the actor's own tokens; it opens nothing from now on.

    Raises:
        ResourceNotFoundError: the actor has no such token.
    """
    require(context, Permission.SELF, organization_id=context.actor.organization_id, own=True)
    with database.tenant(context.actor.organization_id) as connection:
        found = rows.revoke_token(connection, context.actor.id, token_id)
        if found is None:
            raise ResourceNotFoundError(f"you have no token {token_id}; list your tokens")
        audit.write(connection, record(context, AuditAction.TOKEN_DELETED, token_id, found["name"]))


def _insert_token(
    connection: Connection, organization: UUID, user: UUID, kind: str, name: str, token: str, lifetime: timedelta | None
) -> Mapping[str, Any]:
    values = {
        "id": new_id(),
        "organization_id": organization,
        "user_id": user,
        "kind": "session" if kind == "ses" else "api",
        "name": name,
        "secret_hash": credentials.token_hash(token),
        "lifetime": lifetime.total_seconds() if lifetime else None,
    }
    return rows.insert_token(connection, values)


def token_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token's row in wire form."""
    times = {name: instant(row[name]) for name in ("created_at", "expires_at")}
    return {"id": str(row["id"]), "name": row["name"], "kind": row["kind"], **times}


def user_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user's row in wire form."""
    return {
        "id": str(row["id"]),
        "username": row["username"],
        "display_name": row["display_name"],
        "enabled": row["enabled"],
        "organization_id": str(row["organization_id"]),
        "version": row["version"],
        "created_at": instant(row["created_at"]),
        "updated_at": instant(row["updated_at"]),
    }


def organization_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an organization's or project's row in wire form."""
    home = {"organization_id": str(row["organization_id"])} if "organization_id" in row else {}
    return {
        "id": str(row["id"]),
        **home,
        "name": row["name"],
        "display_name": row["display_name"],
        "labels": row["labels"],
        "version": row["version"],
        "created_at": instant(row["created_at"]),
        "updated_at": instant(row["updated_at"]),
    }
