# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: what operators offer."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavor:
    """A size of machine."""

    id: UUID
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FlavorDraft:
    """A size to offer."""

    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FlavorPatch:
    """What may change of a flavor; None leaves a member as it is."""

    name: str | None = None
    vcpus: int | None = None
    memory_mib: int | None = None
    disk_gib: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A disk to start from.

    Attributes:
        source: file name in the drivers' image folder, or the provider's own id.
        sha256: digest of the file, empty when it is not known.
        clusters: names of up to 100 clusters that can start machines from it; those that do not tell which images
            they have are among them.
    """

    id: UUID
    name: str
    description: str
    source: str
    format: str
    sha256: str
    minimum_disk_gib: int
    clusters: tuple[str, ...]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageDraft:
    """An image to offer."""

    name: str
    source: str
    description: str = ""
    format: str = "qcow2"
    sha256: str = ""
    minimum_disk_gib: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePatch:
    """What may change of an image; None leaves a member as it is."""

    name: str | None = None
    description: str | None = None
    minimum_disk_gib: int | None = None
