# SPDX-License-Identifier: Apache-2.0
"""Lists as iterators: the next page is requested when the previous one has been consumed."""

from collections.abc import Iterator, Mapping
from typing import Final

from stratoplane_client.decode import R, decode
from stratoplane_client.errors import UnexpectedAnswerError
from stratoplane_client.transport import Call, Transport

LARGEST_PAGE: Final = 200


def pages(transport: Transport, path: str, kind: type[R], query: Mapping[str, object]) -> Iterator[R]:
    """Yield every object of a list, page after page.

    Args:
        transport: makes the calls.
        path: of the list.
        kind: of the objects.
        query: filters; ``limit`` is the size of a page.

    Raises:
        UnexpectedAnswerError: a page is not a list, or links to itself.
    """
    cursor: object = None
    while True:
        body = transport.send(Call(method="GET", path=path, query={**query, "cursor": cursor})).body
        if not isinstance(body, Mapping) or not isinstance(body.get("items"), list):
            raise UnexpectedAnswerError(f"{path} did not return a list; is this a Stratoplane server?")
        yield from (decode(kind, each) for each in body["items"])
        following = body.get("next")
        if following is None:
            return
        if following == cursor:
            raise UnexpectedAnswerError(f"the next page of {path} is the same page")
        cursor = following
