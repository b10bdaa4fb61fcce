# SPDX-License-Identifier: Apache-2.0
"""JSON in and out: orjson, with what a request may not contain refused before any schema sees it."""

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
from flask.json.provider import JSONProvider

from stratoplane.errors import InvalidSpecError, Violation
from stratoplane_api.request_errors import BodyTooDeepError, MalformedBodyError, TooManyValuesError

DEEPEST: Final = 32
"""Levels of arrays and objects that a body may nest."""
MOST_VALUES: Final = 2_000
"""Members and items that a body may hold in all; what an agent sends has no such bound, only that of its bytes."""

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


class OrjsonProvider(JSONProvider):
    """Flask's JSON through orjson: times as RFC 3339 in UTC, UUIDs and enumerations as strings."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return encode(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)


def encode(value: object) -> bytes:
    """Return ``value`` as JSON."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def decode(body: bytes) -> object:
    """Return the value of a request's body.

    Raises:
        MalformedBodyError: not JSON (RFC 8259) in UTF-8, or an object has a member twice.
        BodyTooDeepError: nested deeper than :data:`DEEPEST`.
        TooManyValuesError: more than :data:`MOST_VALUES` members and items.
        InvalidSpecError: a string holds U+0000, which PostgreSQL cannot keep.
    """
    value = _parse(body, MOST_VALUES)
    _refuse_repeated(body)
    if b"\\u0000" in body:
        _refuse_null("", value)
    return value


def decode_foreign(body: bytes) -> object:
    """Return the value of a body with texts of a provider: U+0000 is replaced. For the rest as :func:`decode`."""
    value = _parse(body, sys.maxsize)
    return _replace_null(value) if b"\\u0000" in body else value


def _parse(body: bytes, most_values: int) -> object:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedBodyError(f"the body is not valid JSON: {error.msg} ({place})") from error
    _refuse_size(value, most_values)
    return value


def _refuse_repeated(body: bytes) -> None:
    """Refuse an object with a member twice: of two values, whichever were taken, the other would be ignored."""
    try:
        _REPEATED.decode(body.decode())
    except _RepeatedMemberError as error:
        raise MalformedBodyError(f"the body has an object with the member {error.args[0]!r} twice") from error


class _RepeatedMemberError(Exception):
    """Carries the member's name out of the decoder."""


def _once(members: list[tuple[str, object]]) -> None:
    names = set[str]()
    for name, _ in members:
        if name in names:
            raise _RepeatedMemberError(name)
        names.add(name)


# orjson takes the last of two members silently. This pass makes no numbers: those may be of any length.
_REPEATED: Final = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def _refuse_size(value: object, most_values: int) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    found = 0
    for _ in range(DEEPEST):
        found += sum(map(len, level))
        if found > most_values:
            raise TooManyValuesError(
                f"the body holds more than {most_values} members and items; no operation takes that"
            )
        below = [member for item in level for member in (item.values() if isinstance(item, dict) else item)]
        level = [member for member in below if isinstance(member, (dict, list))]
        if not level:
            return
    raise BodyTooDeepError(f"the body nests deeper than {DEEPEST} levels; no operation takes that")


def _refuse_null(pointer: str, value: object) -> None:
    if isinstance(value, str) and "\x00" in value:
        violation = Violation(pointer=pointer, detail="must not contain the character U+0000")
        raise InvalidSpecError("the body holds a character that cannot be stored", [violation])
    if isinstance(value, list):
        for index, member in enumerate(value):
            _refuse_null(f"{pointer}/{index}", member)
    if isinstance(value, dict):
        for key, member in value.items():
            _refuse_null(pointer, key)
            _refuse_null(f"{pointer}/{escape(key)}", member)


def _replace_null(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_replace_null(member) for member in value]
    if isinstance(value, dict):
        return {_replace_null(key): _replace_null(member) for key, member in value.items()}
    return value


def escape(token: str) -> str:
    """Return ``token`` as one reference token of a JSON pointer (RFC 6901, section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType | Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
