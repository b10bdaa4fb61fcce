# SPDX-License-Identifier: Apache-2.0
"""Foreign objects of libvirt, as the platform lists them."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from stratoplane.foreign import ForeignObject


class Status(Protocol):
    """The fields that statuses of machines, networks and volumes have in common."""

    @property
    def uid(self) -> UUID:
        """Return libvirt's id of the object."""

    @property
    def name(self) -> str:
        """Return its name at libvirt."""

    @property
    def provider_reference(self) -> str:
        """Return the name by which libvirt finds it, unique among its kind."""


def in_order(statuses: Iterable[Status], limit: int) -> list[ForeignObject]:
    """Return the first ``limit`` as foreign objects, by reference."""
    found = sorted(statuses, key=lambda each: each.provider_reference)[:limit]
    return [ForeignObject(reference=each.provider_reference, name=each.name, status=each) for each in found]
