# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: where one begins, and its listing made of one row more than it shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from stratoplane_engine.access.context import Listing
from stratoplane_engine.model.listing import Listing as ModelListing
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import cursors

Row = Mapping[str, Any]
ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order(Generic[ItemT, KeyT]):
    """The order of a list, and how its pages follow one another.

    Attributes:
        name: part of every cursor, so that a cursor fits the list it came from.
        key: what the list is ordered by, of one item; unique.
        write: the key as text in a cursor, and ``read`` the key of such a text; it raises ValueError.
    """

    name: str
    key: Callable[[ItemT], KeyT]
    read: Callable[[str], KeyT]
    write: Callable[[KeyT], str] = str

    def begin(self, page: Page) -> KeyT | None:
        """Return the key of the last item of the page before, None at the beginning of the list.

        Raises:
            InvalidSpecError: the cursor is not one of this list.
        """
        text = cursors.decode(self.name, page.cursor)
        if text is None:
            return None
        try:
            return self.read(text)
        except ValueError as error:
            raise cursors.foreign() from error

    def listing(self, items: Sequence[ItemT], page: Page) -> ModelListing[ItemT]:
        """Return the listing of ``items``, of which the one beyond the limit only tells that there are more."""
        shown = tuple(items[: page.limit])
        more = len(items) > page.limit
        return ModelListing(
            items=shown, next=cursors.encode(self.name, self.write(self.key(shown[-1]))) if more else None
        )


class HasId(Protocol):
    """What has an id; ids are ordered by time."""

    @property
    def id(self) -> UUID:
        """The id."""
        ...


HasIdT = TypeVar("HasIdT", bound=HasId)


def newest_first(wanted: type[HasIdT]) -> Order[HasIdT, UUID]:  # noqa: ARG001  # says what the order is of
    """Return the order of a history of ``wanted``: newest first."""
    return Order(name="-created_at", key=lambda item: item.id, read=UUID)


def after(page: Page, sort: str = "created_at") -> str | None:
    """Return the id that the page begins after.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    return cursors.decode(sort, page.cursor)


def listing(rows: Sequence[Row], page: Page, wire: Callable[[Row], Row], sort: str = "created_at") -> Listing:
    """Return the listing of ``rows``, of which the one beyond the limit only tells that there are more."""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    items = tuple(wire(row) for row in shown)
    return Listing(items=items, next=cursors.encode(sort, str(shown[-1]["id"])) if more else None)
