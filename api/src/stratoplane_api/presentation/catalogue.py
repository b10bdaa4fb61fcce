# SPDX-License-Identifier: Apache-2.0
"""Flavors and images on the wire."""

from stratoplane_engine.model.catalogue import Flavor, Image


def flavor(value: Flavor) -> dict[str, object]:
    """Return the wire form of a flavor."""
    return {
        "id": value.id,
        "name": value.name,
        "vcpus": value.vcpus,
        "memory_mib": value.memory_mib,
        "disk_gib": value.disk_gib,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }


def image(value: Image) -> dict[str, object]:
    """Return the wire form of an image as tenants see it."""
    return {
        "id": value.id,
        "name": value.name,
        "description": value.description,
        "format": value.format,
        "minimum_disk_gib": value.minimum_disk_gib,
        "clusters": value.clusters,
        "version": value.version,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
    }


def operator_image(value: Image) -> dict[str, object]:
    """Return the wire form of an image with where clusters find it."""
    return {**image(value), "source": value.source, "sha256": value.sha256}
