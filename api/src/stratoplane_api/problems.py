# SPDX-License-Identifier: Apache-2.0
"""Every error as ``application/problem+json`` (RFC 9457), with headers that the status demands and no stack trace."""

import logging
import math
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from stratoplane.errors import StratoplaneError, shortened
from stratoplane_api import json_body
from stratoplane_api.errors import RETRY_STATUSES, row_of
from stratoplane_api.request_errors import (
    BodyTooLargeError,
    MalformedRequestError,
    MethodNotAllowedError,
    RouteNotFoundError,
    UnknownHTTPError,
)
from stratoplane_api.tracing import REQUEST_ID_HEADER, Trace, read_trace

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:stratoplane:problem:"
DEFAULT_RETRY: Final = 2.0
"""Seconds to wait that a 503 names when its error does not."""

_INTERNAL: Final = (
    "Something went wrong here, not in your request. Nothing was changed. Repeat the request; "
    "if it fails again, give the request_id to your operator"
)
_log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Let ``app`` answer every exception with a problem document."""
    app.register_error_handler(StratoplaneError, problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)


def problem(error: StratoplaneError) -> Response:
    """Return the problem document of ``error``."""
    row = row_of(error)
    response = Response(encoded(error, g.trace), status=row.status, mimetype=MEDIA_TYPE)
    retry_after = getattr(error, "retry_after", None)
    if row.status in RETRY_STATUSES:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after or DEFAULT_RETRY)))
    if row.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="stratoplane"'
    if row.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s %s failed: %s: %s", request.method, request.path, error.code, error.detail)
    return response


def encoded(error: StratoplaneError, trace: Trace) -> bytes:
    """Return the problem document of ``error`` in the request of ``trace``."""
    row = row_of(error)
    members = {
        "type": TYPE_PREFIX + error.code,
        "title": row.title,
        "status": row.status,
        "code": error.code,
        "detail": shortened(error.detail),
        "request_id": trace.request_id,
        "trace_id": trace.trace_id,
    }
    return json_body.encode({**error.payload(), **members})


def bare_answer(error: StratoplaneError) -> bytes:
    """Return a whole answer of HTTP/1.1 to a request that no application gets to see; the connection ends with it."""
    trace, status = read_trace({}), HTTPStatus(row_of(error).status)
    content = encoded(error, trace)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\n{REQUEST_ID_HEADER}: {trace.request_id}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + content


def _http_problem(error: HTTPException) -> Response:
    translated = _translate(error)
    if translated is None:
        return _unexpected(error)
    response = problem(translated)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _translate(error: HTTPException) -> StratoplaneError | None:
    if isinstance(error, NotFound):
        return RouteNotFoundError(f"nothing is served at {request.path}; see /api/common/v1/openapi.json for what is")
    if isinstance(error, MethodNotAllowed):
        return MethodNotAllowedError(f"{request.method} is not served here; the Allow header names what is")
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLargeError(
            f"the body is larger than the {request.max_content_length} bytes that this operation takes"
        )
    if error.code is None or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    words = f"the request was refused: {error.description or error.name}"
    return MalformedRequestError(words) if error.code == HTTPStatus.BAD_REQUEST else UnknownHTTPError(words)


def _unexpected(error: Exception) -> Response:
    trace: Trace = g.trace
    _log.error(
        "unexpected %s in %s %s (request %s)",
        type(error).__name__,
        request.method,
        request.path,
        trace.request_id,
        exc_info=error,
    )
    return problem(StratoplaneError(_INTERNAL))
