# SPDX-License-Identifier: Apache-2.0
"""Between our frozen dataclasses and JSON values: what agents, jobs and the database exchange."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from stratoplane.errors import InvalidSpecError, Violation

ValueT = TypeVar("ValueT")


def to_json(value: Any) -> Any:  # any value of a contract dataclass
    """Return ``value`` as JSON values: dataclasses become objects, enums their values, ids and times text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        return [to_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def rfc3339(timestamp: datetime) -> str:
    """Return an aware time as text of RFC 3339 in UTC, for JSON values that people and other programs read."""
    return timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_json(wanted: type[ValueT], document: object) -> ValueT:
    """Make the dataclass ``wanted`` from JSON values; unknown members are ignored, so that versions may differ.

    Raises:
        InvalidSpecError: a member is missing or of another type; its pointer is in ``violations``.
    """
    made: ValueT = _read(wanted, document, "")
    return made


@functools.lru_cache(maxsize=256)
def _hints(wanted: type) -> dict[str, Any]:
    return typing.get_type_hints(wanted)


def _refuse(pointer: str, detail: str) -> InvalidSpecError:
    return InvalidSpecError(f"{pointer or '/'}: {detail}", [Violation(pointer=pointer, detail=detail)])


def _read(hint: Any, value: Any, pointer: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any or hint is object:
        return value
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        if value is None:
            return None
        return _read(next(each for each in typing.get_args(hint) if each is not type(None)), value, pointer)
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(hint, value, pointer)
    if origin is tuple:
        return _read_tuple(typing.get_args(hint)[0], value, pointer)
    if origin is not None:
        if not isinstance(value, dict):
            raise _refuse(pointer, "must be an object")
        return value
    return _read_scalar(hint, value, pointer)


def _read_dataclass(hint: Any, value: Any, pointer: str) -> Any:
    if not isinstance(value, dict):
        raise _refuse(pointer, "must be an object")
    hints = _hints(hint)
    arguments = {}
    for field in dataclasses.fields(hint):
        if field.name in value:
            arguments[field.name] = _read(hints[field.name], value[field.name], f"{pointer}/{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _refuse(f"{pointer}/{field.name}", "is required")
    return hint(**arguments)


def _read_tuple(item: Any, value: Any, pointer: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refuse(pointer, "must be a list")
    return tuple(_read(item, each, f"{pointer}/{index}") for index, each in enumerate(value))


def _read_scalar(hint: Any, value: Any, pointer: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if hint in (str, int, float, bool):
        if type(value) is not hint:
            raise _refuse(pointer, f"must be of type {hint.__name__}")
        return value
    if not isinstance(value, str):
        raise _refuse(pointer, "must be a string")
    try:
        return datetime.fromisoformat(value) if hint is datetime else hint(value)
    except ValueError as error:
        raise _refuse(pointer, f"{value!r} is no {hint.__name__}") from error
