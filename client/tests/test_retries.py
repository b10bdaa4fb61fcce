# SPDX-License-Identifier: Apache-2.0
"""Calls that fail on the way are made again where that is safe, and have one effect."""

import pytest

from client.tests.contract_server import Contract, Fault
from client.tests.contract_server.fixtures import Connect
from stratoplane_client import (
    ApiError,
    Client,
    ConnectionFailedError,
    NameTakenError,
    RateLimitedError,
    RetryPolicy,
    UnavailableError,
)
from stratoplane_client.errors import api_error

BUSY = Fault(status=503, document={"code": "service_unavailable", "detail": "later"}, headers={"Retry-After": "2"})


def test_a_change_whose_answer_was_lost_is_repeated_with_the_same_key_and_happens_once(
    contract: Contract, client: Client, project: str
) -> None:
    contract.faults.append(Fault(cut="after"))

    change = client.networks(project).create(name="front", cidr="10.0.0.0/24")

    first, second = contract.sent("POST", "/networks")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["x-request-id"] == second.headers["x-request-id"]
    assert change.replayed
    assert [each.name for each in client.networks(project).list()] == ["front"]


def test_every_change_has_a_key_of_its_own_and_a_given_key_is_kept(
    contract: Contract, client: Client, project: str
) -> None:
    networks = client.networks(project)
    networks.create(name="a", cidr="10.0.0.0/24")
    networks.create(name="b", cidr="10.0.1.0/24")
    networks.create(name="c", cidr="10.0.2.0/24", idempotency_key="mine")

    keys = [each.headers["idempotency-key"] for each in contract.sent("POST", "/networks")]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_reading_needs_no_key(contract: Contract, client: Client, project: str) -> None:
    list(client.networks(project).list())

    assert "idempotency-key" not in contract.sent("GET", "/networks")[0].headers


def test_a_server_that_is_away_for_a_while_is_asked_again_after_what_it_says(
    contract: Contract, client: Client, pauses: list[float]
) -> None:
    contract.faults.extend([BUSY, BUSY])

    assert client.version().version == "0.1.0"
    assert len(pauses) == 2
    assert 2 <= pauses[0] <= 2.2
    assert 2 <= pauses[1] <= 2.4


def test_a_server_that_stays_away_is_told_of_in_the_end(
    contract: Contract, client: Client, pauses: list[float]
) -> None:
    contract.faults.extend([BUSY] * 7)

    with pytest.raises(UnavailableError, match="later") as caught:
        client.version()
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "service_unavailable", 2)
    assert len(pauses) == 6
    assert not contract.faults


def test_a_longer_pause_than_the_budget_is_not_made(contract: Contract, connect: Connect, pauses: list[float]) -> None:
    client = connect(retries=RetryPolicy(budget=5))
    contract.faults.append(Fault(status=429, document={"code": "rate_limited"}, headers={"Retry-After": "60"}))

    with pytest.raises(RateLimitedError) as caught:
        client.version()
    assert caught.value.retry_after == 60
    assert pauses == []


def test_no_room_is_an_answer_and_not_asked_again(
    contract: Contract, client: Client, project: str, pauses: list[float]
) -> None:
    contract.faults.append(
        Fault(status=503, document={"code": "no_cluster_available", "detail": "full"}, headers={"Retry-After": "2"})
    )

    with pytest.raises(UnavailableError, match="full"):
        client.networks(project).create(name="front", cidr="10.0.0.0/24")
    assert pauses == []


def test_what_the_server_cannot_replay_is_not_sent_twice(
    contract: Contract, client: Client, pauses: list[float]
) -> None:
    contract.faults.append(Fault(cut="after"))

    with pytest.raises(ConnectionFailedError) as caught:
        client.projects.create(name="shop")
    assert caught.value.sent
    assert len(contract.sent("POST", "/projects")) == 1
    assert [each.name for each in client.projects.list()] == ["web", "shop"]


def test_a_password_is_not_sent_twice(contract: Contract, connect: Connect) -> None:
    client = connect(None)
    contract.faults.append(Fault(cut="before"))

    with pytest.raises(ConnectionFailedError):
        client.login("alice", "a long pass phrase")
    assert len(contract.sent("POST")) == 1


def test_too_many_requests_are_repeated_whatever_they_are(contract: Contract, client: Client) -> None:
    contract.faults.append(Fault(status=429, document={"code": "rate_limited"}, headers={"Retry-After": "1"}))

    assert client.projects.create(name="shop").name == "shop"


def test_an_ordinary_refusal_is_told_at_once(client: Client, project: str, pauses: list[float]) -> None:
    client.networks(project).create(name="front", cidr="10.0.0.0/24")

    with pytest.raises(NameTakenError):
        client.networks(project).create(name="front", cidr="10.0.1.0/24")
    assert pauses == []


@pytest.mark.parametrize("attempt", range(1, 12))
def test_pauses_grow_to_their_cap_and_are_spread(attempt: int) -> None:
    policy = RetryPolicy(attempts=100, base=0.1, cap=3.0, budget=1000)
    failure = ConnectionFailedError("gone", sent=True)

    pauses = [policy.pause(attempt, failure, repeatable=True, spent=0) for _ in range(300)]
    found = [pause for pause in pauses if pause is not None]
    assert len(found) == len(pauses)

    longest = min(3.0, 0.1 * 2 ** (attempt - 1))
    assert 0 <= min(found) < 0.3 * longest
    assert 0.7 * longest < max(found) <= longest


def test_a_connection_that_was_never_made_is_tried_again_even_without_a_key() -> None:
    failure = ConnectionFailedError("refused", sent=False)

    assert RetryPolicy().pause(1, failure, repeatable=False, spent=0) is not None
    assert RetryPolicy().pause(7, failure, repeatable=False, spent=0) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 422, 500])
def test_other_statuses_are_final(status: int) -> None:
    failure = api_error(status, {})

    assert isinstance(failure, ApiError)
    assert RetryPolicy().pause(1, failure, repeatable=True, spent=0) is None
