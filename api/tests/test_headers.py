# SPDX-License-Identifier: Apache-2.0
"""What request headers ask for: trace, preference, entity tag, idempotency key, credential."""

import pytest

from stratoplane.errors import AuthenticationFailedError, VersionMismatchError
from stratoplane_api import authentication, etag, idempotency, prefer, tracing
from stratoplane_api.origin import origin
from stratoplane_api.request_errors import MalformedRequestError

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
OBJECT_ID = "0199d2a5-0c28-7a00-8000-9f504fb17c06"


def test_a_trace_is_taken_in_and_continued_with_a_span_of_our_own():
    trace = tracing.read_trace({"traceparent": PARENT, "X-Request-Id": "order-17"})

    assert trace.trace_id == TRACE_ID
    assert trace.parent.startswith(f"00-{TRACE_ID}-")
    assert trace.parent != PARENT
    assert trace.request_id == "order-17"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE_ID}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-b7ad6b7169203331-01",
        f"{PARENT}-more",
    ],
)
def test_a_malformed_trace_begins_a_new_one(header):
    trace = tracing.read_trace({"traceparent": header})

    assert trace.trace_id != TRACE_ID
    assert len(trace.trace_id) == 32


def test_a_later_version_of_the_trace_header_may_say_more():
    assert tracing.read_trace({"traceparent": f"01-{TRACE_ID}-b7ad6b7169203331-01-more"}).trace_id == TRACE_ID


@pytest.mark.parametrize("header", ["", "two\nlines", "x" * 65, "-first", "a b", "<script>"])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(header):
    assert tracing.read_trace({"X-Request-Id": header}).request_id != header


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=20", 20.0),
        ("respond-async, wait=5", 5.0),
        ('WAIT="7"', 7.0),
        ("wait=100000", prefer.LONGEST_WAIT),
        ("wait=-3", 0.0),
        ("wait=soon", 0.0),
        ("", 0.0),
    ],
)
def test_a_preference_to_wait_is_read_and_capped(header, seconds):
    assert prefer.read_wait(header) == seconds


def test_an_entity_tag_is_the_identity_and_the_version():
    assert etag.entity_tag({"id": OBJECT_ID, "version": 3}) == f'"{OBJECT_ID}.3"'


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f'"{OBJECT_ID}.3"', True),
        (f'W/"{OBJECT_ID}.3"', True),
        (f'"other", "{OBJECT_ID}.3"', True),
        ("*", True),
        (f'"{OBJECT_ID}.2"', False),
        ("no tag at all", False),
    ],
)
def test_if_none_match_compares_weakly(header, known):
    assert etag.matches(header, f'"{OBJECT_ID}.3"') is known


@pytest.mark.parametrize(("header", "version"), [(None, None), ("*", None), (f'"{OBJECT_ID}.12"', 12)])
def test_if_match_says_which_version_was_read(header, version):
    assert etag.expected_version(header, OBJECT_ID) == version


@pytest.mark.parametrize("header", [f'W/"{OBJECT_ID}.3"', '"another.3"', f'"{OBJECT_ID}.x"', f'"{OBJECT_ID}.²"'])
def test_if_match_of_something_else_is_a_mismatch(header):
    with pytest.raises((VersionMismatchError, MalformedRequestError)):
        etag.expected_version(header, OBJECT_ID)


@pytest.mark.parametrize(
    "header", ["3", "'x'", "", f'"{OBJECT_ID}.3" "{OBJECT_ID}.4"', f'"{OBJECT_ID}.3","{OBJECT_ID}.4"']
)
def test_if_match_that_is_no_single_tag_is_malformed(header):
    with pytest.raises(MalformedRequestError):
        etag.expected_version(header, OBJECT_ID)


@pytest.mark.parametrize(("header", "key"), [(None, None), ("abc-1", "abc-1"), ('"abc 1"', "abc 1"), (" abc ", "abc")])
def test_an_idempotency_key_may_be_quoted_or_bare(header, key):
    assert idempotency.read_key(header) == key


@pytest.mark.parametrize("header", ["", '""', "a b", "x" * 256, "schlüssel", '"unclosed'])
def test_an_unusable_idempotency_key_is_refused(header):
    with pytest.raises(MalformedRequestError):
        idempotency.read_key(header)


def test_a_fingerprint_ignores_the_order_of_members_and_nothing_else():
    first = idempotency.fingerprint("POST", "/networks", {"name": "a", "labels": {"x": "1", "y": "2"}})

    assert first == idempotency.fingerprint("POST", "/networks", {"labels": {"y": "2", "x": "1"}, "name": "a"})
    assert first != idempotency.fingerprint("POST", "/networks", {"name": "b", "labels": {"x": "1", "y": "2"}})
    assert first != idempotency.fingerprint("POST", "/volumes", {"name": "a", "labels": {"x": "1", "y": "2"}})
    assert first != idempotency.fingerprint("PATCH", "/networks", {"name": "a", "labels": {"x": "1", "y": "2"}})


@pytest.mark.parametrize("header", ["Bearer abc.DEF-1_2~3+4/5==", "bearer abc", "Bearer  abc "])
def test_a_bearer_token_is_read(header):
    assert authentication.bearer_token(header) == header.split()[1]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a b", "abc", "Bearer " + "x" * 600])
def test_anything_else_is_no_credential(header):
    with pytest.raises(AuthenticationFailedError):
        authentication.bearer_token(header)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("a proxy", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_person_has(address, counted):
    assert origin(address) == counted
