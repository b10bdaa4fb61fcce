# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: where one begins, and the answer made of one item more than it shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload
from uuid import UUID

from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

ItemT = TypeVar("ItemT")
Row = Mapping[str, Any]


def after(page: Page, sort: str = "created_at") -> str | None:
    """Return the sort key that the page begins after, None at the beginning of the list.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    return cursors.decode(sort, page.cursor)


def after_id(page: Page, sort: str = "created_at") -> UUID | None:
    """Return the id that a page of a list sorted by id begins after. Raises as :func:`after`."""
    key = after(page, sort)
    if key is None:
        return None
    try:
        return UUID(key)
    except ValueError as error:
        raise cursors.foreign() from error


@overload
def listing(items: Sequence[ItemT], page: Page, sort: str, key: Callable[[ItemT], object]) -> Listing[ItemT]: ...


@overload
def listing(
    items: Sequence[Row], page: Page, sort: Callable[[Row], Row], key: str = "created_at"
) -> Listing[Mapping[str, object]]: ...


def listing(items: Sequence[Any], page: Page, sort: Any, key: Any = "created_at") -> Listing[Any]:
    """Return the page of ``items``, of which the one beyond the limit only tells that there are more.

    Args:
        items: one more than the page shows, where there are so many.
        page: what was asked for.
        sort: names the order of the list; a cursor fits lists of the same order only.
        key: the sort key of an item, which the next page begins after.
    """
    if callable(sort):  # services that still render rows: (rows, page, wire form, sort)
        shown = listing(items, page, key, lambda row: row["id"])
        return Listing(items=tuple(map(sort, shown.items)), next=shown.next)
    shown_items = tuple(items[: page.limit])
    more = len(items) > page.limit
    return Listing(items=shown_items, next=cursors.encode(sort, str(key(shown_items[-1]))) if more else None)
