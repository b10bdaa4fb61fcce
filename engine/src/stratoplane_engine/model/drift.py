# SPDX-License-Identifier: Apache-2.0
"""Drift: differences between desired and observed state, the policies for them, orphans and duplicates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stratoplane.compared_fields import ComparedField, DriftPolicy
from stratoplane.kinds import Observed
from stratoplane.resources import ResourceStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedKind:
    """A kind of resources, the driver interface that makes it, and its fields that are compared."""

    name: str
    interface: str
    fields: tuple[ComparedField, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldDifference:
    """A field of a resource that was last observed otherwise than it is desired; JSON values."""

    field: str
    desired: object
    observed: object


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
class DriftFilter:
    """Which differences a list shows.

    Attributes:
        only_open: only those that last.
        resource_id: only those of this resource.
    """

    only_open: bool = True
    resource_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedResource:
    """A resource that was compared with what its cluster shows: it is missing there, is there again, or differs."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    name: str
    cluster_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference(ComparedResource):
    """A difference as the reconciler handles it; ``id`` is the resource's.

    Attributes:
        desired, observed: JSON values.
        drift_id: of the record, None while there is none.
        corrections: how often it was corrected within an hour.
        shown: the object as it was last observed, None where nothing has to be done about it now.
    """

    field: str
    desired: object
    observed: object
    policy: DriftPolicy
    drift_id: UUID | None = None
    corrections: int = 0
    shown: Observed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedDifferences:
    """What one comparison has recorded: differences that are new, and those that have ended."""

    new: tuple[Difference, ...]
    ended: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """A difference whose observed value becomes what is desired.

    Attributes:
        storage_gib: what the resource takes more of its quota than before.
        status: what its kind calls the state that it is in.
    """

    drift_id: UUID
    id: UUID
    field: str
    observed: object
    storage_gib: int
    status: ResourceStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job that begins without a change of what is desired; ``steps`` are the names of its steps, in order."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    resource_id: UUID
    resource_kind: str
    resource_name: str
    cluster_id: UUID | None
    kind: str
    input: Mapping[str, object]
    actor: str
    priority: int
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyKey:
    """One field of one kind, for one driver or (``*``) for every driver without a policy of its own."""

    kind: str
    field: str
    driver: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicySetting:
    """The policy that an operator has set for a field."""

    kind: str
    field: str
    driver: str
    policy: DriftPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyLine:
    """The policy for one field of one kind, for one driver or (``*``) for every driver without a policy of its own.

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
    """An object that carries the platform's mark and belongs to no resource.

    Attributes:
        name: as the driver shows it, empty if it does not.
        status: the object as the driver shows it.
    """

    uid: UUID
    kind: str
    name: str
    status: Observed
    cluster_id: UUID
    cluster: str
    first_seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """A mark that several objects carry; ``references`` are the provider's ids of those that have one."""

    uid: UUID
    clusters: tuple[str, ...]
    kinds: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedProvider:
    """Two clusters that list the same objects, of these kinds: they serve one provider."""

    cluster_id: UUID
    other_cluster_id: UUID
    cluster: str
    other_cluster: str
    objects: int
    kinds: tuple[str, ...]
