# SPDX-License-Identifier: Apache-2.0
"""Tokens and passwords by themselves."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane_engine.services import credentials
from stratoplane_engine.services.credentials import PasswordCost, PasswordHasher, TokenPrefix

TOKEN = credentials.new_token(TokenPrefix.SESSION)


@pytest.mark.parametrize("prefix", TokenPrefix)
def test_a_token_has_prefix_secret_and_check(prefix):
    token = credentials.new_token(prefix)

    assert re.fullmatch(rf"spt_{prefix}_[0-9A-Za-z]{{49}}", token)
    assert credentials.is_token(token)


def test_tokens_differ():
    assert len({credentials.new_token(TokenPrefix.API) for _ in range(1000)}) == 1000


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(credentials.ALPHABET))
def test_a_changed_character_shows(at, character):
    assert credentials.is_token(TOKEN[:at] + character + TOKEN[at + 1 :]) == (TOKEN[at] == character)


@given(st.text(max_size=120))
def test_no_text_breaks_the_check(text):
    assert not credentials.is_token(text)


def test_passwords_are_hashed_as_owasp_recommends_unless_told_otherwise():
    assert PasswordHasher().hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_password_matches_itself_only(passwords):
    kept = passwords.hash("correct horse")

    assert passwords.matches(kept, "correct horse")
    assert not passwords.matches(kept, "Correct horse")
    assert not passwords.matches(None, "correct horse")
    assert not passwords.matches("", "")
    assert not passwords.matches("not a hash", "correct horse")


def test_a_password_of_another_cost_still_matches(passwords):
    kept = PasswordHasher(PasswordCost(passes=2, memory_kib=16)).hash("correct horse")

    assert passwords.matches(kept, "correct horse")


def test_equal_passwords_are_kept_differently(passwords):
    assert passwords.hash("same") != passwords.hash("same")


def test_many_logins_at_once_all_get_their_answer(passwords):
    kept = passwords.hash("right")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: passwords.matches(kept, "right"), range(6)))

    assert answers == [True] * 6
