# SPDX-License-Identifier: Apache-2.0
"""Making a page's listing of one row more than it shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

Row = Mapping[str, Any]


def after(page: Page, sort: str = "created_at") -> str | None:
    """Return the id that the page begins after.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    return cursors.decode(sort, page.cursor)


def listing(
    rows: Sequence[Row], page: Page, wire: Callable[[Row], Row], sort: str = "created_at"
) -> Listing[Mapping[str, object]]:
    """Return the listing of ``rows``, of which the one beyond the limit only tells that there are more."""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    items = tuple(wire(row) for row in shown)
    return Listing(items=items, next=cursors.encode(sort, str(shown[-1]["id"])) if more else None)
