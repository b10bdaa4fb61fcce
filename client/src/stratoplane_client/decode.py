# SPDX-License-Identifier: Apache-2.0
"""JSON of the API as typed records.

Newer servers may send members that this client does not know, and older ones may leave out members that it does: both
are accepted. What cannot be accepted is an answer of another shape.
"""

import functools
import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from stratoplane_client.errors import UnexpectedAnswerError

_Convert = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One object as the API showed it.

    Attributes:
        raw: the whole JSON object, with members that this version of the client has no name for.
    """

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    convert: _Convert
    required: bool


def decode(kind: type[R], data: object) -> R:
    """Return ``data``, a JSON object, as a record of ``kind``.

    A member that is absent or null takes the record's default.

    Raises:
        UnexpectedAnswerError: it is not an object, a member is of another type, or one without a default is absent; the
            caller checks that the URL is that of a Stratoplane server.
    """
    if not isinstance(data, Mapping):
        raise UnexpectedAnswerError(f"expected a JSON object for {kind.__name__}, got {type(data).__name__}")
    values: dict[str, Any] = {"raw": data}
    # mypy takes the __hash__ of the instances for that of the class.
    for member in _members(cast("Hashable", kind)):
        value = data.get(member.name)
        if value is None:
            if member.required:
                raise UnexpectedAnswerError(f"{kind.__name__} has no member {member.name!r}")
            continue
        try:
            values[member.name] = member.convert(value)
        except (TypeError, ValueError) as error:
            raise UnexpectedAnswerError(f"{kind.__name__} has an invalid member {member.name!r}: {error}") from error
    return kind(**values)


@functools.cache
def _members(kind: type[Record]) -> tuple[_Member, ...]:
    hints = get_type_hints(kind)
    return tuple(
        _Member(
            name=each.name,
            convert=_converter(hints[each.name]),
            required=each.default is MISSING and each.default_factory is MISSING,
        )
        for each in fields(kind)
        if each.name != "raw"
    )


def _converter(hint: Any) -> _Convert:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _converter(next(each for each in arguments if each is not type(None)))
    if origin is tuple:
        return functools.partial(_many, _converter(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return functools.partial(_mapping, _converter(arguments[1]))
    if hint is Any or hint is object:
        return _as_it_is
    if issubclass(hint, Record):
        return functools.partial(decode, hint)
    if hint is datetime:
        return _timestamp
    return functools.partial(_scalar, hint)


def _as_it_is(value: Any) -> Any:
    return value


def _many(convert: _Convert, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return tuple(convert(each) for each in value)


def _mapping(convert: _Convert, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return {str(key): convert(each) for key, each in value.items()}


def _timestamp(value: Any) -> datetime:
    return datetime.fromisoformat(_scalar(str, value))


_NUMBERS: Final = (int, float)


def _scalar(hint: type[Any], value: Any) -> Any:
    fits = isinstance(value, hint) and not (isinstance(value, bool) and hint in _NUMBERS)
    if not fits:
        raise TypeError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value
