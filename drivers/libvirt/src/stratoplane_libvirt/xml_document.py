# SPDX-License-Identifier: Apache-2.0
"""Reading and writing XML: always as a tree, never by concatenating text."""

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from stratoplane.errors import PermanentError
from stratoplane_libvirt.names import METADATA_NAMESPACE

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KIB_PER_UNIT: Final = {"b": 1 / 1024, "bytes": 1 / 1024, "KiB": 1, "MiB": 1024, "GiB": 1024**2}

ET.register_namespace("stratoplane", METADATA_NAMESPACE)


def parse(text: str) -> ET.Element:
    """Return the root element of XML from the hypervisor.

    Raises:
        PermanentError: it is not XML, or uses entities or external references.
    """
    try:
        root: ET.Element = fromstring(text, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException) as error:
        raise PermanentError("libvirt sent XML that cannot be read", provider_text=str(error)) from error
    return root


def render(element: ET.Element) -> str:
    """Return the element as text for the hypervisor."""
    return ET.tostring(element, encoding="unicode")


def child(parent: ET.Element, tag: str, text: object = None, **attributes: object) -> ET.Element:
    """Append an element with text and attributes to ``parent`` and return it."""
    made = ET.SubElement(parent, tag, {name: clean(str(value)) for name, value in attributes.items()})
    if text is not None:
        made.text = clean(str(text))
    return made


def clean(text: str) -> str:
    """Return ``text`` with U+FFFD for every character that XML 1.0 does not allow, such as control characters."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def require_text(root: ET.Element, path: str) -> str:
    """Return the text of the element at ``path``; raises PermanentError if it is missing."""
    text = root.findtext(path)
    if text is None:
        raise PermanentError(f"libvirt sent a {root.tag} without {path}")
    return text


@contextlib.contextmanager
def values_of(root: ET.Element) -> Iterator[None]:
    """Turn a value that cannot be read (number, id, address) into a PermanentError that names the object."""
    try:
        yield
    except ValueError as error:
        name = root.findtext("name") or root.findtext("uuid")
        raise PermanentError(f"the {root.tag} {name} at libvirt cannot be read", provider_text=str(error)) from error


def memory_mib(element: ET.Element | None) -> int:
    """Return the MiB that an element such as ``<memory unit='KiB'>`` names; 0 for None."""
    if element is None:
        return 0
    return round(int(element.text or 0) * _KIB_PER_UNIT[element.get("unit", "KiB")] / 1024)


def uuid_of(root: ET.Element) -> UUID:
    return UUID(require_text(root, "uuid"))
