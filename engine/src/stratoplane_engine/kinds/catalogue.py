# SPDX-License-Identifier: Apache-2.0
"""Every kind by its name: the built-in ones, and those of enabled plugins."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from types import GenericAlias, MappingProxyType
from typing import Final

from stratoplane.kinds import AnyKind, Spec
from stratoplane.quota import DEFAULT_LIMITS, Amount
from stratoplane_engine.kinds.bucket import BucketKind
from stratoplane_engine.kinds.key_pair import KeyPairKind
from stratoplane_engine.kinds.network import NetworkKind
from stratoplane_engine.kinds.virtual_machine import VirtualMachineKind
from stratoplane_engine.kinds.volume import VolumeKind
from stratoplane_engine.model.conversion import convert
from stratoplane_engine.model.resource import Resource


class Kinds(Mapping[str, AnyKind]):
    """The kinds that a process knows.

    A plugin's kind that is no longer enabled is not among them: its resources stay in the database, and nobody
    changes them until it is enabled again.
    """

    def __init__(self, kinds: Iterable[AnyKind], plugins: Mapping[str, str] = MappingProxyType({})) -> None:
        """Keep the kinds, and by their names the plugins that brought them.

        The names of the kinds differ, as the registry of plugins has made sure.
        """
        self._kinds: Final = MappingProxyType({kind.name: kind for kind in kinds})
        self._plugins: Final = plugins

    def with_plugins(self, added: Mapping[str, Iterable[AnyKind]]) -> "Kinds":
        """Return these kinds and those that each plugin, by its name, adds."""
        pairs = [(plugin, kind) for plugin, kinds in added.items() for kind in kinds]
        names = {**self._plugins, **{kind.name: plugin for plugin, kind in pairs}}
        return Kinds((*self.values(), *(kind for _, kind in pairs)), names)

    def plugin_of(self, kind: str) -> str:
        """Return the name of the plugin that brought a kind, empty for a built-in one."""
        return self._plugins.get(kind, "")

    def __getitem__(self, name: str) -> AnyKind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __hash__(self) -> int:
        return hash(tuple(self._kinds))

    def read_spec(self, name: str, document: object) -> Spec:
        """Return the spec that a kind has stored as ``document``; an empty one for a kind that is not enabled.

        So it is for the record of an object that nothing but its id was known of.
        """
        kind = self._kinds.get(name)
        return Spec() if kind is None or (not document and _has_members(kind.spec)) else read_spec(kind, document)

    def resource_of(self, name: str) -> type[Resource[Spec]]:
        """Return the class of a kind's resources, by which they are read; the spec is empty if it is not enabled."""
        kind = self._kinds.get(name)
        made: type[Resource[Spec]] = GenericAlias(Resource, (Spec if kind is None else kind.spec,))  # type: ignore[assignment]  # made at run time
        return made

    @functools.cached_property
    def clustered(self) -> tuple[AnyKind, ...]:
        """The kinds that a cluster's driver makes."""
        return tuple(kind for kind in self.values() if kind.interface is not None)

    @functools.cached_property
    def adoptable(self) -> tuple[str, ...]:
        """Names of the kinds whose foreign objects can become resources."""
        return tuple(kind.name for kind in self.values() if kind.is_adoptable)

    @functools.cached_property
    def default_limits(self) -> Amount:
        """Limits of a new organization for everything that is counted."""
        return MappingProxyType(
            {**DEFAULT_LIMITS, **{str(kind.quota_key): kind.default_limit for kind in self.values()}}
        )

    @functools.cached_property
    def quota_keys(self) -> tuple[str, ...]:
        """Everything that is counted: sizes, and the resources of each kind."""
        return tuple(map(str, self.default_limits))


def _has_members(spec: type[Spec]) -> bool:
    return bool(fields(spec))  # type: ignore[arg-type]  # every spec is a dataclass


def read_spec(kind: AnyKind, document: object) -> Spec:
    """Return the spec that a kind has stored as ``document``."""
    return convert(document, kind.spec)


BUILTIN_KINDS: Final = Kinds((VirtualMachineKind(), NetworkKind(), VolumeKind(), BucketKind(), KeyPairKind()))
"""The kinds that every installation has."""
