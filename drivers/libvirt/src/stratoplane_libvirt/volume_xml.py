# SPDX-License-Identifier: Apache-2.0
"""Volumes and pools as libvirt XML."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from stratoplane_libvirt.xml_document import child


@dataclass(frozen=True, kw_only=True, slots=True)
class Backing:
    """The backing file of a copy-on-write volume.

    Attributes:
        path: path of the file on the host.
        format: ``qcow2`` or ``raw``; never guessed from the content, which a guest may have written.
        size_bytes: size of the disk in the file.
    """

    path: str
    format: str
    size_bytes: int


def build_qcow2(name: str, size_bytes: int, backing: Backing | None) -> ET.Element:
    volume = _volume(name, size_bytes, "qcow2")
    if backing is not None:
        store = child(volume, "backingStore")
        child(store, "path", backing.path)
        child(store, "format", type=backing.format)
    return volume


def build_raw(name: str, size_bytes: int) -> ET.Element:
    """Return a sparse raw volume."""
    return _volume(name, size_bytes, "raw")


def build_folder_pool(name: str, path: str) -> ET.Element:
    pool = ET.Element("pool", {"type": "dir"})
    child(pool, "name", name)
    child(child(pool, "target"), "path", path)
    return pool


def _volume(name: str, size_bytes: int, form: str) -> ET.Element:
    volume = ET.Element("volume")
    child(volume, "name", name)
    child(volume, "capacity", size_bytes, unit="bytes")
    child(volume, "allocation", 0, unit="bytes")
    child(child(volume, "target"), "format", type=form)
    return volume
