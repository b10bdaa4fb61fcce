# SPDX-License-Identifier: Apache-2.0
"""Cursors as callers see them: where a page ends, and of which list, so that one of another list is refused.

The mark tells lists apart and hides nothing: whoever makes a cursor sees no more of a list than whoever leaves it out.
"""

import base64
import hashlib
from typing import Final

from flask import request

from stratoplane.errors import Violation
from stratoplane_api.request_errors import InvalidQueryError

_MARK: Final = 8
"""Characters of the mark: 48 bits of the path's digest."""


def mark(cursor: str) -> str:
    """Return a cursor of the services as one of the list that is asked for now."""
    return _mark() + cursor


def unmark(cursor: str) -> str:
    """Return the services' cursor of a cursor of the list that is asked for now; nothing for nothing.

    Raises:
        InvalidQueryError: it is a cursor of another list.
    """
    if cursor and not cursor.startswith(_mark()):
        detail = "is not one of this list; leave it out to begin at the start"
        raise InvalidQueryError(f"/cursor {detail}", [Violation(pointer="/cursor", detail=detail)])
    return cursor[_MARK:]


def _mark() -> str:
    digest = hashlib.sha256(request.path.lower().encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_MARK]
