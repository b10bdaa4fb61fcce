# SPDX-License-Identifier: Apache-2.0
"""Errors that only a request over HTTP can have; beside those of :mod:`stratoplane.errors`, in the same table."""

from stratoplane.errors import InvalidSpecError, StratoplaneError


class MalformedRequestError(StratoplaneError):
    """The request cannot be read; the caller corrects its syntax."""

    code = "malformed_request"


class MalformedBodyError(MalformedRequestError):
    """The body is not JSON, or has a member twice; the detail says where."""

    code = "malformed_json"


class BodyTooDeepError(MalformedRequestError):
    """The body nests deeper than any operation needs; the caller flattens it."""

    code = "json_too_deep"


class TooManyValuesError(MalformedRequestError):
    """The body holds more members and items than any operation needs; the caller sends less."""

    code = "json_too_many_values"


class LateRequestError(StratoplaneError):
    """Head or body did not arrive in time; the caller sends the request again, over a better connection."""

    code = "request_timeout"


class UriTooLongError(StratoplaneError):
    """Path and query are longer than any operation needs; the detail names the limit in bytes."""

    code = "uri_too_long"


class HeadTooLargeError(StratoplaneError):
    """The headers are larger than any request needs; the detail names the limit in bytes."""

    code = "headers_too_large"


class BodyTooLargeError(StratoplaneError):
    """The body is larger than this operation takes; the detail names the limit in bytes."""

    code = "body_too_large"


class MediaTypeError(StratoplaneError):
    """The body is of another media type, charset or encoding; the caller sends plain JSON in UTF-8."""

    code = "unsupported_media_type"


class InvalidQueryError(InvalidSpecError):
    """Parameters of the query string are wrong; ``errors`` names them with a pointer like ``/limit``."""

    code = "invalid_query"


class RouteNotFoundError(StratoplaneError):
    """No operation has this path; the OpenAPI document lists those that exist."""

    code = "route_not_found"


class MethodNotAllowedError(StratoplaneError):
    """The path exists and does not take this method; the ``Allow`` header names those it takes."""

    code = "method_not_allowed"


class UnknownHTTPError(StratoplaneError):
    """The HTTP library refused the request for a reason of its own; the detail repeats it."""

    code = "http_error"
