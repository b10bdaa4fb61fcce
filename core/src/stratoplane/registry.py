# SPDX-License-Identifier: Apache-2.0
"""Finding and loading drivers (stevedore: one of N), driver kinds and plugins (all of N that are enabled).

What is not enabled is never imported. What is enabled and broken is listed with its reason, and everything else keeps
working.
"""

import dataclasses
import importlib.metadata
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, ModuleType
from typing import Any, Final

import pluggy
from stevedore.named import NamedExtensionManager

from stratoplane import CONTRACT, hookspecs
from stratoplane.driver_kinds import BUILT_IN_KINDS, KIND_GROUP, DriverKinds, kind_problem
from stratoplane.drivers import Driver
from stratoplane.errors import SettingsError
from stratoplane.settings import NoSettings, load

PLUGIN_GROUP: Final = "stratoplane.plugins"


class ExtensionState(StrEnum):
    """The state of an entry point."""

    LOADED = "LOADED"
    DISABLED = "DISABLED"
    MISSING = "MISSING"
    BROKEN = "BROKEN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """A driver or plugin as operators see it: its origin, its state and, when broken, the reason."""

    name: str
    group: str
    distribution: str = ""
    version: str = ""
    state: ExtensionState = ExtensionState.DISABLED
    reason: str = ""
    loaded: Any = None


def driver_group(interface: str) -> str:
    """Return the entry point group of an interface's drivers."""
    return f"stratoplane.{interface}"


def installed(group: str) -> Sequence[Extension]:
    """Return every entry point of ``group`` without importing any, sorted by name."""
    points = importlib.metadata.entry_points(group=group)
    found = [
        Extension(
            name=point.name,
            group=group,
            distribution=point.dist.name if point.dist else "",
            version=point.dist.version if point.dist else "",
        )
        for point in points
    ]
    return sorted(found, key=lambda extension: extension.name)


def load_driver_kinds(enabled: Iterable[str]) -> tuple[DriverKinds, Sequence[Extension]]:
    """Load the enabled driver kinds, in that order, beside the built-in ones.

    Args:
        enabled: names of entry points of the group :data:`~stratoplane.driver_kinds.KIND_GROUP`.

    Returns:
        The built-in kinds with those that work, and every kind installed or named, with its state and reason.
    """
    kinds, chosen = BUILT_IN_KINDS, {}
    for name in dict.fromkeys(enabled):
        found = _load_one(KIND_GROUP, name)
        if found.state is ExtensionState.LOADED:
            reason = _problem_of_kind(found.loaded, name, kinds)
            found = _broken(found, reason) if reason else found
            kinds = kinds if reason else kinds.with_kind(found.loaded)
        chosen[name] = found
    others = [each for each in installed(KIND_GROUP) if each.name not in chosen]
    return kinds, sorted([*chosen.values(), *others], key=lambda extension: extension.name)


def _problem_of_kind(candidate: object, name: str, known: DriverKinds) -> str:
    try:
        return kind_problem(candidate, name, known)
    except Exception as error:  # noqa: BLE001  # a plugin's kind may contain anything; the others keep working
        return f"{type(error).__name__}: {error}"


def load_driver(interface: str, name: str, kinds: DriverKinds = BUILT_IN_KINDS) -> Extension:
    """Load the driver class ``name`` of ``interface``.

    Args:
        interface: name of the interface.
        name: name of the driver's entry point.
        kinds: the kinds that are enabled; they bring the interfaces.

    Returns:
        The extension; ``loaded`` is the class when its state is LOADED, else ``reason`` says what is wrong: no such
        interface, not installed, import failed, abstract methods missing, or another contract.
    """
    contract = kinds.contract_of(interface)
    if contract is None:
        reason = f"no enabled driver kind has the interface {interface}"
        return Extension(name=name, group=driver_group(interface), state=ExtensionState.BROKEN, reason=reason)
    extension = _load_one(driver_group(interface), name)
    if extension.state is not ExtensionState.LOADED:
        return extension
    reason = shape_problem(extension.loaded, contract)
    return _broken(extension, reason) if reason else extension


def shape_problem(candidate: object, contract: type[object]) -> str:
    """Return why ``candidate`` cannot serve as a driver that implements ``contract``, empty if it can."""
    if not inspect.isclass(candidate) or not issubclass(candidate, contract) or not issubclass(candidate, Driver):
        return f"{candidate!r} is not a subclass of {contract.__module__}.{contract.__qualname__}"
    if missing := sorted(candidate.__abstractmethods__):
        return f"{candidate.__qualname__} does not implement {', '.join(missing)}"
    written_for = candidate.contract
    if written_for[0] != CONTRACT[0]:
        return f"written for contract {written_for[0]}.x; this platform supports {CONTRACT[0]}.{CONTRACT[1]}"
    return ""


def load_plugins(
    enabled: Iterable[str],
    tables: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
    environment: Mapping[str, str] = os.environ,
) -> tuple[pluggy.PluginManager, Sequence[Extension]]:
    """Load the enabled plugins, in that order, into a plugin manager with all hooks.

    Args:
        enabled: names of entry points.
        tables: settings of plugins by name, as the tables ``[plugins.<name>]`` of a configuration file hold them.
        environment: takes precedence over the tables.

    Returns:
        The manager with the plugins that work, and every plugin installed or named, with its state and reason.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    chosen = {}
    for name in dict.fromkeys(enabled):
        found = _with_settings(_load_one(PLUGIN_GROUP, name), tables.get(name, {}), environment)
        chosen[name] = _register(manager, found)
    others = [each for each in installed(PLUGIN_GROUP) if each.name not in chosen]
    return manager, sorted([*chosen.values(), *others], key=lambda extension: extension.name)


def _with_settings(extension: Extension, table: Mapping[str, object], environment: Mapping[str, str]) -> Extension:
    """Return the extension with its class instantiated with its settings; other plugins stay unchanged."""
    if extension.state is not ExtensionState.LOADED or not inspect.isclass(extension.loaded):
        return extension
    maker: Callable[[object], object] = extension.loaded
    settings = getattr(extension.loaded, "Settings", NoSettings)
    try:
        plugin = maker(load(settings, table, environment, where=f"[plugins.{extension.name}]"))
    except SettingsError as error:
        return _broken(extension, error.detail)
    except Exception as error:  # noqa: BLE001  # a plugin's constructor may raise anything; the others keep working
        return _broken(extension, f"{type(error).__name__}: {error}")
    return dataclasses.replace(extension, loaded=plugin)


def _register(manager: pluggy.PluginManager, extension: Extension) -> Extension:
    if extension.state is not ExtensionState.LOADED:
        return extension
    try:
        manager.register(extension.loaded, name=extension.name)
        _refuse_unknown_hooks(extension.loaded)
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(extension.name):
            manager.unregister(name=extension.name)
        return _broken(extension, str(error))
    return extension


def _refuse_unknown_hooks(plugin: ModuleType | object) -> None:
    prefix = f"{hookspecs.PROJECT_NAME}_"
    known = {name for name in vars(hookspecs) if name.startswith(prefix)}
    if unknown := sorted(name for name in dir(plugin) if name.startswith(prefix) and name not in known):
        raise ValueError(f"unknown hook {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _load_one(group: str, name: str) -> Extension:
    known = [extension for extension in installed(group) if extension.name == name]
    if not known:
        return Extension(
            name=name, group=group, state=ExtensionState.MISSING, reason="no installed distribution offers it"
        )
    if len(known) > 1:
        both = ", ".join(extension.distribution for extension in known)
        return _broken(known[0], f"offered by several distributions ({both}); remove all but one")
    failures: list[BaseException] = []
    try:
        manager: NamedExtensionManager[Any] = NamedExtensionManager(
            group,
            [name],
            invoke_on_load=False,
            on_load_failure_callback=lambda _manager, _point, error: failures.append(error),
        )
    except (AssertionError, SystemExit) as error:  # which stevedore lets pass
        failures.append(error)
    if failures:
        return _broken(known[0], f"{type(failures[0]).__name__}: {failures[0]}")
    if name not in manager:
        return _broken(known[0], "installed after this process looked for extensions; restart the process")
    return dataclasses.replace(known[0], state=ExtensionState.LOADED, loaded=manager[name].plugin)


def _broken(extension: Extension, reason: str) -> Extension:
    return dataclasses.replace(extension, state=ExtensionState.BROKEN, reason=reason, loaded=None)
