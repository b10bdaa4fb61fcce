# SPDX-License-Identifier: Apache-2.0
"""Buckets: places for objects, on clusters whose storage driver keeps them."""

from dataclasses import dataclass

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane.drivers import Feature, Interface
from stratoplane.kinds import (
    Draft,
    Kind,
    Observed,
    Recovery,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
)
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey
from stratoplane.storage import BucketSpec as DriverBucketSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketSpec(Spec):
    """A bucket as it should be: it has nothing beside its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketRequest(ResourceRequest):
    """A bucket to make."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketPatch(ResourcePatch):
    """What may change of a bucket."""


class BucketKind(Kind[BucketSpec, BucketRequest, BucketPatch]):
    """Buckets."""

    name = "bucket"
    interface = Interface.STORAGE
    quota_key = QuotaKey.BUCKETS
    default_limit = DEFAULT_LIMITS[QuotaKey.BUCKETS]
    spec = BucketSpec
    request = BucketRequest
    patch = BucketPatch
    compared = (ComparedField(name="name", policies=(DriftPolicy.ALERT,), comparison=Comparison.NAME),)

    def references(self, wanted: BucketRequest | BucketPatch) -> References:
        return References(cluster=wanted.cluster if isinstance(wanted, BucketRequest) else "")

    def draft(self, wanted: BucketRequest, found: ResolvedReferences) -> Draft[BucketSpec]:  # noqa: ARG002
        return Draft(spec=BucketSpec(), features=frozenset({Feature.BUCKETS.value}))

    def redraft(self, present: BucketSpec, change: BucketPatch, found: ResolvedReferences) -> Draft[BucketSpec]:  # noqa: ARG002
        return Draft(spec=present)

    def quota_usage(self, spec: BucketSpec) -> Amount:  # noqa: ARG002
        return {QuotaKey.BUCKETS: 1}

    def recovered(self, observed: Observed, wanted: Recovery) -> BucketRequest:  # noqa: ARG002  # its name is all it has
        return BucketRequest(name=wanted.name, cluster=wanted.cluster)

    def driver_spec(self, resource: ResourceSnapshot[BucketSpec]) -> DriverBucketSpec:
        return DriverBucketSpec(uid=resource.id, project_id=resource.project_id, name=resource.name)
