# SPDX-License-Identifier: Apache-2.0
"""Schemas of plugins' kinds of resources, made from the dataclasses of a kind.

A field's type decides what its member is in JSON; its ``metadata`` may hold ``description``, ``least`` and ``most`` (of
a number, or of the length of text and lists) and ``pattern`` (of text). The registry refuses kinds with fields of
other types than these.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from marshmallow import fields, validate

from stratoplane.kinds import AnyKind
from stratoplane.wire import to_json
from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.resources import Resource
from stratoplane_api.schemas.strict import Request, changed

_OF_EVERY_REQUEST: Final = frozenset({"name", "labels", "cluster"})
_UNBOUND_LIST: Final = 1_000
_Hint = Any  # what typing.get_type_hints gives: a class, a union or a generic alias
_Options = dict[str, Any]


def create_schema(kind: AnyKind) -> type[Request]:
    """Return the schema of a create of the kind."""
    usual: dict[str, fields.Field[Any]] = {"name": m.name(required=True), "labels": m.labels(load_default=dict)}
    if kind.interface is not None:
        usual["cluster"] = m.name("Name of the cluster to use; the platform chooses one when it is left out.")
    return _request(f"{_title(kind)}Create", kind.request, usual)


def update_schema(kind: AnyKind) -> type[Request]:
    """Return the schema of a change of the kind, whose members may all be left out.

    A member that a create has, too, is checked as there: what its field of the patch says beside its description is
    the same, or the kind would have been refused.
    """
    create = create_schema(kind)
    described = {each.name: str(each.metadata.get("description", "")) for each in dataclasses.fields(kind.patch)}
    shared = {
        name: changed(create, name, text)
        for name, text in described.items()
        if name in create._declared_fields  # noqa: SLF001  # marshmallow shows them on objects only
    }
    return _request(f"{_title(kind)}Update", kind.patch, shared)


def answer_schema(kind: AnyKind) -> type[Resource]:
    """Return the schema of a resource of the kind as it is shown."""
    shown = _members(kind.view or kind.spec, lambda _: {"required": True})
    schema: type[Resource] = type(_title(kind), (Resource,), {**shown, "__doc__": type(kind).__doc__})
    return schema


def example(wanted: type[Any]) -> dict[str, Any]:
    """Return JSON values for the fields of a dataclass: its defaults, and a value of the type where it has none."""
    hints = typing.get_type_hints(wanted)
    return {each.name: _example(hints[each.name], each) for each in dataclasses.fields(wanted)}


def _title(kind: AnyKind) -> str:
    return "".join(part.capitalize() for part in kind.name.split("_"))


def _request(name: str, wanted: type[Any], usual: Mapping[str, fields.Field[Any]]) -> type[Request]:
    own = _members(wanted, _asked)
    kept = {member: made for member, made in own.items() if member not in usual.keys() | _OF_EVERY_REQUEST}
    return type(name, (Request,), {**usual, **kept, "__doc__": wanted.__doc__})


def _asked(field: dataclasses.Field[Any]) -> _Options:
    """Return whether a member of a request must be there; what is left out takes the dataclass's default."""
    is_needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return {"required": True} if is_needed else {}


def _members(
    wanted: type[Any], options_of: Callable[[dataclasses.Field[Any]], _Options]
) -> dict[str, fields.Field[Any]]:
    hints = typing.get_type_hints(wanted)
    return {
        each.name: _member(hints[each.name], each.metadata, options_of(each)) for each in dataclasses.fields(wanted)
    }


def _member(hint: _Hint, about: Mapping[str, Any], options: _Options) -> fields.Field[Any]:
    description = str(about.get("description", ""))
    origin: Any = typing.get_origin(hint)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        present = next(each for each in typing.get_args(hint) if each is not types.NoneType)
        # In a request, what may be None is what may be left out.
        return _member(present, about, {**options, "allow_none": True} if options.get("required") else options)
    if origin is tuple:
        return _list(typing.get_args(hint)[0], about, options)
    if origin is not None and issubclass(origin, Mapping):
        return m.mapping(description, **options)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        nested = type(hint.__name__, (Request,), _members(hint, _asked))
        return fields.Nested(nested, **options)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return m.choice(hint, description, **options)
    return _SCALARS[hint](description, about, options)


def _list(item: _Hint, about: Mapping[str, Any], options: _Options) -> fields.Field[Any]:
    length = validate.Length(about.get("least"), about.get("most", _UNBOUND_LIST))
    described = {"description": about["description"]} if "description" in about else {}
    return fields.List(_member(item, {}, {}), validate=length, metadata=described, **options)


def _text(description: str, about: Mapping[str, Any], options: _Options) -> fields.Field[Any]:
    if "pattern" in about:
        pattern = str(about["pattern"])
        return m.matching(pattern, f"must match {pattern}", description, **options)
    return m.text(description, about.get("most"), shortest=about.get("least"), **options)


def _whole(description: str, about: Mapping[str, Any], options: _Options) -> fields.Field[Any]:
    return m.whole(description, least=about.get("least"), most=about.get("most"), **options)


def _number(description: str, about: Mapping[str, Any], options: _Options) -> fields.Field[Any]:
    span = validate.Range(about.get("least"), about.get("most"))
    return fields.Float(validate=span, metadata={"description": description}, **options)


_SCALARS: Final[Mapping[type, Callable[[str, Mapping[str, Any], _Options], fields.Field[Any]]]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: lambda description, _about, options: m.flag(description, **options),
    UUID: lambda description, _about, options: m.identifier(description, **options),
    datetime: lambda description, _about, options: m.timestamp(description, **options),
}
_EXAMPLES: Final[Mapping[type, Any]] = {
    str: "text",
    bool: True,
    float: 1.0,
    UUID: "0199d2a5-0c38-7a00-8000-3a0bd96c6211",
    datetime: "2026-11-23T08:00:00.125000Z",
}


def _example(hint: _Hint, field: dataclasses.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if field.default is not dataclasses.MISSING and field.default is not None:
        return to_json(field.default)
    return _example_of(hint, field.metadata)


def _example_of(hint: _Hint, about: Mapping[str, Any]) -> Any:
    origin: Any = typing.get_origin(hint)
    if isinstance(hint, types.UnionType) or origin is typing.Union:
        return _example_of(next(each for each in typing.get_args(hint) if each is not types.NoneType), about)
    if origin is tuple:
        return [_example_of(typing.get_args(hint)[0], {})]
    if origin is not None:
        return {}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return example(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint)).value
    return about.get("least", 1) if hint is int else _EXAMPLES[hint]
