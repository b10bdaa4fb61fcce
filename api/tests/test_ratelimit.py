# SPDX-License-Identifier: Apache-2.0
"""Requests per window, counted in a real Valkey; without one, everything passes."""

import uuid

import pytest

from stratoplane.errors import RateLimitedError
from stratoplane_api.ratelimit import PAUSE, Limit, RateLimiter

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
def credential():
    return uuid.uuid4().hex


@pytest.fixture
def limiter(valkey_url, clock):
    limiter = RateLimiter(valkey_url, clock=clock)
    yield limiter
    limiter.close()


def test_a_window_gives_so_many_requests_and_then_none(limiter, clock, credential):
    clock.now += 4

    assert [limiter.take(LIMIT, credential).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RateLimitedError) as caught:
        limiter.take(LIMIT, credential)
    assert caught.value.retry_after == 6


def test_the_next_window_is_counted_from_zero(limiter, clock, credential):
    for _ in range(3):
        limiter.take(LIMIT, credential)
    clock.now += 10

    assert limiter.take(LIMIT, credential).remaining == 2


def test_credentials_do_not_share_a_window(limiter, credential):
    for _ in range(3):
        limiter.take(LIMIT, credential)

    assert limiter.take(LIMIT, credential + "x").remaining == 2


def test_the_headers_name_the_limit_and_what_is_left(limiter, clock, credential):
    clock.now += 1

    assert limiter.take(LIMIT, credential).headers() == {
        "RateLimit-Policy": '"test";q=3;w=10',
        "RateLimit": '"test";r=2;t=9',
    }


def test_without_redis_every_request_passes_and_redis_is_left_alone_for_a_while(clock, credential, caplog):
    limiter = RateLimiter("redis://127.0.0.1:1/0", clock=clock)

    assert limiter.take(LIMIT, credential) is None
    assert limiter.take(LIMIT, credential) is None
    assert len(caplog.records) == 1

    clock.now += PAUSE
    assert limiter.take(LIMIT, credential) is None
    assert len(caplog.records) == 2


def test_a_large_limit_is_taken_in_shares_that_cost_one_round_trip_each(limiter, credential):
    large = Limit(name="large", requests=5_000, seconds=10)
    window = 1_000_000_000 // 10
    counted = []

    for _ in range(11):
        limiter.take(large, credential)
        counted.append(int(limiter._redis.get(f"stratoplane:rate:large:{credential}:{window}")))

    assert counted == [5] * 5 + [10] * 5 + [15]


@pytest.mark.parametrize("requests", [3, 1_999, 2_000, 5_001])
def test_processes_that_share_a_limit_let_no_more_pass_than_it_has(valkey_url, clock, credential, requests):
    limit = Limit(name="shared", requests=requests, seconds=10)
    processes = [RateLimiter(valkey_url, clock=clock) for _ in range(3)]
    passed, refused = 0, set[int]()

    while len(refused) < len(processes):
        for number, process in enumerate(processes):
            try:
                passed += process.take(limit, credential) is not None
            except RateLimitedError:
                refused.add(number)

    for process in processes:
        process.close()
    assert passed == requests


def test_what_remains_of_a_limit_in_shares_goes_down_by_one(limiter, credential):
    large = Limit(name="large", requests=5_000, seconds=10)

    assert [limiter.take(large, credential).remaining for _ in range(7)] == list(range(4_999, 4_992, -1))
