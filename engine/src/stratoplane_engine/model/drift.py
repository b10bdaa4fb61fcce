# SPDX-License-Identifier: Apache-2.0
"""Drift: differences between desired and observed state, the policies for them, orphans and duplicates."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stratoplane.kinds import DriftPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A field of a resource that is not observed as it is desired.

    Attributes:
        desired, observed: JSON values.
        policy: what is done about it.
        corrections: how many jobs were started to correct it; ``job_id`` is the last of them.
        ended_at: when it was gone, or had become what is desired.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    resource_id: UUID
    kind: str
    name: str
    cluster: str | None
    field: str
    desired: object
    observed: object
    policy: DriftPolicy
    corrections: int
    job_id: UUID | None
    found_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A difference as the reconciler handles it.

    Attributes:
        id: the resource's.
        drift_id: of the record, None while there is none.
        corrections: how often it was corrected within an hour.
    """

    organization_id: UUID
    project_id: UUID
    id: UUID
    kind: str
    name: str
    cluster_id: UUID | None
    field: str
    desired: object
    observed: object
    policy: DriftPolicy
    drift_id: UUID | None = None
    corrections: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyLine:
    """The policy for one field of one kind, for one driver or (``*``) for every driver without a line of its own.

    Attributes:
        is_set: whether an operator has set it.
        allowed: what it may be, the platform's own choice first.
    """

    kind: str
    field: str
    driver: str
    policy: DriftPolicy
    is_set: bool
    allowed: tuple[DriftPolicy, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """An object that carries the platform's mark and belongs to no resource."""

    uid: UUID
    kind: str
    cluster_id: UUID
    cluster: str
    first_seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """A mark that several objects carry."""

    uid: UUID
    clusters: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedResource:
    """A resource that its cluster no longer has, or has again."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    name: str
    cluster_id: UUID | None
