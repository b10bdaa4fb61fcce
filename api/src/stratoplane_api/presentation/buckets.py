# SPDX-License-Identifier: Apache-2.0
"""Buckets in the form that the API shows."""

from typing import Final

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.bucket import BucketKind, BucketSpec
from stratoplane_engine.model.resource import Resource

_KIND: Final = BucketKind()


def bucket(value: Resource[BucketSpec]) -> dict[str, object]:
    """Return the wire form of a bucket."""
    return resource(_KIND, value, {"endpoint": value.observed.get("endpoint", "")})
