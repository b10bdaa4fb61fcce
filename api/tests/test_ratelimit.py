# SPDX-License-Identifier: Apache-2.0
"""Requests per window, counted in a real Valkey; without one, everything passes."""

import uuid

import pytest

from stratoplane.errors import RateLimitedError
from stratoplane_api.counters import PAUSE, Counters
from stratoplane_api.ratelimit import Limit, RateLimiter

LIMIT = Limit(name="test", requests=3, seconds=10)


class Clock:
    def __init__(self):
        self.now = 1_000_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def caller():
    return uuid.uuid4().hex


@pytest.fixture
def counters(valkey_url, clock):
    counters = Counters(valkey_url, clock=clock)
    yield counters
    counters.close()


@pytest.fixture
def limiter(counters):
    return RateLimiter(counters)


def test_a_window_gives_so_many_requests_and_then_none(limiter, clock, caller):
    clock.now += 4

    assert [limiter.take(LIMIT, caller).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RateLimitedError) as caught:
        limiter.take(LIMIT, caller)
    assert caught.value.retry_after == 6


def test_the_next_window_is_counted_from_zero(limiter, clock, caller):
    for _ in range(3):
        limiter.take(LIMIT, caller)
    clock.now += 10

    assert limiter.take(LIMIT, caller).remaining == 2


def test_callers_do_not_share_a_window(limiter, caller):
    for _ in range(3):
        limiter.take(LIMIT, caller)

    assert limiter.take(LIMIT, caller + "x").remaining == 2


def test_the_headers_name_the_limit_and_what_is_left(limiter, clock, caller):
    clock.now += 1

    assert limiter.take(LIMIT, caller).headers() == {
        "RateLimit-Policy": '"test";q=3;w=10',
        "RateLimit": '"test";r=2;t=9',
    }


def test_without_redis_every_request_passes_and_redis_is_left_alone_for_a_while(clock, caller, caplog):
    limiter = RateLimiter(Counters("redis://127.0.0.1:1/0", clock=clock))

    assert limiter.take(LIMIT, caller) is None
    assert limiter.take(LIMIT, caller) is None
    assert len(caplog.records) == 1

    clock.now += PAUSE
    assert limiter.take(LIMIT, caller) is None
    assert len(caplog.records) == 2


def test_a_large_limit_is_taken_in_shares_that_cost_one_round_trip_each(limiter, counters, caller):
    large = Limit(name="large", requests=5_000, seconds=10)
    window = 1_000_000_000 // 10
    counted = []

    for _ in range(11):
        limiter.take(large, caller)
        counted.append(int(counters.redis.get(f"stratoplane:rate:large:{caller}:{window}")))

    assert counted == [5] * 5 + [10] * 5 + [15]


@pytest.mark.parametrize("requests", [3, 1_999, 2_000, 5_001])
def test_processes_that_share_a_limit_let_no_more_pass_than_it_has(valkey_url, clock, caller, requests):
    limit = Limit(name="shared", requests=requests, seconds=10)
    connections = [Counters(valkey_url, clock=clock) for _ in range(3)]
    processes = [RateLimiter(each) for each in connections]
    passed, refused = 0, set[int]()

    while len(refused) < len(processes):
        for number, process in enumerate(processes):
            try:
                passed += process.take(limit, caller) is not None
            except RateLimitedError:
                refused.add(number)

    for each in connections:
        each.close()
    assert passed == requests


def test_what_remains_of_a_limit_in_shares_goes_down_by_one(limiter, caller):
    large = Limit(name="large", requests=5_000, seconds=10)

    assert [limiter.take(large, caller).remaining for _ in range(7)] == list(range(4_999, 4_992, -1))
