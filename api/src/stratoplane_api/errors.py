# SPDX-License-Identifier: Apache-2.0
"""The one table from class of error to HTTP status and title. Core and engine know no HTTP; views raise no statuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from stratoplane import errors as e
from stratoplane_api import request_errors as r


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of error appears: HTTP status, and a title that never changes with the occasion."""

    status: int
    title: str


TABLE: Final[Mapping[type[e.StratoplaneError], Row]] = MappingProxyType(
    {
        e.StratoplaneError: Row(500, "Internal error"),
        r.MalformedRequestError: Row(400, "Malformed request"),
        r.MalformedBodyError: Row(400, "Body is not JSON"),
        r.BodyTooDeepError: Row(400, "Body nests too deep"),
        r.TooManyValuesError: Row(400, "Body holds too much"),
        r.UnknownHTTPError: Row(400, "Request refused"),
        e.AuthenticationFailedError: Row(401, "Not authenticated"),
        e.PermissionDeniedError: Row(403, "Permission denied"),
        r.RouteNotFoundError: Row(404, "No such route"),
        e.ResourceNotFoundError: Row(404, "Not found"),
        r.MethodNotAllowedError: Row(405, "Method not allowed"),
        r.LateRequestError: Row(408, "Request did not arrive in time"),
        e.InUseError: Row(409, "In use"),
        e.NameTakenError: Row(409, "Name taken"),
        e.QuotaExceededError: Row(409, "Quota exceeded"),
        e.StateConflictError: Row(409, "State conflict"),
        e.JobCancelledError: Row(409, "Job cancelled"),
        e.ResourceDeletedError: Row(410, "Deleted"),
        e.VersionMismatchError: Row(412, "Version mismatch"),
        r.BodyTooLargeError: Row(413, "Body too large"),
        r.UriTooLongError: Row(414, "Path and query too long"),
        r.MediaTypeError: Row(415, "Unsupported media type"),
        e.AdmissionRefusedError: Row(422, "Refused by policy"),
        e.FeatureUnsupportedError: Row(422, "Not supported by the cluster"),
        e.IdempotencyMismatchError: Row(422, "Idempotency key used with another request"),
        e.InvalidSpecError: Row(422, "Invalid content"),
        r.InvalidQueryError: Row(422, "Invalid query parameters"),
        e.RateLimitedError: Row(429, "Too many requests"),
        r.HeadTooLargeError: Row(431, "Headers too large"),
        e.SettingsError: Row(500, "Configuration error"),
        e.NoClusterError: Row(503, "No cluster available"),
        e.DatabaseExhaustedError: Row(503, "Database has no room"),
        e.UnavailableError: Row(503, "Service unavailable"),
        # What a driver reports reaches callers by their job. These rows serve a call that shows one directly.
        e.DriverError: Row(502, "Provider error"),
        e.TransientError: Row(503, "Provider is unavailable for now"),
        e.BusyError: Row(503, "Provider is busy"),
        e.UnreachableError: Row(503, "Provider is unreachable"),
        e.ProviderRateLimitedError: Row(503, "Provider limits its rate"),
        e.UncertainError: Row(502, "Provider's answer was lost"),
        e.PermanentError: Row(502, "Provider refused"),
        e.NotFoundError: Row(502, "Missing at the provider"),
        e.ConflictError: Row(502, "Conflict at the provider"),
        e.UnsupportedError: Row(502, "Not supported by the provider"),
        e.CapacityError: Row(503, "Provider has no room"),
        e.MisconfiguredError: Row(502, "Provider is misconfigured"),
    }
)

RETRY_STATUSES: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses whose answers say by ``Retry-After`` when to come again."""


def row_of(error: e.StratoplaneError) -> Row:
    """Return the row of the error's class, or of the nearest ancestor that has one.

    Every class has a row of its own, and a test says so; a plugin's class is served by its ancestor's.
    """
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
