# SPDX-License-Identifier: Apache-2.0
"""Logging in and out, who one is, and one's own tokens."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flask import Response, g, request

from stratoplane.errors import RateLimitedError
from stratoplane_api import answers
from stratoplane_api.authentication import shown_token
from stratoplane_api.declarations import UNVERSIONED, Body, Noun, creation, deletion, listing
from stratoplane_api.endpoints import Endpoint, Gate
from stratoplane_api.gateway import context, database, gateway, page
from stratoplane_api.login_throttle import LoginAttempt
from stratoplane_api.namespaces import COMMON
from stratoplane_api.presentation import identity as presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.tracing import Trace
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import identity

_SESSION: Final = "Session"
_TOKEN: Final = Noun(tag="Tokens", answer=schemas.Token, example=examples.TOKEN)
_NEW_TOKEN: Final = Noun(
    tag="Tokens", answer=schemas.TokenCreated, example={**examples.TOKEN, "token": examples.SECRET}
)


@COMMON.add(
    Endpoint(
        id="log_in",
        method="POST",
        path="/login",
        access=Gate.PUBLIC,
        summary="Log in: exchange a username and password for a token",
        description="After many wrong passwords a login is told to wait some seconds (429). One that sends a token of"
        " the user, even an expired one, in `Authorization` does not wait for what others did.",
        tag=_SESSION,
        body=schemas.Login,
        body_example={"username": "alice@example.org", "password": "a long pass phrase"},
        answer=schemas.Session,
        example=examples.SESSION,
        errors=(401,),
    )
)
def log_in(body: Body) -> Response:
    username = str(body["username"])
    attempt = _begin_login(username)
    trace: Trace = g.trace
    session = identity.log_in(
        database(),
        gateway().passwords,
        username,
        str(body["password"]),
        request_id=trace.request_id,
        remote=request.remote_addr or "",
    )
    throttle = gateway().throttle
    if throttle is not None and attempt is not None:
        throttle.succeed(attempt)
    return answers.content(presentation.session(session))


def _begin_login(username: str) -> LoginAttempt | None:
    """Count one login; one that would have to wait is counted by a token of the user instead, if it shows one."""
    throttle = gateway().throttle
    if throttle is None:
        return None
    try:
        return throttle.begin(request.remote_addr, username)
    except RateLimitedError:
        token = shown_token()
        if token is None or not identity.was_issued_to(database(), token, username):
            raise
        return throttle.begin_from_device(request.remote_addr, username, token)


@COMMON.add(
    Endpoint(
        id="log_out",
        method="POST",
        path="/logout",
        access=Permission.SELF,
        summary="Log out: revoke the token of this request",
        tag=_SESSION,
        success=204,
        changes_access=True,
    )
)
def log_out() -> Response:
    identity.log_out(database(), context())
    return answers.empty()


@COMMON.add(
    Endpoint(
        id="get_me",
        method="GET",
        path="/me",
        access=Permission.SELF,
        summary="Show the user of the token and its permissions",
        tag=_SESSION,
        answer=schemas.Me,
        example=examples.ME,
    )
)
def get_me() -> Response:
    return answers.content(presentation.me(identity.get_me(database(), context())))


@COMMON.add(
    listing(
        "list_tokens",
        "/tokens",
        noun=_TOKEN,
        access=Permission.SELF,
        summary="List tokens",
    )
)
def list_tokens() -> Response:
    return answers.page_of(identity.list_tokens(database(), context(), page()), presentation.token)


@COMMON.add(
    creation(
        "create_token",
        "/tokens",
        noun=_NEW_TOKEN,
        access=Permission.SELF,
        summary="Create a token",
        body=schemas.TokenCreate,
        body_example={"name": "ci", "expires_in": 2_592_000},
        features=UNVERSIONED,
    )
)
def create_token(body: Body) -> Response:
    seconds = body.get("expires_in")
    lifetime = timedelta(seconds=seconds) if isinstance(seconds, int) else None
    made = identity.create_token(database(), context(), str(body["name"]), lifetime)
    return answers.created(presentation.issued_token(made), f"{request.path}/{made.token.id}")


@COMMON.add(
    deletion(
        "delete_token",
        "/tokens/<id:id>",
        noun=_TOKEN,
        access=Permission.SELF,
        summary="Delete a token",
        features=UNVERSIONED,
        changes_access=True,
    )
)
def delete_token(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    identity.delete_token(database(), context(), id)
    return answers.empty()
