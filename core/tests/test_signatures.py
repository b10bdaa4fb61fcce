# SPDX-License-Identifier: Apache-2.0
"""Signed requests and answers: what was signed is what is checked, and nothing else passes."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import InvalidSpecError
from stratoplane.join_tokens import JoinToken, pin_of, read_join_token
from stratoplane.signatures import (
    BadSignatureError,
    Message,
    check_answer,
    check_body,
    read_request,
    sign_answer,
    sign_request,
)

HELLO = Message(method="POST", path="/api/agent/v1/hello")
ANSWERED = 200


def sign(message: bytes) -> bytes:
    """Stand in for a key: 64 bytes that depend on every byte of the message."""
    return hmac.new(b"key", message, hashlib.sha512).digest()


def verify(signature: bytes, message: bytes) -> bool:
    return hmac.compare_digest(signature, sign(message))


def signed(body=b"{}", message=HELLO, created=1_763_900_000):
    return sign_request(message, body, key_id="agent:1", created=created, sign=sign)


@given(st.binary(max_size=200), st.integers(0, 10**11))
def test_what_was_signed_is_read_back(body, created):
    headers = signed(body, created=created)
    found = read_request(HELLO, headers)

    assert (found.created, found.key_id) == (created, "agent:1")
    assert verify(found.signature, found.base)
    check_body(body, headers)


def test_each_request_has_a_nonce_of_its_own():
    assert len({read_request(HELLO, signed()).nonce for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "other",
    [
        Message(method="PUT", path=HELLO.path),
        Message(method="POST", path="/api/agent/v1/results"),
        Message(method="POST", path=HELLO.path, query="a=1"),
    ],
)
def test_a_signature_is_for_one_method_path_and_query(other):
    found = read_request(other, signed())

    assert not verify(found.signature, found.base)


def test_a_body_that_is_not_the_one_that_was_signed_is_noticed():
    headers = signed(b"{}")
    with pytest.raises(BadSignatureError, match="Content-Digest"):
        check_body(b"{ }", headers)
    swapped = {**headers, "Content-Digest": signed(b"{ }")["Content-Digest"]}
    found = read_request(HELLO, swapped)

    assert not verify(found.signature, found.base)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Signature-Input", lambda value: value.replace("created=1", "created=2")),
        ("Signature-Input", lambda value: value.replace("agent:1", "agent:2")),
        ("Signature-Input", lambda value: value.replace('nonce="', 'nonce="A')),
    ],
)
def test_a_parameter_that_was_changed_no_longer_fits(name, change):
    headers = {**signed()}
    headers[name] = change(headers[name])
    found = read_request(HELLO, headers)

    assert not verify(found.signature, found.base)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Signature-Input", ""),
        ("Signature-Input", 'sp=("@method");created=1;keyid="agent:1"'),
        ("Signature", "sp=:AAAA:"),
        ("Signature", ""),
        ("Content-Digest", ""),
        ("Content-Digest", "sha-512=:AAAA:"),
    ],
)
def test_what_is_signed_in_another_way_is_refused(name, value):
    with pytest.raises(BadSignatureError):
        read_request(HELLO, {**signed(), name: value})


def test_an_algorithm_or_part_cannot_be_negotiated():
    headers = {**signed()}
    for change in (("ed25519", "hmac-sha256"), ('"content-digest"', '"date"'), ("stratoplane-agent", "other")):
        with pytest.raises(BadSignatureError):
            read_request(HELLO, {**headers, "Signature-Input": headers["Signature-Input"].replace(*change)})


def test_an_answer_fits_the_one_request_that_it_answers():
    asked, other = signed(), signed()
    headers = sign_answer(ANSWERED, b"{}", asked, key_id="installation", sign=sign)
    check_answer(ANSWERED, b"{}", headers, asked, verify)

    for status, body, request in ((201, b"{}", asked), (ANSWERED, b"[]", asked), (ANSWERED, b"{}", other)):
        with pytest.raises(BadSignatureError):
            check_answer(status, body, headers, request, verify)
    with pytest.raises(BadSignatureError, match="not signed"):
        check_answer(ANSWERED, b"{}", {}, asked, verify)


def test_a_join_token_is_read_back():
    for token in (
        JoinToken(secret="spt_join_abc", server_pin=pin_of(b"a")),
        JoinToken(secret="spt_join_abc", server_pin=pin_of(b"a"), certificate_pin=pin_of(b"b")),
    ):
        assert read_join_token(token.text) == token


@pytest.mark.parametrize("text", ["", "spt_join_abc", "spt_api_abc_" + "0" * 64, "spt_join_abc_" + "0" * 63])
def test_a_token_without_a_valid_fingerprint_is_refused(text):
    with pytest.raises(InvalidSpecError, match="ask an operator for a new one"):
        read_join_token(text)
