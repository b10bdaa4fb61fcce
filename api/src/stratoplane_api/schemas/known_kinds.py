# SPDX-License-Identifier: Apache-2.0
"""What requests take of kinds of resources: the names of those that the application knows, plugins' kinds too."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import current_app
from marshmallow import ValidationError, fields, validate

from stratoplane_engine.kinds.catalogue import Kinds

KINDS: Final = "KINDS_OF_RESOURCES"
"""Where the configuration of an application has the kinds that it knows."""


def known_kinds() -> Kinds:
    """Return the kinds of the application whose request or document this is."""
    kinds: Kinds = current_app.config[KINDS]
    return kinds


class _NameOfKind(validate.Validator):
    """Passes names of kinds; a schema is made before the application that knows them."""

    def __init__(self, names: Callable[[Kinds], Iterable[str]]) -> None:
        self._names: Final = names

    @property
    def choices(self) -> tuple[str, ...]:
        """The names, which the document lists too."""
        return tuple(self._names(known_kinds()))

    def __call__(self, value: Any) -> Any:
        if value not in self.choices:
            raise ValidationError(f"must be one of {', '.join(self.choices)}")
        return value


def made_by_drivers(description: str, **options: Any) -> fields.String:
    """Return the member that names a kind whose objects drivers make."""
    return _member(lambda kinds: (kind.name for kind in kinds.clustered), description, options)


def adoptable(description: str, **options: Any) -> fields.String:
    """Return the member that names a kind whose foreign objects can become resources."""
    return _member(lambda kinds: kinds.adoptable, description, options)


def _member(names: Callable[[Kinds], Iterable[str]], description: str, options: dict[str, Any]) -> fields.String:
    return fields.String(validate=_NameOfKind(names), metadata={"description": description}, **options)
