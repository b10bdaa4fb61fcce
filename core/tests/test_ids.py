# SPDX-License-Identifier: Apache-2.0
"""Ids are UUIDv7 in the order of their making; names are RFC 1123 labels."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.ids import NAME_PATTERN, new_id


def test_an_id_is_a_uuid_of_version_7():
    ids = [new_id() for _ in range(1000)]

    assert {identifier.version for identifier in ids} == {7}
    assert {identifier.variant for identifier in ids} == {RFC_4122}


def test_an_id_contains_its_creation_time():
    before = time.time_ns() // 1_000_000

    milliseconds = new_id().int >> 80

    assert before <= milliseconds <= time.time_ns() // 1_000_000 + 1


def test_ids_of_a_process_never_go_back():
    ids = [new_id() for _ in range(20_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_threads_get_different_ids():
    with ThreadPoolExecutor(max_workers=8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(8)))

    assert all(batch == sorted(batch) for batch in batches)
    assert len({identifier for batch in batches for identifier in batch}) == 16_000


@pytest.mark.parametrize("name", ["a", "7", "web-1", "a" * 63, "0--0"])
def test_labels_are_names(name):
    assert re.fullmatch(NAME_PATTERN, name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "é", "a\n", "a b", "<a>", "a\x00", "\uff41"]
)
def test_anything_else_is_not_a_name(name):
    assert not re.fullmatch(NAME_PATTERN, name)


@given(st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True))
def test_a_name_needs_no_escaping_anywhere(text):
    assert re.fullmatch(r"[a-z0-9-]{1,63}", text)
    assert not text.startswith("-")
    assert not text.endswith("-")
