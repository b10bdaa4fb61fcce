# SPDX-License-Identifier: Apache-2.0
"""Quota: never above the limit, giving back always fits, and no change is lost between two amounts."""

from hypothesis import given
from hypothesis import strategies as st

from stratoplane.quota import DEFAULT_LIMITS, UNLIMITED, QuotaKey, difference, fits

AMOUNTS = st.dictionaries(st.sampled_from(list(QuotaKey)), st.integers(min_value=0, max_value=10_000))
COUNTS = st.integers(min_value=0, max_value=10_000)


def plus(amount, change):
    keys = amount.keys() | change.keys()
    return {key: total for key in keys if (total := amount.get(key, 0) + change.get(key, 0))}


@given(limit=COUNTS, used=COUNTS, wanted=st.integers(min_value=1, max_value=10_000))
def test_what_fits_stays_within_the_limit(limit, used, wanted):
    assert fits(limit, used, wanted) is (used + wanted <= limit)


@given(used=COUNTS, wanted=COUNTS)
def test_unlimited_refuses_nothing(used, wanted):
    assert fits(UNLIMITED, used, wanted)


@given(limit=COUNTS, used=COUNTS, given_back=COUNTS)
def test_releasing_quota_is_allowed_even_above_the_limit(limit, used, given_back):
    assert fits(limit, used, -given_back)


@given(limit=COUNTS, wishes=st.lists(st.integers(min_value=-50, max_value=50)))
def test_no_sequence_of_requests_exceeds_the_limit(limit, wishes):
    used = 0
    for wanted in wishes:
        if used + wanted >= 0 and fits(limit, used, wanted):
            used += wanted
        assert used <= limit


@given(before=AMOUNTS, after=AMOUNTS)
def test_adding_the_difference_to_the_first_amount_gives_the_second(before, after):
    assert plus(before, difference(before, after)) == plus(after, {})


@given(before=AMOUNTS, after=AMOUNTS)
def test_the_difference_in_the_other_direction_is_the_negative(before, after):
    forth, back = difference(before, after), difference(after, before)

    assert back == {key: -change for key, change in forth.items()}


@given(amount=AMOUNTS)
def test_equal_amounts_have_no_difference(amount):
    assert difference(amount, amount) == {}


def test_keys_are_in_one_order_so_that_rows_are_locked_in_one_order():
    changed = difference({}, dict.fromkeys(reversed(QuotaKey), 1))

    assert list(changed) == sorted(QuotaKey)


def test_a_new_organization_has_a_limit_for_everything():
    assert DEFAULT_LIMITS.keys() == set(QuotaKey)
    assert all(limit > 0 for limit in DEFAULT_LIMITS.values())
