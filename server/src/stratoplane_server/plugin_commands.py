# SPDX-License-Identifier: Apache-2.0
"""``plugins list``, ``enable`` and ``disable``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stratoplane.registry import PLUGIN_GROUP, Extension, installed
from stratoplane_engine.plugins import Plugins
from stratoplane_server.databases import living_report
from stratoplane_server.enabled_plugins import PluginChoiceError, change_choice, read_choice
from stratoplane_server.settings import PLUGINS_TABLE, Configuration
from stratoplane_server.state import StateFolder
from stratoplane_server.supervisor import RELOAD_SIGNAL
from stratoplane_server.tables import render

_COLUMNS: Final = ("NAME", "STATE", "DISTRIBUTION", "VERSION", "REASON")


def listing(configuration: Configuration, *, as_json: bool) -> str:
    """Return every plugin that is installed or enabled: as the running platform found it, else as it loads here."""
    folder = StateFolder(path=configuration.server.state)
    rows = _found_by_platform(folder) or _found_here(configuration, read_choice(folder, configuration.server).names)
    if as_json:
        return json.dumps([dict(zip(map(str.lower, _COLUMNS), row, strict=True)) for row in rows], indent=2)
    return render(_COLUMNS, rows) if rows else "no plugins are installed"


def enable(configuration: Configuration, name: str) -> str:
    """Enable a plugin and return what happened.

    Raises:
        PluginChoiceError: no installed distribution offers it, it cannot be loaded, or the settings define the list.
    """
    known = [extension.name for extension in installed(PLUGIN_GROUP)]
    if name not in known:
        raise PluginChoiceError(
            f"no installed distribution offers a plugin {name}; known are {', '.join(known) or 'none'}"
        )
    choice = read_choice(StateFolder(path=configuration.server.state), configuration.server)
    for row in _found_here(configuration, [*choice.names, name]):
        if row[0] == name and row[-1] and not choice.fixed:
            raise PluginChoiceError(f"{name} is not enabled: it is {row[1]}: {row[-1]}")
    return _change(configuration, name, enabled=True)


def disable(configuration: Configuration, name: str) -> str:
    """Disable a plugin and return what happened.

    Raises:
        PluginChoiceError: the settings define the list.
    """
    return _change(configuration, name, enabled=False)


def _change(configuration: Configuration, name: str, *, enabled: bool) -> str:
    folder = StateFolder(path=configuration.server.state)
    word = "enabled" if enabled else "disabled"
    if not change_choice(folder, read_choice(folder, configuration.server), name, enabled=enabled):
        return f"{name} was already {word}"
    report = living_report(folder)
    if report is None:
        return f"{name} is {word}"
    report.process.send(RELOAD_SIGNAL)
    return f"{name} is {word}; the platform's roles are restarting"


def _found_by_platform(folder: StateFolder) -> Sequence[Sequence[str]]:
    """Return what the processes of the running platform found, a fault of one before what works in others."""
    report = living_report(folder)
    rows: dict[str, Sequence[str]] = {}
    for child in report.children if report is not None else ():
        if child.process is None:
            continue
        for row in _read_found(folder.plugins_found / f"{child.process.pid}.json"):
            if row[0] not in rows or (row[-1] and not rows[row[0]][-1]):
                rows[row[0]] = row
    return [rows[name] for name in sorted(rows)]


def _read_found(path: Path) -> Sequence[Sequence[str]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # it has not loaded them yet, or loads none
        return []
    return [[str(each[column.lower()]) for column in _COLUMNS] for each in document]


def _found_here(configuration: Configuration, names: Sequence[str]) -> Sequence[Sequence[str]]:
    tables: Mapping[str, Any] = configuration.tables.get(PLUGINS_TABLE, {})
    return [_row(each) for each in Plugins.load(names, tables).extensions]


def _row(extension: Extension) -> Sequence[str]:
    return extension.name, extension.state, extension.distribution, extension.version, extension.reason
