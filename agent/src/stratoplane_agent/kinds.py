# SPDX-License-Identifier: Apache-2.0
"""The kinds of objects that drivers of this agent can keep, as ``stratoplane-agent kinds`` lists them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from stratoplane.driver_kinds import BUILT_IN_KINDS
from stratoplane.registry import load_driver_kinds

BUILT_IN: Final = "BUILT_IN"
_PLATFORM: Final = "stratoplane"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedKind:
    """A kind as operators see it.

    Attributes:
        interface: name of its driver interface, empty if the kind is not loaded.
        state: ``BUILT_IN``, or the state of the distribution's entry point.
        reason: why it does not work, empty if it does or is not enabled.
    """

    name: str
    interface: str
    state: str
    distribution: str
    version: str
    reason: str = ""


def list_kinds(enabled: Iterable[str]) -> Sequence[ListedKind]:
    """Return the built-in kinds and every kind of a plugin that is installed or enabled, sorted by name."""
    kinds, extensions = load_driver_kinds(enabled)
    rows = [
        ListedKind(
            name=kind.name,
            interface=kind.interface,
            state=BUILT_IN,
            distribution=_PLATFORM,
            version=version(_PLATFORM),
        )
        for kind in BUILT_IN_KINDS
    ]
    for each in extensions:
        kind = kinds.get(each.name)
        is_loaded = kind is not None and each.loaded is kind
        rows.append(
            ListedKind(
                name=each.name,
                interface=kind.interface if kind is not None and is_loaded else "",
                state=each.state,
                distribution=each.distribution,
                version=each.version,
                reason=each.reason,
            )
        )
    return sorted(rows, key=lambda row: row.name)
