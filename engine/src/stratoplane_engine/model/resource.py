# SPDX-License-Identifier: Apache-2.0
"""Resources: what tenants own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from stratoplane.kinds import Observed, Spec
from stratoplane.quota import Amount
from stratoplane.resources import ResourceStatus

SpecT_co = TypeVar("SpecT_co", bound=Spec, covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource(Generic[SpecT_co]):
    """One resource of a project.

    Attributes:
        status: what is observed, or what a job is doing about it.
        detail: why it is in this status, for people.
        spec: desired state; ``observed`` is what its driver reported last.
        quota_usage: what it takes of the quotas of its project and organization.
        cluster: name of the cluster ``cluster_id``.
        used_by: ids of resources that use it, the first hundred.
        generation: grows with every change of the spec; ``observed_generation`` is the one last seen at the provider.
        version: grows with every change of the row.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    name: str
    status: ResourceStatus
    labels: Mapping[str, str]
    spec: SpecT_co
    observed: Observed
    quota_usage: Amount
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    detail: str = ""
    provider_reference: str = ""
    cluster_id: UUID | None = None
    cluster: str | None = None
    used_by: tuple[UUID, ...] = ()
    generation: int = 1
    observed_generation: int = 0
    version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Desired:
    """What is desired of a resource, before a change of it or after."""

    name: str
    spec: Spec
