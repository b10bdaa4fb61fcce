# SPDX-License-Identifier: Apache-2.0
"""What of a resource is compared with what its cluster shows, and what may be done about a difference."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from stratoplane.kinds import ComparedField, Comparison, DriftPolicy
from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.model.drift import ComparedKind

_CORRECT, _ADOPT, _ALERT = DriftPolicy.CORRECT, DriftPolicy.ADOPT, DriftPolicy.ALERT


def _field(name: str, *policies: DriftPolicy, comparison: Comparison = Comparison.MEMBER) -> ComparedField:
    return ComparedField(name=name, policies=policies, comparison=comparison)


COMPARED: Final[Mapping[str, tuple[ComparedField, ...]]] = MappingProxyType(
    {
        "virtual_machine": (
            _field("power", _CORRECT, _ADOPT, _ALERT),
            _field("name", _CORRECT, _ALERT, comparison=Comparison.NAME),
            _field("vcpus", _ALERT),
            _field("memory_mib", _ALERT),
            _field("volumes", _CORRECT, _ALERT, comparison=Comparison.ATTACHED_VOLUMES),
        ),
        "volume": (
            _field("name", _CORRECT, _ALERT, comparison=Comparison.NAME),
            _field("size_gib", _ALERT, _ADOPT),
        ),
        "network": (
            _field("name", _CORRECT, _ALERT, comparison=Comparison.NAME),
            _field("cidr", _ALERT),
            _field("gateway", _ALERT),
            _field("mode", _ALERT),
            _field("active", _CORRECT, _ALERT, comparison=Comparison.ALWAYS_TRUE),
        ),
        "bucket": (_field("name", _ALERT, comparison=Comparison.NAME),),
    }
)
"""The fields of every kind that are compared."""


def compared_kinds() -> tuple[ComparedKind, ...]:
    """Return every kind that a driver makes and of which fields are compared."""
    return tuple(
        ComparedKind(name=name, interface=interface, fields=fields)
        for name, fields in COMPARED.items()
        if (interface := KINDS[name].interface) is not None
    )


def compared_field(kind: str, name: str) -> ComparedField | None:
    """Return the compared field ``name`` of a kind, None when it is not compared."""
    return next((field for field in COMPARED.get(kind, ()) if field.name == name), None)
