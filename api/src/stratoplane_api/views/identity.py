# SPDX-License-Identifier: Apache-2.0
"""Logging in and out, who one is, and one's own tokens."""

import hashlib
from datetime import timedelta
from typing import Any, Final

from flask import Response, g, request

from stratoplane_api import answers
from stratoplane_api.endpoints import LOGIN, Endpoint, Gate
from stratoplane_api.gateway import context, database, gateway
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.service_types import Json
from stratoplane_api.tracing import Trace
from stratoplane_api.views import collections
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import identity

_SESSION: Final = "Session"
TOKENS: Final = collections.Noun(
    name="token",
    plural="tokens",
    path="/tokens",
    answer=schemas.Token,
    example=examples.TOKEN,
    read=Permission.SELF,
    write=Permission.SELF,
    versioned=False,
)


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_session(routes)
    _serve_me(routes)
    collections.serve_list(routes, TOKENS, identity.list_tokens)
    collections.serve_create(
        routes,
        TOKENS,
        schemas.TokenCreate,
        {"name": "ci", "expires_in": 2_592_000},
        lambda database, context, body: identity.create_token(database, context, body["name"], _lifetime(body)),
        answer=schemas.TokenCreated,
        answer_example={**examples.TOKEN, "token": examples.SECRET},
    )
    collections.serve_delete(routes, TOKENS, identity.delete_token)


def _serve_session(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id=LOGIN,
            method="POST",
            path="/login",
            access=Gate.PUBLIC,
            summary="Exchange a user's name and password for a token",
            tag=_SESSION,
            body=schemas.Login,
            body_example={"username": "alice@example.org", "password": "a long pass phrase"},
            answer=schemas.Session,
            example=examples.SESSION,
            errors=(401,),
        )
    )
    def log_in(body: dict[str, Any]) -> Response:
        _count_login(body["username"])
        trace: Trace = g.trace
        session = identity.log_in(
            database(),
            body["username"],
            body["password"],
            request_id=trace.request_id,
            remote=request.remote_addr or "",
        )
        return answers.content(session)

    @routes.add(
        Endpoint(
            id="log_out",
            method="POST",
            path="/logout",
            access=Permission.SELF,
            summary="End the token that is shown",
            tag=_SESSION,
            success=204,
        )
    )
    def log_out() -> Response:
        identity.log_out(database(), context())
        return answers.empty()


def _count_login(username: str) -> None:
    """Count one login; by address as well, so that nobody can shut a user out from elsewhere."""
    limiter = gateway().limiter
    if limiter is not None:
        name = hashlib.sha256(f"{request.remote_addr}|{username}".encode()).hexdigest()[:32]
        limiter.take(gateway().login_limit, name)


def _serve_me(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="get_me",
            method="GET",
            path="/me",
            access=Permission.SELF,
            summary="Show who the token stands for and what it may do",
            tag=_SESSION,
            answer=schemas.Me,
            example=examples.ME,
        )
    )
    def get_me() -> Response:
        return answers.content(identity.get_me(database(), context()))


def _lifetime(body: Json) -> timedelta | None:
    return timedelta(seconds=body["expires_in"]) if "expires_in" in body else None
