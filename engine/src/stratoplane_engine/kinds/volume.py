# SPDX-License-Identifier: Apache-2.0
"""Volumes: block storage that outlives machines."""

from typing import Final

from stratoplane.drivers import Interface
from stratoplane.errors import ResourceNotFoundError
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import (
    Draft,
    Gathered,
    Json,
    Kind,
    References,
    ResourceSnapshot,
    image_reference,
    invalid,
)


def _references(body: Json, _present: Json | None) -> References:
    return References(image=body.get("image") or "", cluster=body.get("cluster", ""))


def _draft(body: Json, gathered: Gathered) -> Draft:
    size = body["size_gib"]
    image = None
    if body.get("image"):
        if gathered.image is None:
            raise ResourceNotFoundError(f"image: there is no image {body['image']!r}; list the images")
        smallest = gathered.image["minimum_disk_gib"]
        if size < smallest:
            raise invalid("/size_gib", f"image {gathered.image['name']} needs at least {smallest} GiB")
        image = image_reference(gathered.image)
    return Draft(spec={"size_gib": size, "image": image})


def _redraft(present: Json, patch: Json, _gathered: Gathered) -> Draft:
    size = patch.get("size_gib", present["size_gib"])
    if size < present["size_gib"]:
        raise invalid("/size_gib", f"the volume has {present['size_gib']} GiB; volumes only grow")
    return Draft(spec={**present, "size_gib": size})


def _quota_usage(spec: Json) -> Amount:
    return {QuotaKey.VOLUMES: 1, QuotaKey.STORAGE_GIB: spec["size_gib"]}


def _driver_spec(resource: ResourceSnapshot) -> Json:
    wanted = {key: resource.spec[key] for key in ("size_gib", "image")}
    return {"uid": str(resource.id), "project_id": str(resource.project_id), "name": resource.name, **wanted}


def _describe(spec: Json, _observed: Json) -> Json:
    image = spec.get("image")
    return {"size_gib": spec["size_gib"], "image_id": image["uid"] if image else None}


def _adopted(observed: Json) -> Json:
    return {"size_gib": observed["size_gib"]}


VOLUME: Final = Kind(
    name="volume",
    interface=Interface.STORAGE,
    count=QuotaKey.VOLUMES,
    changeable=frozenset({"size_gib"}),
    references=_references,
    draft=_draft,
    redraft=_redraft,
    quota_usage=_quota_usage,
    driver_spec=_driver_spec,
    describe=_describe,
    adopted=_adopted,
)
