# SPDX-License-Identifier: Apache-2.0
"""Guesses of passwords against a real Valkey, seen by the attacker and by whose password is guessed."""

import contextlib
import uuid

import pytest

from stratoplane.errors import RateLimitedError
from stratoplane_api.app import create_app
from stratoplane_api.counters import Counters
from stratoplane_api.login_throttle import PAUSE, WINDOW, LoginThrottle
from stratoplane_api.settings import ApiSettings, LoginBounds
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.credentials import TokenPrefix, new_token

COMMON = "/api/common/v1"
PASSWORD = "a long pass phrase"
HOME, OFFICE, ELSEWHERE = "192.0.2.7", "198.51.100.9", "203.0.113.11"
FEW = 3


@pytest.fixture
def counters(valkey_url):
    counters = Counters(valkey_url)
    counters.redis.delete(*counters.redis.keys("stratoplane:login:*") or ["none"])
    yield counters
    counters.close()


@pytest.fixture
def log_in(database, valkey_url, counters):
    """``log_in(username, password, address)``: the answer of an application that checks few logins."""
    settings = ApiSettings(
        database_url=database.url,
        redis_url=valkey_url,
        login_attempts=FEW,
        address_logins=2 * FEW,
        password_passes=1,
        password_memory_kib=8,
    )
    client = create_app(database, Plugins.load(()), settings).test_client()

    def send(username, password=PASSWORD, address=HOME, *, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {"username": username, "password": password}
        return client.post(f"{COMMON}/login", json=body, headers=headers, environ_base={"REMOTE_ADDR": address})

    return send


def statuses(log_in, username, count, address=HOME, **more):
    return [log_in(username, "wrong", address, **more).status_code for _ in range(count)]


def test_as_many_wrong_passwords_as_are_allowed_refuse_nobody_the_right_one(log_in, tenant):
    assert statuses(log_in, tenant.username, FEW - 1) == [401] * (FEW - 1)

    assert log_in(tenant.username).status_code == 200
    # Who knows the password has shown that the failures of this address were not guesses.
    assert statuses(log_in, tenant.username, FEW - 1) == [401] * (FEW - 1)


def test_by_default_twenty_two_wrong_passwords_of_a_neighbour_lock_nobody_out(counters):
    settings = ApiSettings(database_url="postgresql://nowhere/none")
    throttle = LoginThrottle(counters, settings.login_bounds)

    attempts = [throttle.begin(HOME, "root") for _ in range(23)]

    assert all(attempts)


def test_a_full_count_is_slow_and_never_shut(log_in, counters, tenant):
    guesses = statuses(log_in, tenant.username, FEW + 3)
    refused = log_in(tenant.username)

    # One more is checked at once, then one in each pause, however many are sent.
    assert guesses == [401] * (FEW + 1) + [429] * 2
    assert refused.status_code == 429
    assert refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= PAUSE
    counters.redis.delete(*counters.redis.keys("stratoplane:login:*:turn"))
    assert log_in(tenant.username).status_code == 200


def test_a_device_that_shows_a_token_of_the_user_is_not_held_back_by_its_neighbours(log_in, tenant, make_tenant):
    token = log_in(tenant.username, address=OFFICE).json["token"]
    other = log_in(make_tenant().username, address=OFFICE).json["token"]
    statuses(log_in, tenant.username, 3 * FEW)

    assert log_in(tenant.username, token=other).status_code == 429
    assert log_in(tenant.username, token=new_token(TokenPrefix.SESSION)).status_code == 429
    assert log_in(tenant.username, token="nonsense").status_code == 429
    assert log_in(tenant.username, token=token).status_code == 200
    # The token of a device gives no more guesses than an address has.
    statuses(log_in, tenant.username, FEW)
    assert set(statuses(log_in, tenant.username, 3 * FEW, token=token)[-2:]) == {429}


def test_a_token_that_was_ended_still_tells_the_device(log_in, tenant, app):
    token = log_in(tenant.username).json["token"]
    ended = app.test_client().post(f"{COMMON}/logout", headers={"Authorization": f"Bearer {token}"})
    statuses(log_in, tenant.username, 3 * FEW, OFFICE)

    assert ended.status_code == 204
    assert log_in(tenant.username, address=OFFICE, token=token).status_code == 200


def test_guesses_from_many_addresses_are_one_count_and_leave_the_users_own_address_alone(log_in, tenant):
    assert log_in(tenant.username, address=HOME).status_code == 200
    guesses = [log_in(tenant.username, "wrong", f"203.0.113.{number}").status_code for number in range(2 * FEW)]

    assert guesses == [401] * (FEW + 1) + [429] * (FEW - 1)
    assert log_in(tenant.username, address=HOME).status_code == 200


def test_one_address_tries_no_more_names_than_its_bound_and_leaves_its_own_users_alone(log_in, tenant):
    assert log_in(tenant.username, address=HOME).status_code == 200
    guesses = [log_in(f"user-{number}", "wrong").status_code for number in range(3 * FEW)]

    assert guesses == [401] * (2 * FEW + 1) + [429] * (FEW - 1)
    assert log_in(tenant.username, address=HOME).status_code == 200
    assert log_in(tenant.username, address=ELSEWHERE).status_code == 200


def test_a_network_of_ipv6_is_one_address(log_in, tenant):
    guesses = [log_in(tenant.username, "wrong", f"2001:db8::{number}").status_code for number in range(1, FEW + 3)]

    assert guesses[-1] == 429


def test_logging_in_to_an_account_of_ones_own_gives_no_more_guesses(log_in, make_tenant):
    mine, others = make_tenant(), [f"user-{number}" for number in range(4 * FEW)]
    got = []
    for other in others:
        got.append(log_in(other, "wrong").status_code)
        assert log_in(mine.username).status_code == 200

    assert got.count(401) <= 2 * FEW + 1


def test_a_refused_login_leaves_nothing_to_count(counters):
    throttle = LoginThrottle(counters, LoginBounds(attempts=FEW, address=FEW))
    for _ in range(5 * FEW):
        with contextlib.suppress(RateLimitedError):
            throttle.begin(HOME, uuid.uuid4().hex)

    # A flood of made-up names must not fill the memory: each count has an end, and there are no more than the bound.
    kept = [key for key in counters.redis.keys("stratoplane:login:*") if not key.endswith(b":turn")]
    assert len(kept) == 2 * (FEW + 1) + 1
    assert all(0 < counters.redis.ttl(key) <= WINDOW for key in kept)


def test_one_login_costs_one_round_trip_before_and_one_after(log_in, counters, tenant):
    def commands():
        return counters.redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

    log_in(tenant.username)
    before = commands()
    log_in(tenant.username, "wrong")
    after_wrong = commands()
    log_in(tenant.username)

    assert (after_wrong - before, commands() - after_wrong) == (1, 2)


def test_without_redis_every_login_is_checked(database, tenant):
    settings = ApiSettings(database_url=database.url, redis_url="redis://127.0.0.1:1/0", login_attempts=1)
    client = create_app(database, Plugins.load(()), settings).test_client()
    body = {"username": tenant.username, "password": PASSWORD}

    assert [client.post(f"{COMMON}/login", json=body).status_code for _ in range(3)] == [200] * 3
