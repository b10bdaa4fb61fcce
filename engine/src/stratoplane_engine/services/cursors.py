# SPDX-License-Identifier: Apache-2.0
"""Opaque cursors: where a page of a list ends. They carry the sort, so that a cursor fits the list it came from."""

import base64
import binascii

from stratoplane.errors import InvalidSpecError, Violation


def encode(sort: str, key: str) -> str:
    """Return the cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(f"{sort}|{key}".encode()).decode().rstrip("=")


def decode(sort: str, cursor: str) -> str | None:
    """Return the sort key that ``cursor`` stands for, None at the beginning of a list.

    Raises:
        InvalidSpecError: no cursor of ours, or one of a list that was sorted otherwise.
    """
    if not cursor:
        return None
    try:
        kept, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _wrong() from error
    if kept != sort or not key:
        raise _wrong()
    return key


def _wrong() -> InvalidSpecError:
    detail = "the cursor is not one of this list; leave it out to begin again"
    return InvalidSpecError(detail, [Violation(pointer="/cursor", detail=detail)])
