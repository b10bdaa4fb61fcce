# SPDX-License-Identifier: Apache-2.0
"""Members that several schemas share: names, labels, references, sizes, networks; each strict about its JSON type."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from stratoplane.ids import NAME_PATTERN
from stratoplane.texts import NOT_IN_A_LINE, size_in_bytes

UUID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
LABEL_KEY_PATTERN: Final = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE_PATTERN: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
CATALOGUE_NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
CIDR_PATTERN: Final = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$"
MOST_LABELS: Final = 64
_LABEL_KEY: Final = "is not a valid label key: [prefix/]name of up to 63 letters, digits, '-', '_' and '.'"
_LABEL_VALUE: Final = "is not a valid label value: up to 63 letters, digits, '-', '_' and '.', or empty"
LARGEST_GIB: Final = 65_536


class Pattern(validate.Regexp):
    """A pattern that the whole text must match: Python's ``$`` alone lets a final line break pass."""

    def __call__(self, value: Any) -> Any:
        if re.fullmatch(self.regex.pattern, value) is None:
            raise ValidationError(str(self.error))
        return value


class AtMostBytes(validate.Validator):
    """A limit of a text in bytes of UTF-8, where that is what its receiver counts."""

    def __init__(self, most: int) -> None:
        self._most: Final = most

    def __call__(self, value: str) -> str:
        size = size_in_bytes(value)
        if size > self._most:
            raise ValidationError(f"has {size} bytes in UTF-8; at most {self._most} are taken")
        return value


class Cidr(fields.String):
    """An IPv4 network in canonical form, as in ``10.20.0.0/24``."""

    default_error_messages = {
        "cidr": "must be an IPv4 network such as 10.20.0.0/24",
        "host_bits": "has host bits set; the network is {network}",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if re.fullmatch(CIDR_PATTERN, text) is None:
            raise self.make_error("cidr")
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError as error:
            raise self.make_error("cidr") from error
        if str(network) != text:
            raise self.make_error("host_bits", network=network)
        return text


def name(description: str = "", **options: Any) -> fields.String:
    """Return the member for the name of a tenant's object."""
    rule = Pattern(
        NAME_PATTERN, error="must be 1 to 63 of a-z, 0-9 and hyphen, and begin and end with a letter or digit"
    )
    return fields.String(validate=rule, metadata=_about(description, examples=["web-1"]), **options)


def catalogue_name(**options: Any) -> fields.String:
    """Return the member for the name of a flavor or image, such as ``debian-12.5``."""
    rule = Pattern(CATALOGUE_NAME_PATTERN, error="must be 1 to 63 of a-z, 0-9, hyphen and dot, not at either end")
    return fields.String(validate=rule, metadata=_about("", examples=["small"]), **options)


def line(description: str = "", longest: int = 200, **options: Any) -> fields.String:
    """Return the member for free text in one line, as people's names are."""
    error = f"must be up to {longest} characters in one line, without control and direction characters"
    rule = Pattern(rf"^[^{NOT_IN_A_LINE}]{{0,{longest}}}$", error=error)
    return fields.String(validate=rule, metadata=_about(description), **options)


def text(
    description: str = "", longest: int | None = None, *, shortest: int | None = None, **options: Any
) -> fields.String:
    """Return a member for text of ``shortest`` to ``longest`` characters."""
    rule = None if longest is None else validate.Length(shortest, longest)
    return fields.String(validate=rule, metadata=_about(description), **options)


def sized(description: str, most_bytes: int, **options: Any) -> fields.String:
    """Return a member for text of at most ``most_bytes`` in UTF-8; no such text has more characters than that."""
    about = _about(f"{description} At most {most_bytes} bytes in UTF-8.", maxLength=most_bytes)
    return fields.String(validate=AtMostBytes(most_bytes), metadata=about, **options)


def matching(pattern: str, error: str, description: str = "", **options: Any) -> fields.String:
    """Return a member for text that matches ``pattern`` as a whole; ``error`` tells what is expected."""
    return fields.String(validate=Pattern(pattern, error=error), metadata=_about(description), **options)


def cidr(description: str, **options: Any) -> "Cidr":
    """Return the member for an IPv4 network."""
    return Cidr(metadata=_about(description, pattern=CIDR_PATTERN, examples=["10.20.0.0/24"]), **options)


def identifier(description: str = "", **options: Any) -> fields.String:
    """Return the member for an id of ours."""
    rule = Pattern(UUID_PATTERN, error="must be an id: a UUID in lower case with hyphens")
    return fields.String(validate=rule, metadata=_about(description, format="uuid"), **options)


def identifiers(description: str, most: int, **options: Any) -> fields.List[Any]:
    """Return the member for up to ``most`` different ids."""
    rules: list[Callable[[Any], Any]] = [validate.Length(max=most), _all_different]
    return fields.List(identifier(), validate=rules, metadata=_about(description, uniqueItems=True), **options)


def reference(description: str, **options: Any) -> fields.String:
    """Return the member that names another object by id or name."""
    rule = Pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", error="must be the object's id or name")
    return fields.String(validate=rule, metadata=_about(description), **options)


def labels(**options: Any) -> "Labels":
    """Return the member for labels, with the syntax of Kubernetes."""
    return Labels(
        keys=fields.String(validate=Pattern(LABEL_KEY_PATTERN, error=_LABEL_KEY)),
        values=fields.String(validate=Pattern(LABEL_VALUE_PATTERN, error=_LABEL_VALUE)),
        validate=validate.Length(max=MOST_LABELS),
        metadata={
            "examples": [{"env": "prod", "tier": "web"}],
            "propertyNames": {"pattern": LABEL_KEY_PATTERN},
            "maxProperties": MOST_LABELS,
        },
        **options,
    )


def size_gib(description: str, **options: Any) -> fields.Integer:
    """Return the member for a size in GiB."""
    return whole(description, least=1, most=LARGEST_GIB, **options)


def whole(
    description: str = "", *, least: int | None = None, most: int | None = None, **options: Any
) -> fields.Integer:
    """Return a member for a whole number; neither "2" nor 2.0 is one."""
    rule = None if least is None and most is None else validate.Range(least, most)
    return fields.Integer(strict=True, validate=rule, metadata=_about(description), **options)


def choice(values: Iterable[str], description: str = "", **options: Any) -> fields.String:
    """Return a member that takes one of ``values``."""
    rule = validate.OneOf([str(value) for value in values], error="must be one of {choices}")
    return fields.String(validate=rule, metadata=_about(description), **options)


def strings(values: Iterable[str] = (), description: str = "", **options: Any) -> fields.List[Any]:
    """Return the member for a list of strings, each one of ``values`` if there are any."""
    rule = validate.OneOf([str(value) for value in values]) if values else None
    return fields.List(fields.String(validate=rule), metadata=_about(description), **options)


def flag(description: str = "", **options: Any) -> fields.Boolean:
    """Return the member for true or false."""
    return fields.Boolean(metadata=_about(description), **options)


def timestamp(description: str, **options: Any) -> fields.DateTime:
    """Return the member for a time, RFC 3339 in UTC."""
    return fields.DateTime(metadata=_about(description, examples=["2026-11-23T08:00:00.000000Z"]), **options)


def mapping(description: str = "", **options: Any) -> fields.Dict:
    """Return the member for an object of any members."""
    return fields.Dict(keys=fields.String(), metadata=_about(description), **options)


def amounts(description: str, **options: Any) -> fields.Dict:
    """Return the member for whole numbers by name."""
    return fields.Dict(keys=fields.String(), values=fields.Integer(), metadata=_about(description), **options)


def one(schema: type[Schema], **options: Any) -> fields.Nested:
    """Return the member that holds one ``schema``."""
    return fields.Nested(schema, **options)


def several(schema: type[Schema], **options: Any) -> fields.List[Any]:
    """Return the member that holds a list of ``schema``."""
    return fields.List(fields.Nested(schema), **options)


class Labels(fields.Dict):
    """Labels; what is wrong with a key or its value is told at the key."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            flat = {key: [each for found in parts.values() for each in found] for key, parts in error.messages.items()}
            raise ValidationError(flat) from error


def _about(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, **more} if description else more


def _all_different(values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise ValidationError("names the same object twice")
