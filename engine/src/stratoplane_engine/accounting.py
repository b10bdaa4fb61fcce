# SPDX-License-Identifier: Apache-2.0
"""What a change adds to quotas and to a cluster's claims."""

from dataclasses import dataclass
from uuid import UUID

from stratoplane.quota import Amount, QuotaKey


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaChange:
    """What is added to one line of a quota; negative gives back."""

    organization_id: UUID
    scope_id: UUID
    key: str
    amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimChange:
    """What is added to the claims on a cluster; negative gives back."""

    cluster_id: UUID
    vcpus: int = 0
    memory_mib: int = 0
    storage_gib: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether no amount changes."""
        return not (self.vcpus or self.memory_mib or self.storage_gib)


def larger(present: Amount, wanted: Amount) -> Amount:
    """Return what a resource takes while it goes from ``present`` to ``wanted``: what it may still have counts."""
    return {key: max(present.get(key, 0), wanted.get(key, 0)) for key in sorted(present.keys() | wanted.keys())}


def quota_changes(organization_id: UUID, project_id: UUID, change: Amount) -> tuple[QuotaChange, ...]:
    """Return what changes in the quotas of the organization and the project."""
    return tuple(
        QuotaChange(organization_id=organization_id, scope_id=scope, key=key, amount=amount)
        for scope in (organization_id, project_id)
        for key, amount in change.items()
        if amount
    )


def claim_change(cluster_id: UUID, change: Amount) -> ClaimChange:
    """Return what changes in the cluster's claims."""
    return ClaimChange(
        cluster_id=cluster_id,
        vcpus=change.get(QuotaKey.VCPUS, 0),
        memory_mib=change.get(QuotaKey.MEMORY_MIB, 0),
        storage_gib=change.get(QuotaKey.STORAGE_GIB, 0),
    )
