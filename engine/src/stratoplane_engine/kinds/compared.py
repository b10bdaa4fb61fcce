# SPDX-License-Identifier: Apache-2.0
"""What of a resource is compared with what its cluster shows: the kinds say it."""

from stratoplane.kinds import ComparedField
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.drift import ComparedKind


def compared_kinds(kinds: Kinds) -> tuple[ComparedKind, ...]:
    """Return every kind that a driver makes and of which fields are compared."""
    return tuple(
        ComparedKind(name=kind.name, interface=kind.interface, fields=kind.compared)
        for kind in kinds.values()
        if kind.interface is not None and kind.compared
    )


def compared_field(kinds: Kinds, kind: str, name: str) -> ComparedField | None:
    """Return the compared field ``name`` of a kind, None when it is not compared."""
    fields = kinds[kind].compared if kind in kinds else ()
    return next((field for field in fields if field.name == name), None)
