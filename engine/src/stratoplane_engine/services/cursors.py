# SPDX-License-Identifier: Apache-2.0
"""Opaque cursors: where a page of a list ends. They carry the sort, so that a cursor fits the list it came from."""

import base64
from typing import Final
from uuid import UUID

from stratoplane.errors import InvalidSpecError, Violation

BY_ID: Final = frozenset({"created_at", "-created_at"})
"""Sorts whose key is an id, since ids are ordered by time."""


def encode(sort: str, key: str) -> str:
    """Return the cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(f"{sort}|{key}".encode()).decode().rstrip("=")


def decode(sort: str, cursor: str) -> str | None:
    """Return the sort key that ``cursor`` stands for, None at the beginning of a list.

    Raises:
        InvalidSpecError: the cursor is not one of ours, or belongs to a list in another order.
    """
    if not cursor:
        return None
    try:
        kept, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        if sort in BY_ID:
            UUID(key)
    except ValueError as error:  # binascii's and the decoder's errors are ValueErrors too
        raise foreign() from error
    if kept != sort or not key:
        raise foreign()
    return key


def foreign() -> InvalidSpecError:
    """Return the error for a cursor that is not one of the list."""
    detail = "the cursor is not one of this list; leave it out to begin again"
    return InvalidSpecError(detail, [Violation(pointer="/cursor", detail=detail)])
