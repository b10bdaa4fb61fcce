# SPDX-License-Identifier: Apache-2.0
"""Reading a request's body and query, both strictly, and what is wrong with them as JSON pointers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl

import flask
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from stratoplane.errors import InvalidSpecError, Violation
from stratoplane.texts import unfit_for_a_line
from stratoplane_api import json_body
from stratoplane_api.request_errors import InvalidQueryError, MalformedBodyError, MediaTypeError

_JSON_TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})

_STRAY_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

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

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"json": None}  # noqa: RUF012  # webargs declares it so

    def load_json(self, req: flask.Request, schema: Schema) -> Any:  # noqa: ARG002  # webargs gives both
        """Return the body's value.

        Raises:
            MediaTypeError: the body is declared as something other than JSON in UTF-8.
            MalformedRequestError: there is no body, or it cannot be read.
        """
        body = req.get_data(cache=True)
        require_plain_text(req)
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
        violations = list(_violations(next(iter(error.messages_dict.values())), ""))
        raise _refusal(InvalidSpecError, violations) from error


def require_plain_text(req: flask.Request) -> None:
    """Refuse a body that is not what it would be read as.

    Raises:
        MediaTypeError: it is declared as compressed or as text in another charset than UTF-8.
    """
    encoding = req.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise MediaTypeError(f"send the body as it is, without Content-Encoding; {encoding!r} is not read")
    charset = req.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in {"utf-8", "utf8"}:
        raise MediaTypeError(f"send the body in UTF-8; the charset {charset!r} is not read")


def read_query(query: bytes, schema: Schema) -> dict[str, object]:
    """Return what ``schema`` makes of a query string as it came.

    Raises:
        InvalidQueryError: a parameter comes twice, is empty, malformed or not known, or its value is wrong.
    """
    given = _parameters(query)
    try:
        loaded: dict[str, object] = schema.load(given)
    except ValidationError as error:
        raise _refusal(InvalidQueryError, list(_violations(error.messages_dict, ""))) from error
    return loaded


def _parameters(query: bytes) -> dict[str, str]:
    """Return each parameter once: of two values, whichever were taken, the other would be ignored silently."""
    if not query:
        return {}
    try:
        pairs = parse_qsl(_well_formed(query), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        detail = "the query string is malformed; write it as name=value&name=value, percent-encoded in UTF-8"
        raise InvalidQueryError(detail) from error
    times = Counter(name for name, _ in pairs)
    wrong = {name: detail for name, value in pairs if (detail := _misuse(value, times[name]))}
    if wrong:
        found = [Violation(pointer=f"/{json_body.escape(name)}", detail=detail) for name, detail in wrong.items()]
        raise _refusal(InvalidQueryError, found)
    return dict(pairs)


def _well_formed(query: bytes) -> str:
    if _STRAY_PERCENT.search(query):
        raise ValueError("a percent sign without two hexadecimal digits")
    return query.decode("ascii")


def _misuse(value: str, times: int) -> str:
    """Return what is wrong with a parameter whatever it means; empty if nothing is."""
    if times > 1:
        return f"is given {times} times; give it once"
    if not value:
        return "is empty; give it a value or leave it out"
    unfit = unfit_for_a_line(value)
    return f"must not hold the character {unfit}" if unfit else ""


def _refusal(kind: type[InvalidSpecError], found: list[Violation]) -> InvalidSpecError:
    violations = sorted(found, key=lambda each: each.pointer)
    summary = "; ".join(f"{each.pointer or 'the body'} {each.detail}" for each in violations[:_TOLD])
    rest = f"; and {len(violations) - _TOLD} more" if len(violations) > _TOLD else ""
    return kind(summary + rest, violations)


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
