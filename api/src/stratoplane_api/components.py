# SPDX-License-Identifier: Apache-2.0
"""Parts of the OpenAPI document that operations share: headers, parameters, failures, the security scheme."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from apispec import APISpec
from marshmallow import INCLUDE, Schema, fields

from stratoplane_api import problems
from stratoplane_api.errors import RETRY_STATUSES
from stratoplane_api.idempotency import IDEMPOTENCY_HEADER
from stratoplane_api.prefer import LONGEST_WAIT, PREFER_HEADER
from stratoplane_api.tracing import REQUEST_ID_HEADER, TRACE_HEADER

FAILURES: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "BadRequest",
        401: "Unauthorized",
        403: "Forbidden",
        404: "NotFound",
        409: "Conflict",
        410: "Gone",
        412: "PreconditionFailed",
        413: "ContentTooLarge",
        415: "UnsupportedMediaType",
        422: "UnprocessableContent",
        429: "TooManyRequests",
        500: "InternalServerError",
        503: "ServiceUnavailable",
    }
)
"""Names of the shared responses. Written down, because Python's phrases for 413 and 422 differ by version."""

_MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "The request cannot be read; correct its syntax.",
        401: "No valid credential; log in again.",
        403: "The credential lacks the permission.",
        404: "There is no such object in your scope.",
        409: "The present state or a full quota forbids it; the detail says what must change first.",
        410: "The object was deleted.",
        412: "The object changed since you read it; read it again.",
        413: "The body is larger than the operation takes.",
        415: "Send the body as application/json.",
        422: "The content is not acceptable; `errors` names every member that is wrong.",
        429: "Too many requests; wait the seconds of Retry-After.",
        500: "A fault of the platform; give the request_id to your operator.",
        503: "A server behind the platform is away; repeat after the seconds of Retry-After.",
    }
)


class ProblemError(Schema):
    """One thing wrong with a request."""

    pointer = fields.String(
        required=True, metadata={"description": "JSON pointer to the member or parameter; empty for the whole body."}
    )
    detail = fields.String(required=True, metadata={"description": "What is wrong and what is expected."})


class Problem(Schema):
    """Every error, as in RFC 9457. Facts of the error, as ``limit`` and ``used`` of a quota, are further members."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(required=True, metadata={"format": "uri"})
    title = fields.String(required=True, metadata={"description": "The class of problem; always the same for a code."})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status of the response."})
    code = fields.String(
        required=True, metadata={"description": "Stable name of the problem, for programs to decide by."}
    )
    detail = fields.String(
        required=True, metadata={"description": "What happened in this request, and what the caller can do."}
    )
    errors = fields.List(
        fields.Nested(ProblemError), metadata={"description": "What is wrong, member by member; the first twenty."}
    )
    errors_total = fields.Integer(metadata={"description": "How many members are wrong in all."})
    request_id = fields.String(required=True)
    trace_id = fields.String(required=True)


_EXAMPLE: Final = {
    "type": "urn:stratoplane:problem:name_taken",
    "title": "Name taken",
    "status": 409,
    "code": "name_taken",
    "detail": "a network named 'front' exists in this project; choose another name",
    "request_id": "4f0c6f0e9e4b4a1c9f3c1b8d2a7e6d55",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
}

_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "X-Request-Id": "Names this request in logs, audit trail and support questions.",
        "RateLimit": "What is left of the limit, and the seconds until it is full again.",
        "RateLimit-Policy": "The limit: requests in a window of seconds.",
        "ETag": "The object's id and version; send it back as If-Match.",
        "Location": "Path at which the job can be followed.",
        "Link": 'The next page, as rel="next".',
        "Preference-Applied": "The preference of the request that was followed.",
        "Idempotency-Replayed": "`true` when an earlier answer to the same key was given again.",
        "Retry-After": "Seconds to wait before the next attempt.",
        "WWW-Authenticate": "The scheme to authenticate with.",
        "Allow": "Methods that the path takes.",
    }
)


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "schema": {"type": "string", **schema}}


_PARAMETERS: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "RequestId": _header(
            REQUEST_ID_HEADER,
            "Your own name for this request, echoed: up to 64 letters, digits and `._:-`; another is replaced.",
        ),
        "TraceParent": _header(TRACE_HEADER, "W3C trace context; carried through to the driver call."),
        "IdempotencyKey": _header(
            IDEMPOTENCY_HEADER,
            "Your name for this change, kept 7 days: the same key and body give the first answer again.",
            minLength=1,
            maxLength=255,
        ),
        "IfMatch": _header("If-Match", "ETag of the version that you read; another version is refused with 412."),
        "IfNoneMatch": _header("If-None-Match", "ETag that you hold; 304 if it is still the newest."),
        "Prefer": _header(
            PREFER_HEADER, f"`wait=N` holds the answer until the job ends, at most {LONGEST_WAIT:.0f} seconds."
        ),
    }
)


def register(spec: APISpec) -> None:
    """Add the shared parts to ``spec``; only those that operations use appear in the document."""
    spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": "A token of log_in or create_token."}
    )
    for name, description in _HEADERS.items():
        schema = {"type": "integer"} if name == "Retry-After" else {"type": "string"}
        spec.components.header(name.replace("-", ""), {"description": description, "schema": schema}, lazy=True)
    for name, parameter in _PARAMETERS.items():
        spec.components.parameter(name, "header", parameter, lazy=True)
    for status, name in FAILURES.items():
        spec.components.response(name, _failure(status), lazy=True)


def _failure(status: int) -> dict[str, Any]:
    headers = {"X-Request-Id": "XRequestId"}
    if status in RETRY_STATUSES:
        headers["Retry-After"] = "RetryAfter"
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "WWWAuthenticate"
    content: dict[str, Any] = {"schema": Problem()}
    if status == HTTPStatus.CONFLICT:
        content["example"] = _EXAMPLE
    return {"description": _MEANINGS[status], "headers": headers, "content": {problems.MEDIA_TYPE: content}}
