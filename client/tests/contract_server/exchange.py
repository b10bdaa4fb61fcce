# SPDX-License-Identifier: Apache-2.0
"""Requests as the handlers get them, the answers they give, and the table of handlers by operation id."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from client.tests.contract_server.document import Json, Operation, document

if TYPE_CHECKING:
    from client.tests.contract_server.state import State

_LARGEST_PAGE: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request whose operation is known, whose caller is ``username`` and whose content fits the document."""

    operation: Operation
    ids: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: Json
    username: str

    @property
    def dry_run(self) -> bool:
        """Whether nothing shall be kept."""
        return self.query.get("dry_run") == "true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server answers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818  # it is an answer
    """A request that is answered by a problem document."""

    def __init__(self, status: int, code: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.document = {
            "type": f"urn:stratoplane:problem:{code}",
            "title": code.replace("_", " ").capitalize(),
            "status": status,
            "code": code,
            "detail": detail,
            **members,
        }


Handler = Callable[["State", Call], Answer]
HANDLERS: Final[dict[str, Handler]] = {}


def serves(*operation_ids: str) -> Callable[[Handler], Handler]:
    """Enter a handler for these operations."""

    def enter(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(operation_ids, handler))
        return handler

    return enter


def checked(operation: Operation, query: dict[str, str], body: object) -> Json:
    """Return the body of a request; refuse what the document does not allow.

    Raises:
        Refusal: a parameter is unknown, a page is too large, or the body does not fit its schema.
    """
    unknown = [
        {"pointer": f"/{name}", "detail": "is not known here"} for name in sorted(query.keys() - operation.query)
    ]
    if unknown:
        raise Refusal(422, "invalid_query", "the query cannot be accepted", errors=unknown)
    if not 1 <= int(query.get("limit", "50")) <= _LARGEST_PAGE:
        raise Refusal(422, "invalid_query", "limit must be 1 to 200")
    if operation.body is None:
        return {}
    if not isinstance(body, dict):
        raise Refusal(400, "malformed_json", "this operation needs a JSON object as its body")
    schema = document().resolved(operation.body)
    required, known = set(schema.get("required", ())), schema["properties"].keys()
    errors = [{"pointer": f"/{name}", "detail": "is not known here"} for name in sorted(body.keys() - known)]
    errors += [{"pointer": f"/{name}", "detail": "is required"} for name in sorted(required - body.keys())]
    if not errors:
        errors = [{"pointer": pointer, "detail": what} for pointer, what in document().violations(schema, body)]
    if errors:
        raise Refusal(422, "invalid_spec", "the content cannot be accepted", errors=errors)
    return body


def page(call: Call, found: Sequence[Json]) -> Answer:
    """Return one page of a list, its items with the members that the document gives them."""
    limit = int(call.query.get("limit", "50")) if "limit" in call.operation.query else max(1, len(found))
    cursor = call.query.get("cursor")
    start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
    end = start + limit
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else None
    return Answer(
        body={"items": [document().fitted(call.operation, each) for each in found[start:end]], "next": following}
    )


def etag(found: Json) -> str:
    """Return the entity tag of an object."""
    return f'"{found["id"]}.{found["version"]}"'


def check_match(call: Call, found: Json) -> None:
    """Refuse a change of another version than the caller has read.

    Raises:
        Refusal: ``If-Match`` names another version.
    """
    if call.headers.get("if-match", etag(found)) != etag(found):
        raise Refusal(412, "version_mismatch", "it changed since you read it; read it again")
