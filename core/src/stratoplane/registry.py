# SPDX-License-Identifier: Apache-2.0
"""Finding and loading drivers (stevedore: one of N), driver kinds and plugins (all of N that are enabled).

What is not enabled is never imported. What is enabled and broken is listed with its reason, and everything else keeps
working.
"""

import dataclasses
import importlib.metadata
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, ModuleType, NoneType, UnionType
from typing import Any, Final, get_args, get_type_hints

import pluggy
from stevedore.named import NamedExtensionManager

from stratoplane import CONTRACT, hookspecs
from stratoplane.driver_kinds import BUILT_IN_KINDS, KIND_GROUP, DriverKinds, kind_problem
from stratoplane.drivers import Driver
from stratoplane.errors import SettingsError
from stratoplane.kinds import AnyKind, Kind, ResourcePatch, ResourceRequest, Spec
from stratoplane.quota import QuotaKey
from stratoplane.settings import NoSettings, load
from stratoplane.spec_changes import RENAME, RESERVED_VERBS
from stratoplane.wire import unsupported_member

PLUGIN_GROUP: Final = "stratoplane.plugins"
PLUGIN_SETTINGS_VARIABLE: Final = "STRATOPLANE_PLUGIN_SETTINGS"
"""The tables ``[plugins.<name>]`` of the configuration file as JSON, for processes that do not read the file."""
RESERVED_KIND_NAMES: Final = frozenset(
    {
        "agent", "audit_event", "cluster", "flavor", "foreign_object", "image", "incident", "job", "join_token",
        "leak", "organization", "orphan", "plugin", "project", "provider", "quota", "resource", "role",
        "role_binding", "session", "token", "user",
    }
)  # fmt: skip
"""What the platform has operations for; a kind of this name would take their ids and paths."""
_RULES: Final = ("least", "most", "pattern")
"""Keys of a field's metadata that say what it takes."""
_KIND_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


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


def plugin_tables(environment: Mapping[str, str] = os.environ) -> Mapping[str, Mapping[str, object]]:
    """Return the settings of plugins that :data:`PLUGIN_SETTINGS_VARIABLE` hands on, none when it is not set.

    Raises:
        SettingsError: its value is not a JSON object of objects.
    """
    try:
        tables = json.loads(environment.get(PLUGIN_SETTINGS_VARIABLE) or "{}")
        return {name: dict(table) for name, table in tables.items()}
    except (ValueError, TypeError, AttributeError) as error:
        problem = f"{PLUGIN_SETTINGS_VARIABLE}: is not a JSON object of tables"
        raise SettingsError(f"the settings cannot be used: {problem}", [problem]) from error


def settings_of_plugin(name: str) -> type[object] | None:
    """Return the dataclass of an installed plugin's settings, None when the plugin cannot be imported."""
    extension = _load_one(PLUGIN_GROUP, name)
    if extension.state is not ExtensionState.LOADED:
        return None
    settings: type[object] = getattr(extension.loaded, "Settings", NoSettings)
    return settings


def load_kinds(
    manager: pluggy.PluginManager, extensions: Sequence[Extension], known: Iterable[AnyKind]
) -> tuple[Mapping[str, Sequence[AnyKind]], Sequence[Extension]]:
    """Ask the loaded plugins for the kinds that they add, in the order in which they were enabled.

    Args:
        known: the kinds that there are without plugins.

    Returns:
        The kinds of each plugin by its name, and every extension. A plugin with a kind that cannot be served is
        BROKEN with the reason and no longer in the manager.
    """
    kinds, found = list(known), {each.name: each for each in extensions}
    by_plugin: dict[str, Sequence[AnyKind]] = {}
    hooks = sorted(
        manager.hook.stratoplane_kinds.get_hookimpls(), key=lambda each: _position(manager, each.plugin_name)
    )
    for hook in hooks:
        try:
            added = list(_called(hook))
            problem = _problem_of(added, kinds)
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything, and the rest works on
            added, problem = [], f"{type(error).__name__}: {error}"
        if problem:
            manager.unregister(name=hook.plugin_name)
            found[hook.plugin_name] = _broken(found[hook.plugin_name], problem)
        else:
            kinds += added
            by_plugin[hook.plugin_name] = added
    return by_plugin, list(found.values())


def _called(hook: pluggy.HookImpl) -> Iterable[AnyKind]:
    found: Iterable[AnyKind] = hook.function()  # type: ignore[assignment]  # pluggy knows no answer's type
    return found


def _position(manager: pluggy.PluginManager, name: str) -> int:
    return [registered for registered, _ in manager.list_name_plugin()].index(name)


def _problem_of(added: Sequence[AnyKind], known: Sequence[AnyKind]) -> str:
    """Return why one of the kinds cannot be served beside ``known`` and those before it, empty if all can."""
    for position, kind in enumerate(added):
        if problem := resource_kind_problem(kind, [*known, *added[:position]]):
            return problem
    return ""


def resource_kind_problem(candidate: object, known: Iterable[AnyKind]) -> str:
    """Return why ``candidate`` cannot be served as a kind of resources beside ``known``, empty if it can."""
    if not isinstance(candidate, Kind):
        return f"{candidate!r} is not an object of a subclass of {Kind.__module__}.{Kind.__qualname__}"
    where = type(candidate).__qualname__
    if missing := [
        each for each in ("name", "interface", "quota_key", "spec", "request", "patch") if not hasattr(candidate, each)
    ]:
        return f"{where} does not set {', '.join(missing)}"
    if candidate.name in RESERVED_KIND_NAMES:
        return f"{where}: {candidate.name} is a noun of the platform; choose another name"
    if not _is_name(candidate.name) or not _is_name(candidate.quota_key):
        return f"{where}: name and quota_key take lower case letters, digits and underscores"
    if candidate.interface is not None and not _is_name(candidate.interface):
        return f"{where}: {candidate.interface!r} cannot be the name of a driver interface"
    if candidate.interface is not None and type(candidate).driver_spec is Kind.driver_spec:
        return f"{where} names a driver interface and does not implement driver_spec"
    return _shape_of_values(candidate) or _unnameable_change(candidate) or _clash(candidate, known)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _KIND_NAME.fullmatch(value) is not None


def _shape_of_values(kind: AnyKind) -> str:
    for member, base in (("spec", Spec), ("request", ResourceRequest), ("patch", ResourcePatch)):
        value = getattr(kind, member)
        if not (inspect.isclass(value) and issubclass(value, base) and dataclasses.is_dataclass(value)):
            return f"{type(kind).__qualname__}.{member} must be a dataclass and a subclass of {base.__qualname__}"
        if problem := unsupported_member(value):
            return problem
    problem = unsupported_member(kind.view) if kind.view is not None else ""
    return problem or _contradiction(kind)


def _contradiction(kind: AnyKind) -> str:
    """Return which member of a change has another type or another rule than that of a create, empty for none."""
    asked = {each.name: each for each in dataclasses.fields(kind.request)}
    types, where = get_type_hints(kind.request), f"{kind.patch.__qualname__}."
    for name, hint in get_type_hints(kind.patch).items():
        if name not in asked:
            continue
        if _present(hint) != _present(types[name]):
            return f"{where}{name} has another type than {kind.request.__qualname__}.{name}"
        rules = kind.patch.__dataclass_fields__[name].metadata
        if wrong := [rule for rule in _RULES if rule in rules and rules[rule] != asked[name].metadata.get(rule)]:
            return f"{where}{name}: {', '.join(wrong)} differs from the create's; leave it out of the change"
    return ""


def _present(hint: Any) -> Any:  # what get_type_hints gives
    """Return a type without the None that stands for a member that is left out."""
    return frozenset(get_args(hint)) - {NoneType} if isinstance(hint, UnionType) else frozenset({hint})


def _unnameable_change(kind: AnyKind) -> str:
    """Return which change of the kind's cannot name a job, empty if all can."""
    taken = set(RESERVED_VERBS)
    members = {each.name for each in dataclasses.fields(kind.spec)}  # type: ignore[arg-type]  # every spec is a dataclass
    for change in kind.all_changes:
        if not _is_name(change.verb) or change.verb in taken:
            return f"{type(kind).__qualname__}: {change.verb!r} cannot name a change; use a free lower case name"
        if change is not RENAME and (unknown := set(change.members) - members):
            return f"{type(kind).__qualname__}: the spec has no {', '.join(sorted(unknown))} for {change.verb}"
        taken.add(change.verb)
    return ""


def _clash(kind: AnyKind, known: Iterable[AnyKind]) -> str:
    keys = {str(key) for key in QuotaKey}
    for other in known:
        if kind.name == other.name or kind.plural == other.plural:
            return f"there is already a kind {other.name}"
        keys.add(str(other.quota_key))
    return f"the quota key {kind.quota_key} is in use already" if kind.quota_key in keys else ""


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
