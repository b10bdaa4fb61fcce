# SPDX-License-Identifier: Apache-2.0
"""What observed objects mean to their kinds: a kind that cannot tell holds up its own objects and no others."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.kinds import AnyKind, Observed
from stratoplane.resources import ResourceStatus
from stratoplane_engine.kinds.catalogue import Kinds

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenObject:
    """The object of a resource as its cluster shows it."""

    id: UUID
    kind: str
    observed: Observed


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenKind:
    """A kind that could not say what an observed object means.

    Attributes:
        plugin: the plugin that brought the kind, empty for a built-in one.
        reason: what its ``status`` raised or returned.
        resource_id: one of the resources that it happened for.
    """

    kind: str
    plugin: str
    reason: str
    resource_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Statuses:
    """The stable status of each object by its resource's id, and the kinds that could not say it, by name."""

    of: Mapping[UUID, ResourceStatus]
    broken: Mapping[str, BrokenKind]


def read_statuses(kinds: Kinds, seen: Iterable[SeenObject]) -> Statuses:
    """Ask the kinds what the objects mean; an object whose kind breaks on it has no status."""
    found: dict[UUID, ResourceStatus] = {}
    broken: dict[str, BrokenKind] = {}
    for each in seen:
        kind = kinds[each.kind]
        try:
            found[each.id] = _checked(kind, kind.status(each.observed))
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything, and the other kinds go on
            if each.kind not in broken:
                _log.exception("kind %s cannot say the status of %s", each.kind, each.id)
                broken[each.kind] = BrokenKind(
                    kind=each.kind,
                    plugin=kinds.plugin_of(each.kind),
                    reason=f"{type(error).__name__}: {error}",
                    resource_id=each.id,
                )
    return Statuses(of=found, broken=broken)


def _checked(kind: AnyKind, status: object) -> ResourceStatus:
    if not isinstance(status, ResourceStatus) or status not in kind.stable:
        raise ValueError(f"status returned {status!r}, not one of {', '.join(kind.stable)}")
    return status
