# SPDX-License-Identifier: Apache-2.0
"""``config show``: every setting, its value and where that came from; secrets are masked."""

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, Final

from stratoplane.registry import PLUGIN_GROUP, installed, settings_of_plugin
from stratoplane.settings import help_of
from stratoplane_server.settings import CONFIG_VARIABLE, PLUGINS_TABLE, SHARED, Configuration, tables_of_settings
from stratoplane_server.tables import render

DEFAULT: Final = "default"
_MASK: Final = "***"
_USER: Final = re.compile(r"(?<=://)[^/@]*@")
_PASSWORD: Final = re.compile(r"(password=)[^&]*")
_COLUMNS: Final = ("TABLE", "SETTING", "VALUE", "SOURCE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One setting; the source is the name of a variable, the file, or :data:`DEFAULT`."""

    table: str
    name: str
    value: str
    source: str
    variable: str


def shown(configuration: Configuration, environment: Mapping[str, str] = os.environ) -> Sequence[Shown]:
    """Return every setting of the server, the roles and the installed plugins."""
    found: list[Shown] = []
    for table, settings in tables_of_settings().items():
        skipped = () if table == "server" else tuple(SHARED)
        values = configuration.tables.get(table, {})
        found += [each for each in _table(table, settings, values, environment) if each.name not in skipped]
    plugins: Mapping[str, Any] = configuration.tables.get(PLUGINS_TABLE, {})
    for extension in installed(PLUGIN_GROUP):
        declared, values = settings_of_plugin(extension.name), plugins.get(extension.name, {})
        table = f"{PLUGINS_TABLE}.{extension.name}"
        found += (
            _hidden(table, values, environment) if declared is None else _table(table, declared, values, environment)
        )
    return found


def as_table(found: Sequence[Shown]) -> str:
    """Return a table for people."""
    return render(_COLUMNS, [(each.table, each.name, each.value, each.source) for each in found])


def as_json(found: Sequence[Shown]) -> str:
    """Return a list of objects."""
    return json.dumps([dataclasses.asdict(each) for each in found], indent=2)


def _table(table: str, settings: type, values: Mapping[str, object], environment: Mapping[str, str]) -> Iterator[Shown]:
    for field in dataclasses.fields(settings):
        known = help_of(field)
        if known.env and known.env in environment:
            value, source = environment[known.env], known.env
        elif field.name in values:
            value, source = _text(values[field.name]), environment.get(CONFIG_VARIABLE, "")
        else:
            value, source = _text("" if field.default is MISSING else field.default), DEFAULT
        safe = _MASK if known.secret and value else _without_password(value)
        yield Shown(table=table, name=field.name, value=safe, source=source, variable=known.env)


def _hidden(table: str, values: Mapping[str, object], environment: Mapping[str, str]) -> Iterator[Shown]:
    """Show only the names: a plugin that cannot be loaded does not say which of its settings are secret."""
    for name in values:
        yield Shown(table=table, name=name, value=_MASK, source=environment.get(CONFIG_VARIABLE, ""), variable="")


def _text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _without_password(value: str) -> str:
    return _PASSWORD.sub(rf"\1{_MASK}", _USER.sub(f"{_MASK}@", value))
