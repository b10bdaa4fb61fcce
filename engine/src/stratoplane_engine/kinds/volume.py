# SPDX-License-Identifier: Apache-2.0
"""Volumes: block storage that outlives machines."""

from dataclasses import dataclass, replace

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane.compute import ImageReference
from stratoplane.drivers import Interface
from stratoplane.errors import ResourceNotFoundError
from stratoplane.kinds import (
    Draft,
    Kind,
    Observed,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
    invalid,
)
from stratoplane.quota import DEFAULT_LIMITS, Amount, QuotaKey
from stratoplane.spec_changes import SpecChange
from stratoplane.storage import VolumeSpec as DriverVolumeSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeSpec(Spec):
    """A volume as it should be: ``size_gib`` in GiB, empty or filled from ``image``."""

    size_gib: int
    image: ImageReference | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeRequest(ResourceRequest):
    """A volume to make; ``image`` is the id or name of one to fill it with."""

    size_gib: int
    image: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumePatch(ResourcePatch):
    """What may change of a volume."""

    size_gib: int | None = None


class VolumeKind(Kind[VolumeSpec, VolumeRequest, VolumePatch]):
    """Volumes."""

    name = "volume"
    interface = Interface.STORAGE
    quota_key = QuotaKey.VOLUMES
    default_limit = DEFAULT_LIMITS[QuotaKey.VOLUMES]
    spec = VolumeSpec
    request = VolumeRequest
    patch = VolumePatch
    changes = (SpecChange(verb="resize", members=("size_gib",)),)
    compared = (
        ComparedField(name="name", policies=(DriftPolicy.CORRECT, DriftPolicy.ALERT), comparison=Comparison.NAME),
        ComparedField(name="size_gib", policies=(DriftPolicy.ALERT, DriftPolicy.ADOPT)),
    )

    def references(self, wanted: VolumeRequest | VolumePatch) -> References:
        if isinstance(wanted, VolumePatch):
            return References()
        return References(image=wanted.image, cluster=wanted.cluster)

    def draft(self, wanted: VolumeRequest, found: ResolvedReferences) -> Draft[VolumeSpec]:
        if not wanted.image:
            return Draft(spec=VolumeSpec(size_gib=wanted.size_gib))
        if found.image is None:
            raise ResourceNotFoundError(f"image: there is no image {wanted.image!r}; list the images")
        image, smallest = found.image.reference, found.image.minimum_disk_gib
        if wanted.size_gib < smallest:
            raise invalid("/size_gib", f"image {image.name} needs at least {smallest} GiB")
        return Draft(spec=VolumeSpec(size_gib=wanted.size_gib, image=image))

    def redraft(self, present: VolumeSpec, change: VolumePatch, found: ResolvedReferences) -> Draft[VolumeSpec]:  # noqa: ARG002
        size = present.size_gib if change.size_gib is None else change.size_gib
        if size < present.size_gib:
            raise invalid("/size_gib", f"the volume has {present.size_gib} GiB; volumes only grow")
        return Draft(spec=replace(present, size_gib=size))

    def quota_usage(self, spec: VolumeSpec) -> Amount:
        return {QuotaKey.VOLUMES: 1, QuotaKey.STORAGE_GIB: spec.size_gib}

    def driver_spec(self, resource: ResourceSnapshot[VolumeSpec]) -> DriverVolumeSpec:
        return DriverVolumeSpec(
            uid=resource.id,
            project_id=resource.project_id,
            name=resource.name,
            size_gib=resource.spec.size_gib,
            image=resource.spec.image,
        )

    def adopted(self, observed: Observed, name: str, cluster: str) -> VolumeRequest:
        return self.read_request({"size_gib": observed["size_gib"], "name": name, "cluster": cluster})
