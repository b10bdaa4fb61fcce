# SPDX-License-Identifier: Apache-2.0
"""Our mark: the metadata element by which our domains and networks are recognised."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane_libvirt.names import METADATA_NAMESPACE
from stratoplane_libvirt.xml_document import clean

_BARE_TAG: Final = "object"
_TAG: Final = f"{{{METADATA_NAMESPACE}}}{_BARE_TAG}"
METADATA_PREFIX: Final = "stratoplane"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What is stored with an object at libvirt.

    Attributes:
        installation_id: the platform that owns the object; others leave it alone.
        name: the tenant's name for it.
        image_uid: what a machine's root disk starts from.
        complete: whether all parts of the object were created.
        stop_requested: when a machine's guest was first asked to shut down, in seconds since the epoch; 0 if not.
    """

    installation_id: UUID
    project_id: UUID
    name: str
    image_uid: UUID | None = None
    complete: bool = False
    stop_requested: float = 0.0

    def to_element(self) -> ET.Element:
        attributes = {
            "installation": str(self.installation_id),
            "project": str(self.project_id),
            "name": clean(self.name),
            "image": str(self.image_uid or ""),
            "complete": "yes" if self.complete else "no",
            "stop-requested": repr(self.stop_requested),
        }
        return ET.Element(_TAG, attributes)

    def to_bare_element(self) -> ET.Element:
        """Return the element without its namespace, which libvirt adds itself when metadata are set by a call."""
        return ET.Element(_BARE_TAG, self.to_element().attrib)


def read_mark(root: ET.Element) -> Mark | None:
    """Return the mark in a domain's or network's XML, None for an object without one.

    Raises:
        ValueError: the mark was changed and cannot be read.
    """
    element = root.find(f"metadata/{_TAG}")
    if element is None:
        return None
    return Mark(
        installation_id=UUID(element.get("installation", "")),
        project_id=UUID(element.get("project", "")),
        name=element.get("name", ""),
        image_uid=UUID(image) if (image := element.get("image")) else None,
        complete=element.get("complete") == "yes",
        stop_requested=float(element.get("stop-requested", "0")),
    )
