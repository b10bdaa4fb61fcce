# SPDX-License-Identifier: Apache-2.0
"""What every request passes before its view, in this order: trace, size, credential, rate limit, permission.

Requests are counted by who sends them: all tokens of a user together, an agent whatever key it signs with, and an
address where nobody is known. What the sender can have any number of (tokens, names, made-up credentials) is not
counted by, and nobody can use up what is another's.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, current_app, g, request

from stratoplane.errors import AuthenticationFailedError, PermissionDeniedError, StratoplaneError
from stratoplane_api.endpoints import MOST_SWALLOWED, SMALL_BODY, Endpoint, Gate
from stratoplane_api.origin import origin
from stratoplane_api.ratelimit import Allowance, Limit, RateLimiter
from stratoplane_api.request_errors import LateRequestError
from stratoplane_api.routes import current_endpoint
from stratoplane_api.tracing import REQUEST_ID_HEADER, Trace, read_trace
from stratoplane_engine.access.context import Actor
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.identity import Scope

REFUSAL: Final = "stratoplane.refusal"
"""Where the environment of a request keeps the error for which the server could not read it whole."""
OPERATORS: Final = "ops."
"""Endpoints whose permission must be held for the whole platform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Who is let in.

    Attributes:
        authenticate: returns who sends the current request, or raises AuthenticationFailedError.
        limiter: None when there is no Redis to count in.
        limit: requests of one user or agent, and of one address where no credential is asked for.
        refusal_limit: requests from one address whose credential opens nothing.
    """

    authenticate: Callable[[], object]
    limiter: RateLimiter | None
    limit: Limit
    refusal_limit: Limit


_SECURITY: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


_PIECE: Final = 64 * 1024


def _swallow_body() -> None:
    """Read on what a refused request still sends, within bounds: a connection closed before loses the answer."""
    stream = request.environ["wsgi.input"]
    with contextlib.suppress(LateRequestError):  # the refusal is the answer, whatever became of the body
        for _ in range(MOST_SWALLOWED // _PIECE):
            if not stream.read(_PIECE):
                return


def register(app: Flask, admission: Admission) -> None:
    """Let every request of ``app`` pass by the rules of ``admission``."""

    @app.before_request
    def admit() -> None:
        g.trace = read_trace(request.headers)
        refusal: StratoplaneError | None = request.environ.get(REFUSAL)
        if refusal is not None:
            raise refusal
        endpoint = current_endpoint(current_app)
        request.max_content_length = endpoint.body_limit if endpoint else SMALL_BODY
        if endpoint is None:
            return
        g.endpoint = endpoint
        g.query = {}
        if endpoint.access is Gate.PUBLIC:
            if endpoint.is_counted:
                g.allowance = _count(admission, f"address:{origin(request.remote_addr)}")
            return
        g.actor = _authenticated(admission)
        kind = "agent" if endpoint.access is Gate.AGENT else "user"
        g.allowance = _count(admission, f"{kind}:{g.actor.id}")
        _require(endpoint)

    @app.after_request
    def finish(response: Response) -> Response:
        trace: Trace = g.trace
        response.headers[REQUEST_ID_HEADER] = trace.request_id
        allowance: Allowance | None = g.get("allowance")
        if allowance is not None:
            response.headers.update(allowance.headers())
        for name, value in _SECURITY.items():
            response.headers.setdefault(name, value)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            _swallow_body()
        return response


def _authenticated(admission: Admission) -> object:
    try:
        return admission.authenticate()
    except AuthenticationFailedError:
        if admission.limiter is not None:
            admission.limiter.take(admission.refusal_limit, f"address:{origin(request.remote_addr)}")
        raise


def _count(admission: Admission, caller: str) -> Allowance | None:
    return None if admission.limiter is None else admission.limiter.take(admission.limit, caller)


def _require(endpoint: Endpoint) -> None:
    """Refuse who holds the operation's permission nowhere that counts; the service asks for the very place."""
    permission = endpoint.permission
    if permission is None or permission is Permission.SELF:
        return
    actor: Actor = g.actor
    platform_wide = (request.endpoint or "").startswith(OPERATORS)
    held = [grant for grant in actor.grants if permission in grant.permissions]
    if any(grant.scope is Scope.PLATFORM for grant in held) or (held and not platform_wide):
        return
    place = " for the whole platform" if platform_wide else ""
    raise PermissionDeniedError(
        f"{actor.name} needs the permission {permission}{place}; an administrator can give a role that has it",
        permission=permission,
    )
