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


def test_the_next_window_begins_anew(limiter, clock, credential):
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
