# SPDX-License-Identifier: Apache-2.0
"""The plugins that the operator enabled: a list in the state folder, unless the settings define it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stratoplane.errors import StratoplaneError
from stratoplane_server.settings import ServerSettings
from stratoplane_server.state import StateFolder, write_private

PLUGINS_VARIABLE: Final = "STRATOPLANE_PLUGINS"


class PluginChoiceError(StratoplaneError):
    """The list cannot be changed this way; the text says where to change it."""

    code = "plugin_choice"


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginChoice:
    """The enabled plugins in their order, and whether the settings define them."""

    names: Sequence[str]
    fixed: bool = False


def read_choice(folder: StateFolder, settings: ServerSettings) -> PluginChoice:
    """Return the enabled plugins: those of the settings if set, else those of the state folder.

    Raises:
        PluginChoiceError: the state folder's list cannot be read; the operator corrects or removes it.
    """
    if settings.plugins is not None:
        return PluginChoice(names=settings.plugins, fixed=True)
    try:
        document = json.loads(folder.plugins.read_text(encoding="utf-8"))
        return PluginChoice(names=[str(name) for name in document["enabled"]])
    except FileNotFoundError:
        return PluginChoice(names=[])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise PluginChoiceError(f"{folder.plugins} cannot be read ({error}); correct or remove it") from error


def change_choice(folder: StateFolder, choice: PluginChoice, name: str, *, enabled: bool) -> bool:
    """Enable or disable one plugin in the state folder; return whether that changed anything.

    Raises:
        PluginChoiceError: the settings define the list; change it there.
    """
    if choice.fixed:
        raise PluginChoiceError(
            f"the list of plugins is set by {PLUGINS_VARIABLE} or [server] plugins; change it there"
        )
    if (name in choice.names) == enabled:
        return False
    names = [*choice.names, name] if enabled else [each for each in choice.names if each != name]
    folder.make()
    write_private(folder.plugins, {"enabled": names})
    return True
