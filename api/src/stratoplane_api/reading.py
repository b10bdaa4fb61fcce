# SPDX-License-Identifier: Apache-2.0
"""Reading a request's body and query: strict parser for flask-smorest, and schema messages as JSON pointers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

import flask
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from stratoplane.errors import InvalidSpecError, Violation
from stratoplane_api import json_body
from stratoplane_api.request_errors import InvalidQueryError, MalformedBodyError, MediaTypeError

_JSON_TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})

_TOLD: Final = 3
"""Violations that the detail repeats; ``errors`` holds them all."""
_WORDS: Final = {
    "Missing data for required field.": "is required",
    "Field may not be null.": "must not be null",
    "Not a valid string.": "must be a string",
    "Not a valid integer.": "must be a whole number",
    "Not a valid number.": "must be a number",
    "Not a valid boolean.": "must be true or false",
    "Not a valid list.": "must be a list",
    "Not a valid mapping type.": "must be an object",
    "Invalid input type.": "must be an object",
}


class StrictParser(FlaskParser):
    """Reads JSON through :mod:`stratoplane_api.json_body` and raises our errors instead of HTTP ones."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"json": None, "query": None}  # noqa: RUF012  # webargs declares it so

    def load_json(self, req: flask.Request, schema: Schema) -> Any:  # noqa: ARG002  # webargs gives both
        """Return the body's value.

        Raises:
            MediaTypeError: the body is declared as something other than JSON.
            MalformedRequestError: there is no body, or it cannot be read.
        """
        body = req.get_data(cache=True)
        if req.mimetype not in _JSON_TYPES and (body or req.mimetype):
            raise MediaTypeError("send the body as Content-Type: application/json")
        if not body:
            raise MalformedBodyError("this operation needs a JSON object as its body")
        flask.g.body = json_body.decode(body)
        return flask.g.body

    def handle_error(
        self,
        error: ValidationError,
        req: flask.Request,  # noqa: ARG002  # webargs gives them all
        schema: Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,  # noqa: ARG002
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        """Raise the schema's findings as one error with a JSON pointer for each."""
        location, messages = next(iter(error.messages_dict.items()))
        violations = sorted(_violations(messages, ""), key=lambda each: each.pointer)
        summary = "; ".join(f"{each.pointer or 'the body'} {each.detail}" for each in violations[:_TOLD])
        rest = f"; and {len(violations) - _TOLD} more" if len(violations) > _TOLD else ""
        kind = InvalidQueryError if location == "query" else InvalidSpecError
        raise kind(summary + rest, violations) from error


def _violations(messages: object, pointer: str) -> Iterator[Violation]:
    if isinstance(messages, Mapping):
        for name, found in messages.items():
            yield from _violations(found, pointer if name == "_schema" else f"{pointer}/{json_body.escape(str(name))}")
    elif isinstance(messages, list):
        for found in messages:
            yield from _violations(found, pointer)
    else:
        yield Violation(pointer=pointer, detail=_WORDS.get(str(messages), str(messages)))


PARSER: Final = StrictParser()
