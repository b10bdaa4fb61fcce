# SPDX-License-Identifier: Apache-2.0
"""``plugins list``, ``enable`` and ``disable``."""

import json
from collections.abc import Sequence
from typing import Final

from stratoplane.registry import PLUGIN_GROUP, Extension, installed, load_plugins
from stratoplane_server.databases import living_report
from stratoplane_server.enabled_plugins import PluginChoiceError, change_choice, read_choice
from stratoplane_server.settings import Configuration
from stratoplane_server.state import StateFolder
from stratoplane_server.supervisor import RELOAD_SIGNAL
from stratoplane_server.tables import render

_COLUMNS: Final = ("NAME", "STATE", "DISTRIBUTION", "VERSION", "REASON")


def listing(configuration: Configuration, *, as_json: bool) -> str:
    """Return every plugin that is installed or enabled."""
    choice = read_choice(StateFolder(path=configuration.server.state), configuration.server)
    extensions = load_plugins(choice.names)[1]
    if as_json:
        return json.dumps(
            [dict(zip(map(str.lower, _COLUMNS), _row(each), strict=True)) for each in extensions], indent=2
        )
    return render(_COLUMNS, map(_row, extensions)) if extensions else "no plugins are installed"


def enable(configuration: Configuration, name: str) -> str:
    """Enable a plugin and return what happened.

    Raises:
        PluginChoiceError: no installed distribution offers it, or the settings define the list.
    """
    known = [extension.name for extension in installed(PLUGIN_GROUP)]
    if name not in known:
        raise PluginChoiceError(
            f"no installed distribution offers a plugin {name}; known are {', '.join(known) or 'none'}"
        )
    message = _change(configuration, name, enabled=True)
    (loaded,) = [each for each in load_plugins([name])[1] if each.name == name]
    return f"{message}, but it is {loaded.state}: {loaded.reason}" if loaded.reason else message


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


def _row(extension: Extension) -> Sequence[str]:
    return extension.name, extension.state, extension.distribution, extension.version, extension.reason
