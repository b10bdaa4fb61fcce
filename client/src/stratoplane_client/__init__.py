# SPDX-License-Identifier: Apache-2.0
"""Python SDK of Stratoplane and the ``stratoplane`` command.

Names are loaded when they are first used, so that the command's help need not wait for HTTP.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stratoplane_client.changes import Change, Plan
    from stratoplane_client.client import Client, Options
    from stratoplane_client.errors import (
        AccessDeniedError,
        ApiError,
        ClientError,
        ConflictError,
        ConnectionFailedError,
        DeletedError,
        ExistsOtherwiseError,
        InUseError,
        InvalidRequestError,
        InvalidSettingError,
        NameAmbiguousError,
        NameTakenError,
        NameUnknownError,
        NotAuthenticatedError,
        NotFoundError,
        QuotaFullError,
        RateLimitedError,
        ServerError,
        UnavailableError,
        UnexpectedAnswerError,
        VersionConflictError,
    )
    from stratoplane_client.job_errors import JobFailedError, WaitTimeoutError
    from stratoplane_client.models.resources import Resource
    from stratoplane_client.retries import NO_RETRIES, RetryPolicy

_HOMES: Final = {
    "Change": "changes",
    "Plan": "changes",
    "Client": "client",
    "Options": "client",
    "JobFailedError": "job_errors",
    "WaitTimeoutError": "job_errors",
    "NO_RETRIES": "retries",
    "Resource": "models.resources",
    "RetryPolicy": "retries",
}
"""The module that defines each public name; names that are not listed are defined in ``errors``."""

__all__ = [
    "NO_RETRIES",
    "AccessDeniedError",
    "ApiError",
    "Change",
    "Client",
    "ClientError",
    "ConflictError",
    "ConnectionFailedError",
    "DeletedError",
    "ExistsOtherwiseError",
    "InUseError",
    "InvalidRequestError",
    "InvalidSettingError",
    "JobFailedError",
    "NameAmbiguousError",
    "NameTakenError",
    "NameUnknownError",
    "NotAuthenticatedError",
    "NotFoundError",
    "Options",
    "Plan",
    "QuotaFullError",
    "RateLimitedError",
    "Resource",
    "RetryPolicy",
    "ServerError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "VersionConflictError",
    "WaitTimeoutError",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stratoplane_client.{_HOMES.get(name, 'errors')}"), name)
