# SPDX-License-Identifier: Apache-2.0
"""Typed settings: a frozen dataclass whose fields carry their help, environment name and secrecy.

A driver, a plugin or a program declares::

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        uri: str = setting("qemu:///system", help="libvirt connection URI", env="STRATOPLANE_LIBVIRT_URI")
        password: Secret = setting(Secret(""), help="password of the account", secret=True)

and :func:`load` makes one from a table of the configuration file and the environment. Unknown keys are errors, and
all problems are reported at once.
"""

import dataclasses
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

from stratoplane.errors import SettingsError

SettingsT = TypeVar("SettingsT")
_METADATA: Final = "stratoplane.setting"


class Secret(str):
    """Text that ``repr`` and logs print as ``'***'``; use it as a string to read it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingHelp:
    """What :func:`setting` keeps with a field: help for people, name in the environment, whether it is secret."""

    help: str
    env: str = ""
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class NoSettings:
    """For drivers and plugins without settings."""


def setting(default: Any, *, help: str, env: str = "", secret: bool = False) -> Any:  # noqa: A002  # a dataclass field
    """Declare one field of a settings dataclass.

    Args:
        default: value when neither file nor environment set it; ``dataclasses.MISSING`` makes it required.
        help: one line for people, with the unit.
        env: name of the environment variable that overrides the file, empty for none.
        secret: whether the generated documents and the logs hide its value.
    """
    metadata = {_METADATA: SettingHelp(help=help, env=env, secret=secret)}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def help_of(field: dataclasses.Field[Any]) -> SettingHelp:
    """Return what :func:`setting` kept with ``field``; empty help for a plain field."""
    kept: SettingHelp = field.metadata.get(_METADATA, SettingHelp(help=""))
    return kept


def load(
    settings: type[SettingsT],
    table: Mapping[str, object],
    environment: Mapping[str, str] = os.environ,
    *,
    where: str = "",
) -> SettingsT:
    """Make a settings object from a configuration ``table`` and the ``environment``, which takes precedence.

    Args:
        settings: the frozen dataclass to make.
        table: keys and values as ``tomllib`` reads them.
        environment: names and values; only the names that the fields declare are read.
        where: how messages name the table, such as ``[driver.libvirt]``.

    Raises:
        SettingsError: with every problem found; the operator corrects them and starts again.
    """
    fields = {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type]  # a dataclass by contract
    hints = typing.get_type_hints(settings)
    problems = [
        f"{where} {key}: unknown setting; known are {', '.join(fields) or 'none'}".strip()
        for key in table.keys() - fields.keys()
    ]
    values: dict[str, object] = {}
    for name, field in fields.items():
        env = help_of(field).env
        try:
            if env and env in environment:
                values[name] = _from_text(hints[name], environment[env])
            elif name in table:
                values[name] = _from_toml(hints[name], table[name])
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                problems.append(f"{where} {name}: required; {help_of(field).help}".strip())
        except ValueError as error:
            problems.append(f"{where} {name}: {error}".strip())
    if problems:
        raise SettingsError("the settings cannot be used: " + "; ".join(sorted(problems)), sorted(problems))
    try:
        return settings(**values)
    except ValueError as error:
        raise SettingsError(f"the settings cannot be used: {where} {error}".strip(), [str(error)]) from error


def _plain(hint: Any) -> Any:  # a type expression
    """Return ``X`` for the optional type ``X | None``, else the type itself."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(each for each in typing.get_args(hint) if each is not type(None))
    return hint


_TRUTH: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _from_text(hint: Any, text: str) -> object:
    hint = _plain(hint)
    if hint is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"{text!r} is neither true nor false")
        return _TRUTH[text.lower()]
    if typing.get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _convert(hint, text)


def _from_toml(hint: Any, value: object) -> object:
    hint = _plain(hint)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("must be a list of strings")
        return tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (bool, int, float):
        if type(value) is not hint:
            raise ValueError(f"must be of type {hint.__name__}, not {type(value).__name__}")
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {type(value).__name__}")  # noqa: TRY004  # collected by the caller
    return _convert(hint, value)


def _convert(hint: Any, text: str) -> object:
    if isinstance(hint, type) and issubclass(hint, Enum):
        allowed = [str(member.value) for member in hint]
        if text not in allowed:
            raise ValueError(f"{text!r} must be one of {', '.join(allowed)}")
        return hint(text)
    if hint in (int, float):
        try:
            number: object = hint(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is not a number") from error
        return number
    maker: Callable[[str], object] = Path if hint is Path else Secret if hint is Secret else str
    return maker(text)
