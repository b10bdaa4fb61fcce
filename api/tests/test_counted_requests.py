# SPDX-License-Identifier: Apache-2.0
"""Whose requests are counted together, in a real Valkey."""

import uuid

import pytest

from api.tests.test_requests import build, problem
from stratoplane_api.counters import Counters
from stratoplane_api.ratelimit import Limit, RateLimiter


@pytest.fixture
def counted(valkey_url):
    """``counted(requests)``: a client of an application that lets so many pass."""
    counters = Counters(valkey_url, clock=lambda: 1_000_000_001.0)

    def make(requests):
        limit = Limit(name=uuid.uuid4().hex, requests=requests, seconds=60)
        return build(RateLimiter(counters), limit).test_client()

    yield make
    counters.close()


def test_a_used_up_window_is_429_with_retry_after(counted):
    client = counted(1)
    headers = {"Authorization": "Bearer tenant"}

    first = client.get("/api/tenant/v1/things", headers=headers)
    second = client.get("/api/tenant/v1/things", headers=headers)
    other = client.get("/api/tenant/v1/things", headers={"Authorization": "Bearer operator"})

    assert ";r=0;t=19" in first.headers["RateLimit"]
    problem(second, 429, "rate_limited")
    assert second.headers["Retry-After"] == "19"
    assert other.status_code == 200


def test_nothing_that_a_caller_can_have_any_number_of_gives_a_second_budget(counted):
    cases = {
        "tokens": ("/api/tenant/v1/things", ["Bearer tenant", "Bearer tenant-again", "Bearer tenant"], [200, 200, 429]),
        "wrong": ("/api/tenant/v1/things", ["Bearer a", "Bearer b", "Bearer c"], [401, 401, 429]),
        "public": ("/api/tenant/v1/open", ["Bearer a", "Bearer b", "Bearer c"], [204, 204, 429]),
    }
    for name, (path, headers, expected) in cases.items():
        client = counted(2)
        got = [client.get(path, headers={"Authorization": header}).status_code for header in headers]
        assert got == expected, name


def test_wrong_credentials_of_one_address_take_nothing_from_who_has_a_right_one(counted):
    client = counted(2)
    for _ in range(5):
        client.get("/api/tenant/v1/things", headers={"Authorization": "Bearer wrong"})

    assert client.get("/api/tenant/v1/things", headers={"Authorization": "Bearer tenant"}).status_code == 200
