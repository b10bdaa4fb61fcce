# SPDX-License-Identifier: Apache-2.0
"""What a body may hold before any schema looks at it."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum

import orjson
import pytest

from stratoplane.errors import InvalidSpecError
from stratoplane_api import json_body
from stratoplane_api.request_errors import BodyTooDeepError, MalformedBodyError


class Colour(StrEnum):
    RED = "red"


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_a_body_may_nest_to_the_limit_and_not_beyond():
    json_body.decode(nested(json_body.DEEPEST))

    with pytest.raises(BodyTooDeepError):
        json_body.decode(nested(json_body.DEEPEST + 1))
    with pytest.raises(BodyTooDeepError):
        json_body.decode(b'{"a":' * 33 + b"1" + b"}" * 33)


@pytest.mark.parametrize("body", [b"{", b"", b"{'a': 1}", b'{"a": NaN}', b"\xff", b"[1,]", b'{"a": "\xed\xa0\x80"}'])
def test_what_is_not_json_is_refused_with_the_place(body):
    with pytest.raises(MalformedBodyError, match="line 1, column"):
        json_body.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "c": 2, "a": null}}]',
        b'{"a": 1, "\\u0061": 2}',
        b'{"": 1, "": {}}',
        b'{"n": 1e300, "a": ' + b"9" * 30 + b', "a": 1}',
    ],
)
def test_a_member_that_comes_twice_is_refused_by_name(body):
    with pytest.raises(MalformedBodyError, match="twice"):
        json_body.decode(body)


def test_members_of_different_objects_may_have_one_name():
    assert json_body.decode(b'{"a": {"a": [{"a": 1}, {"a": 2}]}}') == {"a": {"a": [{"a": 1}, {"a": 2}]}}


def test_nesting_beyond_what_the_parser_takes_is_refused_too():
    with pytest.raises((BodyTooDeepError, MalformedBodyError)):
        json_body.decode(nested(100_000))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"name": "a\\u0000b"}', "/name"),
        (b'{"labels": {"a/b": ["x", "\\u0000"]}}', "/labels/a~1b/1"),
        (b'{"a\\u0000": 1}', ""),
    ],
)
def test_a_null_character_is_refused_where_it_stands(body, pointer):
    with pytest.raises(InvalidSpecError) as caught:
        json_body.decode(body)

    assert caught.value.violations[0].pointer == pointer


def test_an_escaped_backslash_before_u0000_is_no_null_character():
    assert json_body.decode(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_answers_hold_times_in_utc_ids_and_words():
    identifier = uuid.uuid4()
    encoded = json_body.encode(
        {"at": datetime(2026, 11, 23, 8, tzinfo=UTC), "id": identifier, "colour": Colour.RED, "set": {"b", "a"}}
    )

    assert orjson.loads(encoded) == {
        "at": "2026-11-23T08:00:00Z",
        "id": str(identifier),
        "colour": "red",
        "set": ["a", "b"],
    }


def test_what_has_no_json_form_is_an_error():
    with pytest.raises(TypeError):
        json_body.encode({"a": object()})
