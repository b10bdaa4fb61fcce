# SPDX-License-Identifier: Apache-2.0
"""Volumes in the form that the API shows."""

from typing import Final

from stratoplane_api.presentation.resources import resource
from stratoplane_engine.kinds.volume import VolumeKind, VolumeSpec
from stratoplane_engine.model.resource import Resource

_KIND: Final = VolumeKind()


def volume(value: Resource[VolumeSpec]) -> dict[str, object]:
    """Return the wire form of a volume."""
    image = value.spec.image
    return resource(_KIND, value, {"size_gib": value.spec.size_gib, "image_id": image.uid if image else None})
