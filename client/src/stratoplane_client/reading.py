# SPDX-License-Identifier: Apache-2.0
"""Nouns of the API as groups of calls: list, get and find; and create, update and delete where these need no job."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote
from uuid import UUID

from stratoplane_client.decode import Record, decode
from stratoplane_client.errors import InvalidSettingError, NameAmbiguousError, NameUnknownError
from stratoplane_client.models.jobs import Job
from stratoplane_client.paging import LARGEST_PAGE, pages
from stratoplane_client.transport import Call, Reply, Transport


class Named(Protocol):
    """What can be found by name."""

    @property
    def id(self) -> str:
        """The id."""

    @property
    def name(self) -> str:
        """The name."""


Item = TypeVar("Item", bound=Record)
NamedItem = TypeVar("NamedItem", bound=Named)


class Reading(Generic[Item]):
    """A noun that can be listed."""

    def __init__(
        self, transport: Transport, path: str, kind: type[Item], *, page_size: int | None = LARGEST_PAGE
    ) -> None:
        """Keep where the noun is.

        Args:
            transport: makes the calls.
            path: of the collection.
            kind: of the objects.
            page_size: most objects per call, None where the API has one page only.
        """
        self._transport = transport
        self._path = path
        self._kind = kind
        self._page_size = page_size

    def list(self, **filters: object) -> Iterator[Item]:
        """Yield all, page after page.

        Args:
            **filters: parameters of the API's list, such as ``status``; those that are None are ignored.
        """
        return pages(self._transport, self._path, self._kind, {"limit": self._page_size, **filters})

    def _send(
        self,
        method: str,
        identifier: str | None = None,
        *,
        body: object = None,
        if_match: str | None = None,
    ) -> Reply:
        path = self._path if identifier is None else f"{self._path}/{segment(identifier)}"
        return self._transport.send(Call(method=method, path=path, body=body, if_match=if_match))

    def _read(self, reply: Reply) -> Item:
        return decode(self._kind, reply.body)


class Showing(Reading[Item]):
    """A noun that can be listed and shown."""

    def get(self, identifier: str) -> Item:
        """Return one by its id.

        Raises:
            NotFoundError: there is none that the caller can see.
        """
        return self._read(self._send("GET", identifier))


class Handled(Reading[Item]):
    """A noun of operators about which a job does something."""

    def _begin(self, verb: str, body: Mapping[str, Any], *, dry_run: bool, idempotency_key: str | None) -> Job:
        call = Call(
            method="POST",
            path=f"{self._path}/{verb}",
            query={"dry_run": "true" if dry_run else None},
            body=body,
            idempotency_key=idempotency_key,
            replayed=True,
        )
        return decode(Job, self._transport.send(call).body)


class Changing(Reading[Item]):
    """A noun that can be changed; it is done at once, without a job."""

    def _create(self, body: Mapping[str, Any]) -> Item:
        return self._read(self._send("POST", body=given(body)))

    def _update(self, identifier: str, body: Mapping[str, Any], if_match: str | None) -> Item:
        return self._read(self._send("PATCH", identifier, body=given(body), if_match=if_match))

    def delete(self, identifier: str, *, if_match: str | None = None) -> None:
        """Delete one by its id.

        Args:
            identifier: of the object.
            if_match: the ``etag`` that it must still have.

        Raises:
            NotFoundError: there is none.
            InUseError: others use it; release it from those first.
            VersionConflictError: it changed since ``if_match``.
        """
        self._send("DELETE", identifier, if_match=if_match)


class Writing(Showing[Item], Changing[Item]):
    """A noun that can be listed, shown and changed."""


def find(
    items: Callable[[], Iterator[NamedItem]], get: Callable[[str], NamedItem] | None, kind: str, wanted: str
) -> NamedItem:
    """Return the object whose id or name is ``wanted``.

    Args:
        items: returns the objects to search; a superset will do.
        get: gives one by its id, None where only the list has ids.
        kind: as the error calls it.
        wanted: id or name.

    Raises:
        NameUnknownError: no object has that name.
        NameAmbiguousError: several have it.
        NotFoundError: no object has that id.
    """
    if get is not None and is_id(wanted):
        return get(wanted)
    found = [each for each in items() if wanted in {each.name, each.id}]
    if not found:
        raise NameUnknownError(kind, wanted)
    if len(found) > 1:
        raise NameAmbiguousError(kind, wanted, [each.id for each in found])
    return found[0]


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the form of an id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def segment(identifier: str) -> str:
    """Return an id as one segment of a path, so that no text can lead elsewhere.

    Raises:
        InvalidSettingError: it cannot be a segment.
    """
    if identifier in {"", ".", ".."}:
        raise InvalidSettingError(f"{identifier!r} is not a valid id")
    return quote(identifier, safe="")


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that were given, those that are not None, as JSON values."""
    return {name: _plain(value) for name, value in body.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | set | frozenset) else value
