# SPDX-License-Identifier: Apache-2.0
"""Errors, sorted by what the caller does next.

A driver raises a :class:`DriverError`: *transient* (it had no effect, repeat), *uncertain* (it may have taken
effect, observe first) or *permanent* (stop). The engine raises the errors beside them for requests that cannot be
granted. No error knows HTTP: the API has the one table from class to status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

MOST_SHOWN: Final = 1000
"""Characters of one text in an answer: what repeats a part of a request may not grow with it."""


def shortened(text: str) -> str:
    """Return ``text``, without its middle when it is longer than :data:`MOST_SHOWN`."""
    half = MOST_SHOWN // 2
    return text if len(text) <= MOST_SHOWN else f"{text[:half]} ... {text[-half:]}"


class StratoplaneError(Exception):
    """Unexpected server error; report it together with the request id."""

    # Every error of the platform is a subclass; the documentation says what this one means when nothing else fits.
    code: ClassVar[str] = "internal_error"
    """Names the error to programs; stable and documented."""

    def __init__(self, detail: str) -> None:
        """Keep ``detail``, which tells people what happened and what to do about it."""
        super().__init__(detail)
        self.detail: Final = detail

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts of this error as JSON values, for the problem document and the job."""
        return {}


# --- errors of requests -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One thing wrong with an input.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the offending member, ``""`` for the whole document.
        detail: what is wrong and what is expected instead.
    """

    pointer: str
    detail: str


class InvalidSpecError(StratoplaneError):
    """The request's content is invalid; the caller corrects the named members and sends it again."""

    code = "invalid_spec"
    most_listed: ClassVar[int] = 20
    """How many violations an answer lists; it may not grow with the request."""

    def __init__(self, detail: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(detail)
        self.violations: Final = tuple(violations)

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        listed = self.violations[: self.most_listed]
        errors = [{"pointer": shortened(each.pointer), "detail": shortened(each.detail)} for each in listed]
        return {"errors": errors, "errors_total": len(self.violations)}


class AdmissionRefusedError(InvalidSpecError):
    """An admission hook of an enabled plugin refused the request; the detail states the reasons."""

    code = "admission_refused"


class AuthenticationFailedError(StratoplaneError):
    """The credential is missing, unknown, expired or revoked; the caller logs in again."""

    code = "authentication_failed"


class PermissionDeniedError(StratoplaneError):
    """The actor is known but lacks a permission in this scope; an administrator can grant a role that has it."""

    code = "permission_denied"

    def __init__(self, detail: str, *, permission: str = "") -> None:
        super().__init__(detail)
        self.permission: Final = permission

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        return {"permission": self.permission} if self.permission else {}


class ResourceNotFoundError(StratoplaneError):
    """Nothing with this id or name is visible to the actor; the caller lists what exists."""

    code = "resource_not_found"


class ResourceDeletedError(StratoplaneError):
    """The object existed and was deleted; the caller creates a new one."""

    code = "resource_deleted"


class NameTakenError(StratoplaneError):
    """An object of this kind already has that name; the caller chooses another name or uses the existing object."""

    code = "name_taken"


class StateConflictError(StratoplaneError):
    """The object's current state does not allow this; the caller waits or changes the state first."""

    code = "state_conflict"


class InUseError(StateConflictError):
    """Other objects use this one; the caller detaches it from those named first."""

    code = "resource_in_use"

    def __init__(self, detail: str, *, used_by: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.used_by: Final = tuple(used_by)

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        return {"used_by": list(self.used_by)}


class VersionMismatchError(StratoplaneError):
    """The object changed since the caller read it; the caller reads it again and decides again."""

    code = "version_mismatch"


class QuotaExceededError(StratoplaneError):
    """The quota would be exceeded; the caller deletes something or asks an operator for a higher limit."""

    code = "quota_exceeded"

    def __init__(self, detail: str, *, key: str, scope: str, limit: int, used: int, wanted: int) -> None:
        super().__init__(detail)
        self.key: Final = key
        self.scope: Final = scope
        self.limit: Final = limit
        self.used: Final = used
        self.wanted: Final = wanted

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        return {name: getattr(self, name) for name in ("key", "scope", "limit", "used", "wanted")}


class NoClusterError(StratoplaneError):
    """No enabled, connected cluster has the capacity and features; the caller tries a smaller size, or again later."""

    code = "no_cluster_available"


class FeatureUnsupportedError(StratoplaneError):
    """The chosen cluster's driver does not support this; the caller chooses another cluster or omits the option."""

    code = "feature_unsupported"

    def __init__(self, detail: str, *, feature: str = "", cluster: str = "") -> None:
        super().__init__(detail)
        self.feature: Final = feature
        self.cluster: Final = cluster

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        return {"feature": self.feature, "cluster": self.cluster}


class IdempotencyMismatchError(StratoplaneError):
    """The idempotency key was used with another request; the caller generates a new key for a new request."""

    code = "idempotency_key_reused"


class RateLimitedError(StratoplaneError):
    """Too many requests by this user, agent or address; the caller waits ``retry_after`` seconds."""

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after: Final = retry_after


class UnavailableError(StratoplaneError):
    """A database of the platform does not answer; the caller repeats the request after ``retry_after`` seconds."""

    code = "service_unavailable"

    def __init__(self, detail: str, *, retry_after: float = 2.0) -> None:
        super().__init__(detail)
        self.retry_after: Final = retry_after


class DatabaseExhaustedError(UnavailableError):
    """The platform's database has no room for new work; an operator makes room, the caller repeats later."""

    code = "database_exhausted"


class SettingsError(StratoplaneError):
    """The configuration is wrong; the operator corrects every problem that ``problems`` lists."""

    code = "invalid_settings"

    def __init__(self, detail: str, problems: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.problems: Final = tuple(problems)

    def payload(self) -> Mapping[str, object]:
        """Return the typed facts as JSON values."""
        return {"problems": list(self.problems)}


# --- errors of jobs -----------------------------------------------------------------------------------------------


class JobCancelledError(StratoplaneError):
    """The job was cancelled on request; what it had created was removed."""

    code = "cancelled"


# --- errors of drivers --------------------------------------------------------------------------------------------


class DriverError(StratoplaneError):
    """Error of a driver that fits none of its subclasses; ``provider_text`` is the provider's own message, whole."""

    code = "driver_error"

    def __init__(self, detail: str, *, provider_text: str = "") -> None:
        super().__init__(detail)
        self.provider_text: Final = provider_text


class TransientError(DriverError):
    """The call had no effect: the engine repeats it after a back-off, or after ``retry_after`` seconds."""

    code = "transient"

    def __init__(self, detail: str, *, provider_text: str = "", retry_after: float | None = None) -> None:
        super().__init__(detail, provider_text=provider_text)
        self.retry_after: Final = retry_after


class BusyError(TransientError):
    """The provider is busy with the object; the engine repeats the call later."""

    code = "busy"


class UnreachableError(TransientError):
    """The provider could not be reached, so nothing happened; the engine repeats the call later."""

    code = "unreachable"


class ProviderRateLimitedError(TransientError):
    """The provider asked for fewer requests; the engine honours ``retry_after``."""

    code = "provider_rate_limited"


class UncertainError(DriverError):
    """The call may have taken effect (time-out, lost answer): the engine observes before it repeats anything."""

    code = "uncertain"


class PermanentError(DriverError):
    """Repeating cannot help: the engine stops the job and undoes its finished steps."""

    code = "permanent"


class NotFoundError(PermanentError):
    """Something that the call needs (image, network, parent) does not exist at the provider."""

    code = "not_found_at_provider"


class ConflictError(PermanentError):
    """An object with our identity but another shape, or a conflicting foreign object, exists at the provider."""

    code = "conflict_at_provider"


class UnsupportedError(PermanentError):
    """The driver or provider does not support this; ``feature`` names the ability."""

    code = "unsupported_by_provider"

    def __init__(self, detail: str, *, feature: str = "", provider_text: str = "") -> None:
        super().__init__(detail, provider_text=provider_text)
        self.feature: Final = feature


class CapacityError(PermanentError):
    """The provider has not enough capacity; the tenant tries a smaller size or another cluster."""

    code = "no_capacity_at_provider"


class MisconfiguredError(PermanentError):
    """The driver's settings or the provider's set-up are wrong; an operator must correct them."""

    code = "misconfigured"
