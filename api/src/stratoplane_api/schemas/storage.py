# SPDX-License-Identifier: Apache-2.0
"""Volumes and buckets."""

from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.schemas.strict import Request, changed


class Volume(Resource):
    """A disk that machines can use."""

    size_gib = m.whole(required=True)
    image_id = m.identifier("Id of the image that the volume was filled from.", required=True, allow_none=True)


class VolumeCreate(Request):
    """A volume to make."""

    name = m.name(required=True)
    size_gib = m.size_gib("Size of the volume in GiB.", required=True)
    image = m.reference("Id or name of an image to fill the new volume with.")
    labels = m.labels(load_default=dict)
    cluster = m.name("Name of the cluster to use; the platform chooses one when it is left out.")


class VolumeUpdate(Request):
    """What may change of a volume."""

    name = changed(VolumeCreate, "name")
    labels = changed(VolumeCreate, "labels")
    size_gib = changed(VolumeCreate, "size_gib", "New size in GiB; it can only grow.")


class Bucket(Resource):
    """A bucket of an object store."""

    endpoint = m.text("URL at which the bucket is reached; empty until it is ready.", required=True)


class BucketCreate(Request):
    """A bucket to make."""

    name = m.name(required=True)
    labels = m.labels(load_default=dict)
    cluster = m.name("Name of the cluster to use; the platform chooses one when it is left out.")


class BucketUpdate(Request):
    """What may change of a bucket."""

    name = changed(BucketCreate, "name")
    labels = changed(BucketCreate, "labels")
