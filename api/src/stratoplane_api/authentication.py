# SPDX-License-Identifier: Apache-2.0
"""Who sends a request: people and programs by a bearer token, agents by a signature."""

import re
from collections.abc import Callable
from typing import Final

from flask import Flask, Response, g, request

from stratoplane.errors import AuthenticationFailedError
from stratoplane.signatures import BadSignatureError, Message, Signed, check_body, read_request
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.listener import Listener
from stratoplane_engine.db.connection import Database
from stratoplane_engine.model.cluster import Refusal
from stratoplane_engine.services import agent_authentication
from stratoplane_engine.services.authentication import Authenticator

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{1,512}=*) *", re.IGNORECASE)
_MISSING: Final = "send a token as 'Authorization: Bearer <token>'; POST /api/common/v1/login gives one"


def bearer_token(header: str | None) -> str:
    """Return the token of an ``Authorization`` header (RFC 6750).

    Raises:
        AuthenticationFailedError: there is none, or another scheme; the caller logs in.
    """
    match = _BEARER.fullmatch(header or "")
    if match is None:
        raise AuthenticationFailedError(_MISSING)
    return match[1]


def shown_token() -> str | None:
    """Return the token that the current request carries, None without one; nobody has looked whether it opens."""
    match = _BEARER.fullmatch(request.headers.get("Authorization") or "")
    return None if match is None else match[1]


def by_token(authenticate: Callable[[str], object]) -> Callable[[], object]:
    """Return what tells whom the token of the current request stands for."""
    return lambda: authenticate(bearer_token(request.headers.get("Authorization")))


def while_listening(authenticator: Authenticator, listener: Listener) -> Callable[[str], object]:
    """Return what tells whom a token stands for, while ``listener`` tells ``authenticator`` of changes."""

    def authenticate(token: str) -> object:
        listener.ensure()
        return authenticator.authenticate(token)

    return authenticate


def forget_after_changes(app: Flask, authenticator: Authenticator) -> None:
    """Have ``app`` answer a request that changes what tokens stand for only when nothing older is kept."""

    @app.after_request
    def forget(response: Response) -> Response:
        endpoint: Endpoint | None = g.get("endpoint")
        if endpoint is not None and endpoint.changes_access:
            authenticator.forget()
        return response


def by_signature(database: Database) -> Callable[[], object]:
    """Return what tells which agent signed the current request; the body is read when the signature is genuine."""

    def authenticate() -> object:
        try:
            identity = agent_authentication.authenticate(database, signed_request())
            check_body(request.get_data(), request.headers)
        except BadSignatureError as error:
            raise agent_authentication.refused(database, None, Refusal.UNSIGNED, str(error)) from error
        return identity

    return authenticate


def signed_request() -> Signed:
    """Return the signature of the current request. Raises BadSignatureError."""
    query = request.query_string.decode("latin-1")
    return read_request(Message(method=request.method, path=request.path, query=query), request.headers)
