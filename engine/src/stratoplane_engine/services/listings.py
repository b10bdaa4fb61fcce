# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: where one begins, and the answer made of one item more than it shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

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

    def listing(self, items: Sequence[ItemT], page: Page) -> Listing[ItemT]:
        """Return the listing of ``items``, of which the one beyond the limit only tells that there are more."""
        shown = tuple(items[: page.limit])
        more = len(items) > page.limit
        return Listing(items=shown, next=cursors.encode(self.name, self.write(self.key(shown[-1]))) if more else None)


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


def oldest_first(wanted: type[HasIdT]) -> Order[HasIdT, UUID]:  # noqa: ARG001  # says what the order is of
    """Return the order in which ``wanted`` were made."""
    return Order(name="created_at", key=lambda item: item.id, read=UUID)
