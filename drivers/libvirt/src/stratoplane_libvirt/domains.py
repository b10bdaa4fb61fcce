# SPDX-License-Identifier: Apache-2.0
"""Finding domains and storing our metadata with them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import libvirt

from stratoplane.errors import ConflictError
from stratoplane_libvirt.connection import tolerating
from stratoplane_libvirt.domain_xml import DomainRecord, read_domain
from stratoplane_libvirt.marks import METADATA_PREFIX, Mark
from stratoplane_libvirt.names import METADATA_NAMESPACE
from stratoplane_libvirt.xml_document import clean, render


def find_domain(host: Any, uid: UUID) -> Any | None:
    """Return the domain with this UUID, ours or not; None if it does not exist."""
    with tolerating(libvirt.VIR_ERR_NO_DOMAIN):
        return host.lookupByUUIDString(str(uid))
    return None


def all_records(host: Any) -> Iterator[tuple[Any, DomainRecord]]:
    """Return every domain of the host with the content of its XML; domains that vanish meanwhile are skipped."""
    for domain in host.listAllDomains(0):
        text = None
        with tolerating(libvirt.VIR_ERR_NO_DOMAIN):
            text = domain.XMLDesc(0)
        if text is not None:
            yield domain, read_domain(text)


def own_mark(record: DomainRecord, installation_id: UUID) -> Mark:
    """Return our mark on a domain. Raises ConflictError if it is not ours."""
    if record.mark is None or record.mark.installation_id != installation_id:
        raise ConflictError(f"the domain {record.name} has our id but not our mark; it is left alone")
    return record.mark


def change_flags(domain: Any) -> int:
    """Return the flags that change the definition and, if it is running, the live machine."""
    running = libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0
    return int(libvirt.VIR_DOMAIN_AFFECT_CONFIG | running)


def save_mark(domain: Any, mark: Mark) -> None:
    """Replace the domain's mark by ``mark``."""
    _set_metadata(domain, libvirt.VIR_DOMAIN_METADATA_ELEMENT, render(mark.to_bare_element()), METADATA_PREFIX)


def save_title(domain: Any, name: str) -> None:
    """Set the domain's title to ``name``, for operators who list domains with their titles."""
    _set_metadata(domain, libvirt.VIR_DOMAIN_METADATA_TITLE, clean(" ".join(name.split())), None)


def _set_metadata(domain: Any, kind: int, text: str, prefix: str | None) -> None:
    namespace = METADATA_NAMESPACE if prefix else None
    domain.setMetadata(kind, text, prefix, namespace, change_flags(domain))
