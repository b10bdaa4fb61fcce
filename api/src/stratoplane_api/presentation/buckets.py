# SPDX-License-Identifier: Apache-2.0
"""Buckets in the form that the API shows."""

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.bucket import BucketSpec
from stratoplane_engine.model.resource import Resource


def bucket(value: Resource[BucketSpec]) -> dict[str, object]:
    """Return the wire form of a bucket."""
    return resource(value, {"endpoint": value.observed.get("endpoint", "")})
