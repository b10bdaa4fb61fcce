# SPDX-License-Identifier: Apache-2.0
"""Tokens and passwords by themselves."""

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane_engine.services import credentials

KINDS = ("ses", "api", "join")
TOKEN = credentials.new_token("ses")


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_has_prefix_secret_and_check(kind):
    token = credentials.new_token(kind)

    assert re.fullmatch(rf"spt_{kind}_[0-9A-Za-z]{{49}}", token)
    assert credentials.is_token(token)


def test_tokens_differ():
    assert len({credentials.new_token("api") for _ in range(1000)}) == 1000


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(credentials.ALPHABET))
def test_a_changed_character_shows(at, character):
    assert credentials.is_token(TOKEN[:at] + character + TOKEN[at + 1 :]) == (TOKEN[at] == character)


@given(st.text(max_size=120))
def test_no_text_breaks_the_check(text):
    assert not credentials.is_token(text)


def test_a_password_matches_itself_only():
    kept = credentials.hash_password("correct horse")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert credentials.password_matches(kept, "correct horse")
    assert not credentials.password_matches(kept, "Correct horse")
    assert not credentials.password_matches(None, "correct horse")
    assert not credentials.password_matches("", "")
    assert not credentials.password_matches("not a hash", "correct horse")


def test_equal_passwords_are_kept_differently():
    assert credentials.hash_password("same") != credentials.hash_password("same")


def test_many_logins_at_once_all_get_their_answer():
    kept = credentials.hash_password("right")
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(credentials.password_matches(kept, "right"))) for _ in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert answers == [True] * 6
