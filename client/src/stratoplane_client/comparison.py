# SPDX-License-Identifier: Apache-2.0
"""What was asked for beside what exists: the same specification, or the fields that differ."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stratoplane_client.models.resources import FieldDifference

IdOf = Callable[[str, str], str | None]
"""Gives the id of the object that a field names by a text, an id or name; None where the field names none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The outcome of comparing.

    Attributes:
        differences: the fields that differ, each with the wanted (``desired``) and the present (``observed``) value.
        uncompared: the fields that the server does not show, so that nobody can tell.
    """

    differences: tuple[FieldDifference, ...]
    uncompared: tuple[str, ...]


def compare(wanted: Mapping[str, Any], shown: Mapping[str, Any], id_of: IdOf) -> Comparison:
    """Compare the fields that are given with a resource as the API shows it; others are not looked at.

    Args:
        wanted: the fields of a create.
        shown: the resource.
        id_of: finds the ids of what fields name.
    """
    places = {field: _place(field, shown) for field in wanted}
    return Comparison(
        differences=tuple(
            FieldDifference(field=field, desired=wanted[field], observed=shown[place])
            for field, place in places.items()
            if place is not None and not _same(field, wanted[field], place, shown[place], id_of)
        ),
        uncompared=tuple(field for field, place in places.items() if place is None),
    )


def _place(field: str, shown: Mapping[str, Any]) -> str | None:
    """Return the member that shows a field; what is asked for by name may be shown by its id."""
    return next((place for place in (field, f"{field}_id") if place in shown), None)


def _same(field: str, wanted: Any, place: str, present: Any, id_of: IdOf) -> bool:
    if equal(wanted, present):
        return True
    if not isinstance(wanted, str) or not isinstance(present, str):
        return False
    named = id_of(field, wanted)
    return named is not None and named == (present if place != field else id_of(field, present))


def equal(wanted: Any, present: Any) -> bool:
    """Tell whether two values are the same: white space around texts and the order of lists do not matter."""
    if isinstance(wanted, str) and isinstance(present, str):
        return wanted.strip() == present.strip()
    if isinstance(wanted, list | tuple) and isinstance(present, list | tuple):
        return _ordered(wanted) == _ordered(present)
    # True is 1 to Python, and not to anybody else.
    return bool(wanted == present) and isinstance(wanted, bool) == isinstance(present, bool)


def _ordered(values: Iterable[Any]) -> list[str]:
    return sorted(map(repr, values))
