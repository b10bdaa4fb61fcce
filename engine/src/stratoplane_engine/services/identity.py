# SPDX-License-Identifier: Apache-2.0
"""Logging in and out, who one is, and one's own tokens: what every user may do, whatever roles it has."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane.wire import rfc3339
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Grant
from stratoplane_engine.db import account_counts, audit, organizations
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db.account_counts import Counted
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.identity import (
    Account,
    IssuedToken,
    Organization,
    Session,
    Token,
    TokenKind,
    User,
)
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import credentials, listings
from stratoplane_engine.services.account_limits import require_room
from stratoplane_engine.services.audit_records import login_record, record, refused_login_record
from stratoplane_engine.services.credentials import PasswordHasher, TokenPrefix

_ORDER: Final = listings.oldest_first(Token)

SESSION_LIFETIME: Final = timedelta(hours=12)
MOST_SESSIONS: Final = 100
"""Sessions that a user has at once; the next login ends the oldest, because refusing it would lock the user out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Me:
    """Who a credential stands for, and what it may do."""

    user: User
    organization: Organization
    grants: tuple[Grant, ...]


def log_in(
    database: Database,
    passwords: PasswordHasher,
    username: str,
    password: str,
    *,
    request_id: str = "",
    remote: str = "",
) -> Session:
    """Return a new session of a user.

    An unknown name takes as long as a wrong password and gets the same answer.

    Args:
        database: has the user, and keeps the token's digest.
        passwords: checks the password.
        username: as it was typed.
        password: as it was typed.
        request_id: of the request, for the audit trail.
        remote: address of the caller, for the audit trail.

    Raises:
        AuthenticationFailedError: name or password are wrong, or the user is disabled; the refusal is on record.
    """
    with database.system_reads() as connection:
        found = rows.find_account(connection, username)
    if not passwords.matches(found.password_hash if found else None, password) or found is None:
        with database.system() as connection:
            audit.write(connection, refused_login_record(found, request_id=request_id, remote=remote))
        raise AuthenticationFailedError("the user name or the password is wrong")
    return _open_session(database, found, login_record(found, request_id=request_id, remote=remote))


def _open_session(database: Database, account: Account, event: AuditRecord) -> Session:
    secret = credentials.new_token(TokenPrefix.SESSION)
    with database.tenant(account.organization_id) as connection:
        token = rows.insert_token(
            connection,
            token_id=new_id(),
            organization_id=account.organization_id,
            user_id=account.id,
            kind=TokenKind.SESSION,
            secret_hash=credentials.token_hash(secret),
            lifetime=SESSION_LIFETIME,
        )
        if account_counts.count(connection, Counted.SESSIONS, account.id, most=MOST_SESSIONS + 1) > MOST_SESSIONS:
            account_counts.end_oldest_sessions(connection, account.id, keep=MOST_SESSIONS)
        audit.write(connection, event)
    return Session(issued=IssuedToken(token=token, secret=secret), user=account)


def was_issued_to(database: Database, token: str, username: str) -> bool:
    """Tell whether a token was given to the user of this name, whether or not it still opens anything."""
    if not credentials.is_token(token):
        return False
    with database.system_reads() as connection:
        return rows.was_issued_to(connection, credentials.token_hash(token), username)


def log_out(database: Database, context: RequestContext) -> None:
    """Revoke the token that was shown."""
    actor = context.actor
    with database.tenant(actor.organization_id) as connection:
        rows.revoke_token(connection, actor.id, actor.credential_id)
        audit.write(connection, record(context, AuditAction.USER_LOGGED_OUT, actor.id, actor.name))


def get_me(database: Database, context: RequestContext) -> Me:
    """Return the actor's user, organization and grants. Raises ResourceNotFoundError."""
    actor = context.actor
    with database.tenant_reads(actor.organization_id) as connection:
        user = rows.user(connection, organization_id=actor.organization_id, user_id=actor.id)
        home = organizations.get(connection, actor.organization_id)
    if user is None or home is None:
        raise ResourceNotFoundError("the user was deleted a moment ago")
    return Me(user=user, organization=home, grants=actor.grants)


def list_tokens(database: Database, context: RequestContext, page: Page) -> Listing[Token]:
    """Return a page of the actor's own API tokens. Raises InvalidSpecError: the cursor is of another list."""
    after = _ORDER.begin(page)
    with database.tenant_reads(context.actor.organization_id) as connection:
        found = rows.api_tokens(connection, context.actor.id, after=after, limit=page.limit + 1)
    return _ORDER.listing(found, page)


def create_token(
    database: Database, context: RequestContext, name: str, lifetime: timedelta | None = None
) -> IssuedToken:
    """Return a new API token with its secret, which is never shown again; it has the grants of its owner.

    Args:
        database: keeps the token's digest.
        context: who asks, with which token.
        name: for the owner to know it by.
        lifetime: until it expires; without it the token lives until it is deleted.

    Raises:
        PermissionDeniedError: it would outlive the API token that asks for it; log in with the password instead.
        QuotaExceededError: the user has as many tokens as it may.
    """
    secret = credentials.new_token(TokenPrefix.API)
    actor = context.actor
    with database.tenant(actor.organization_id) as connection:
        require_room(connection, Counted.TOKENS, actor.id, limit=context.limits.tokens)
        token = rows.insert_token(
            connection,
            token_id=new_id(),
            organization_id=actor.organization_id,
            user_id=actor.id,
            kind=TokenKind.API,
            name=name,
            secret_hash=credentials.token_hash(secret),
            lifetime=lifetime,
        )
        _refuse_longer_life(token, rows.token(connection, actor.id, actor.credential_id))
        audit.write(connection, record(context, AuditAction.TOKEN_CREATED, token.id, name))
    return IssuedToken(token=token, secret=secret)


def _refuse_longer_life(made: Token, shown: Token | None) -> None:
    """Let a stolen API token make nothing that outlives it; a session comes from the password itself."""
    if shown is None or shown.kind is not TokenKind.API or shown.expires_at is None:
        return
    if made.expires_at is None or made.expires_at > shown.expires_at:
        end = rfc3339(shown.expires_at)
        raise PermissionDeniedError(
            f"the API token that you show expires at {end} and makes none that live longer; ask for less or log in"
        )


def delete_token(database: Database, context: RequestContext, token_id: UUID) -> None:
    """Revoke one of the actor's own tokens; it opens nothing from now on.

    Raises:
        ResourceNotFoundError: the actor has no such token.
    """
    with database.tenant(context.actor.organization_id) as connection:
        found = rows.revoke_token(connection, context.actor.id, token_id)
        if found is None:
            raise ResourceNotFoundError(f"you have no token {token_id}; list your tokens")
        audit.write(connection, record(context, AuditAction.TOKEN_DELETED, token_id, found.name))
