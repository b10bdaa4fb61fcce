# SPDX-License-Identifier: Apache-2.0
"""Everything that a call can raise, sorted by what the caller does next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol


class ClientError(Exception):
    """Base class of all errors of this package; the text says what happened and what to do about it."""


class InvalidSettingError(ClientError):
    """A setting of the client itself cannot be used; the caller corrects it."""


class ConnectionFailedError(ClientError):
    """The server was not reached, or its answer was lost; the caller checks the URL and retries later.

    Attributes:
        sent: whether the request may have arrived. With an idempotency key it is safe to repeat in any case.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent: Final = sent


class UnexpectedAnswerError(ClientError):
    """The answer does not belong to this API; the caller checks that the URL is that of a Stratoplane server."""


class NameUnknownError(ClientError):
    """No object of this kind has that name; the caller lists what exists."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} named {name!r}")
        self.kind: Final = kind
        self.name: Final = name


class NameAmbiguousError(ClientError):
    """Several objects of this kind have that name; the caller names one by its id."""

    def __init__(self, kind: str, name: str, ids: Sequence[str]) -> None:
        super().__init__(f"{len(ids)} {kind}s are named {name!r}; use one of the ids {', '.join(ids)}")
        self.kind: Final = kind
        self.name: Final = name
        self.ids: Final = tuple(ids)


class Difference(Protocol):
    """A field that exists otherwise than it was asked for."""

    @property
    def field(self) -> str:
        """Its name."""

    @property
    def desired(self) -> object:
        """As it was asked for."""

    @property
    def observed(self) -> object:
        """As it exists."""


class ExistsOtherwiseError(ClientError):
    """What was to be created unless it exists does exist, and differs or cannot be used.

    The caller changes or deletes it, or chooses another name.

    Attributes:
        differences: the fields that differ; none when only its state forbids its use.
    """

    def __init__(self, kind: str, name: str, differences: Sequence[Difference], unusable: str) -> None:
        said = [f"{each.field} is {_value(each.observed)}, not {_value(each.desired)}" for each in differences]
        said += [unusable] if unusable else []
        super().__init__(f"a {kind} named {name!r} exists, but {'; '.join(said)}")
        self.name: Final = name
        self.differences: Final = tuple(differences)


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One thing wrong with a request: where (a JSON pointer, empty for the whole body) and what."""

    pointer: str
    detail: str


class ApiError(ClientError):
    """The server answered with a problem document (RFC 9457).

    Attributes:
        status: HTTP status.
        code: stable name of the problem, to program against.
        detail: what happened and what to do.
        errors: what is wrong, member by member.
        request_id: names the request in the server's logs and audit trail.
        trace_id: names the trace that it belongs to.
        retry_after: seconds after which to retry, None if the server did not say.
        document: the whole problem document.
    """

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        self.status: Final = status
        self.document: Final = document
        self.code: Final = str(document.get("code") or f"http_{status}")
        self.detail: Final = str(document.get("detail") or document.get("title") or f"HTTP status {status}")
        self.errors: Final = _violations(document.get("errors"))
        self.request_id: Final = str(document.get("request_id") or "")
        self.trace_id: Final = str(document.get("trace_id") or "")
        self.retry_after: Final = retry_after
        super().__init__(self._message())

    def _message(self) -> str:
        unsaid = [each for each in self.errors if each.detail not in self.detail]
        members = [f"{each.pointer.lstrip('/')}: {each.detail}".removeprefix(": ") for each in unsaid]
        return " ".join(f"{self.detail} ({'; '.join(members)})".split()) if members else " ".join(self.detail.split())


class InvalidRequestError(ApiError):
    """400, 413, 415, 422: the content cannot be accepted; ``errors`` names the members to correct."""


class PolicyError(InvalidRequestError):
    """A policy of the installation refuses this; the caller does what ``detail`` asks for."""


class NotAuthenticatedError(ApiError):
    """401: the token is missing, unknown, expired or revoked; the caller logs in."""


class AccessDeniedError(ApiError):
    """403: a permission is missing; an administrator can give a role that has it."""


class QuotaFullError(ApiError):
    """The quota has no room; the caller deletes something or asks an operator for more."""

    @property
    def key(self) -> str:
        """What the quota counts, such as ``vcpus``."""
        return str(self.document.get("key") or "")


class NotFoundError(ApiError):
    """404: nothing with this id is visible to the caller."""


class DeletedError(NotFoundError):
    """410: it existed and was deleted."""


class ConflictError(ApiError):
    """409: the present state forbids this; the caller waits or changes the state first."""


class NameTakenError(ConflictError):
    """The name is in use; the caller chooses another or takes what exists."""


class InUseError(ConflictError):
    """Other resources use the object; the caller detaches it from those in ``used_by`` first."""

    @property
    def used_by(self) -> tuple[str, ...]:
        """Ids of what uses it."""
        return tuple(str(each) for each in self.document.get("used_by") or ())


class VersionConflictError(ConflictError):
    """412, 428: the object changed since it was read; the caller reads it again and decides again."""


class RateLimitedError(ApiError):
    """429: too many requests; the caller retries after ``retry_after`` seconds."""


class ServerError(ApiError):
    """5xx: the server failed; nothing was changed. The caller retries, then gives ``request_id`` to the operator."""


class UnavailableError(ServerError):
    """502, 503, 504: the server cannot answer for now; the caller retries later."""


_BY_CODE: Final[Mapping[str, type[ApiError]]] = {
    "quota_exceeded": QuotaFullError,
    "admission_refused": PolicyError,
    "name_taken": NameTakenError,
    "resource_in_use": InUseError,
}
_SERVER_ERRORS: Final = 500
_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: InvalidRequestError,
    401: NotAuthenticatedError,
    403: AccessDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: DeletedError,
    412: VersionConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    428: VersionConflictError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def api_error(status: int, document: Mapping[str, Any], *, retry_after: float | None = None) -> ApiError:
    """Return the error for an answer: by its code where that says more than the status, else by its status."""
    nearest = ServerError if status >= _SERVER_ERRORS else ApiError
    kind = _BY_CODE.get(str(document.get("code"))) or _BY_STATUS.get(status, nearest)
    return kind(status, document, retry_after=retry_after)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        value = [f"{name}={each}" for name, each in sorted(value.items())]
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return "not set" if value in (None, "") else f"{value!r}"


def _violations(found: object) -> tuple[Violation, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(
        Violation(pointer=str(each.get("pointer") or ""), detail=str(each.get("detail") or ""))
        for each in found
        if isinstance(each, Mapping)
    )
