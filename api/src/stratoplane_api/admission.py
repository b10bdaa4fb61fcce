# SPDX-License-Identifier: Apache-2.0
"""What every request passes before its view, in this order: trace, size, rate limit, credential, permission."""

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, current_app, g, request
from stratoplane.errors import PermissionDeniedError
from stratoplane_engine.context import Actor
from stratoplane_engine.permissions import Scope

from stratoplane_api.authentication import bearer_token, credential_name
from stratoplane_api.gateway import gateway
from stratoplane_api.operations import SMALL_BODY, Gate, Operation
from stratoplane_api.ratelimit import Allowance
from stratoplane_api.routes import current_operation
from stratoplane_api.tracing import REQUEST_ID_HEADER, Trace, read_trace

Authenticate = Callable[[str], Actor]
OPERATORS: Final = "ops."
"""Endpoints whose permission must be held for the whole platform."""

_SECURITY: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, authenticate: Authenticate) -> None:
    """Let every request of ``app`` pass.

    Args:
        app: the application.
        authenticate: returns who a token stands for, or raises AuthenticationFailedError.
    """

    @app.before_request
    def admit() -> None:
        g.trace = read_trace(request.headers)
        operation = current_operation(current_app)
        request.max_content_length = operation.body_limit if operation else SMALL_BODY
        if operation is None:
            return
        g.operation = operation
        g.query = {}
        g.allowance = _take(operation)
        if operation.access is not Gate.PUBLIC:
            g.actor = authenticate(bearer_token(request.headers.get("Authorization")))
            _require(g.actor, operation)

    @app.after_request
    def finish(response: Response) -> Response:
        trace: Trace = g.trace
        response.headers[REQUEST_ID_HEADER] = trace.request_id
        allowance: Allowance | None = g.get("allowance")
        if allowance is not None:
            response.headers.update(allowance.headers())
        for name, value in _SECURITY.items():
            response.headers.setdefault(name, value)
        return response


def _take(operation: Operation) -> Allowance | None:
    limiter = gateway().limiter
    if limiter is None:
        return None
    if operation.id == "log_in":
        return limiter.take(gateway().login_limit, credential_name(None, request.remote_addr))
    return limiter.take(
        gateway().limit, credential_name(request.headers.get("Authorization"), request.remote_addr)
    )


def _require(actor: Actor, operation: Operation) -> None:
    """Refuse who cannot hold the operation's permission anywhere it would count; the service asks for the place itself."""
    permission = operation.permission
    if permission is None:
        return
    platform_wide = (request.endpoint or "").startswith(OPERATORS)
    held = [grant for grant in actor.grants if permission in grant.permissions]
    if any(grant.scope is Scope.PLATFORM for grant in held) or (held and not platform_wide):
        return
    place = " for the whole platform" if platform_wide else ""
    raise PermissionDeniedError(
        f"{actor.name} needs the permission {permission}{place}; an administrator can give a role that has it",
        permission=permission,
    )
