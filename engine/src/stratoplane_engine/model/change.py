# SPDX-License-Identifier: Apache-2.0
"""Changes: how a request names itself, and what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stratoplane.kinds import Spec
from stratoplane.quota import Amount
from stratoplane.spec_changes import Interruption
from stratoplane_engine.model.job import Job
from stratoplane_engine.model.resource import Resource


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotencyKey:
    """The caller's key and the fingerprint (SHA-256, hexadecimal) of method, route and body it came with."""

    key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePlan:
    """What a change would take and do.

    Attributes:
        cluster: its name.
        quota: the difference in quotas.
        job_kind: what its job would be called, None without one; ``steps`` are the job's.
        interruption: what it does to a resource that runs, None if nothing.
    """

    cluster: str | None = None
    quota: Amount = field(default_factory=dict)
    job_kind: str | None = None
    steps: tuple[str, ...] = ()
    interruption: Interruption | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeResult:
    """The answer to a change of a resource.

    Attributes:
        job: None when nothing is left to do.
        replayed: whether an idempotency key met its stored answer.
    """

    resource: Resource[Spec]
    job: Job | None = None
    plan: ChangePlan = field(default_factory=ChangePlan)
    replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class JobResult:
    """The answer to a request about a job alone."""

    job: Job
    replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """An answer that is kept for an idempotency key, as JSON values of the model; the database room reads it back."""

    fingerprint: str
    answer: Mapping[str, object]
