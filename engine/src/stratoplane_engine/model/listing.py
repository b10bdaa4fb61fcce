# SPDX-License-Identifier: Apache-2.0
"""Lists: which part of one is asked for, and the part that is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which part of a list: at most ``limit`` items after ``cursor``, filtered and sorted.

    Attributes:
        cursor: opaque text of an earlier answer, empty for the beginning.
        sort: ``created_at``, ``-created_at`` or ``name``.
        labels: label selectors (``key`` -> value), all of which must match; none of ``excluded`` may.
        name_contains: part of the name.
    """

    limit: int = 50
    cursor: str = ""
    sort: str = "created_at"
    status: str = ""
    name_contains: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing(Generic[ItemT]):
    """One page: its items, and the cursor of the next page, None at the end."""

    items: tuple[ItemT, ...]
    next: str | None = None
