# SPDX-License-Identifier: Apache-2.0
"""Quotas under races: never above the limit, never a deadlock, never a difference to what is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import NoClusterError, QuotaExceededError
from stratoplane_engine.model.change import Accepted

if TYPE_CHECKING:
    from conftest import Site

PEOPLE = 50


def at_once(work: Callable[[int], Accepted], error: type[Exception], times: int = PEOPLE) -> tuple[int, int]:
    """Do ``work`` many times at once; return how often it was accepted and how often refused with ``error``."""

    def attempt(number: int) -> bool:
        try:
            work(number)
        except error:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(attempt, range(times)))
    return answers.count(True), answers.count(False)


@pytest.mark.parametrize("whose", ["organization", "project"])
def test_fifty_creates_at_once_at_the_limit(site: "Site", whose: str) -> None:
    site.limit("vcpus", 20, scope_id=site.organization_id if whose == "organization" else site.project_id)

    assert at_once(lambda _: site.create("virtual_machine"), QuotaExceededError) == (20, 30)
    assert site.used()["vcpus"] == 20
    site.check_accounts()


def test_fifty_creates_of_two_projects_at_once_share_the_organizations_limit(site: "Site") -> None:
    site.limit("volumes", 20)
    sites = [site, site.neighbour()]

    assert at_once(lambda at: sites[at % 2].create("volume", size_gib=1), QuotaExceededError) == (20, 30)
    site.check_accounts()


def test_fifty_creates_at_once_that_a_cluster_has_no_room_for(site: "Site") -> None:
    site.execute("UPDATE cluster SET storage_gib_total = 40 WHERE id = :id", id=site.cluster_id)

    assert at_once(lambda _: site.create("volume", size_gib=2), NoClusterError) == (20, 30)
    site.check_accounts()


def test_growth_at_once_at_the_limit(site: "Site") -> None:
    volumes = [site.made("volume", size_gib=1) for _ in range(8)]
    site.limit("storage_gib", 8 + 4 * 3)

    assert at_once(lambda at: site.update(volumes[at], size_gib=4), QuotaExceededError, times=8) == (4, 4)
    assert site.used()["storage_gib"] == 20
    site.settle()
    site.check_accounts()


def test_creates_deletions_and_failures_at_once_with_several_workers(site: "Site") -> None:
    """Everything at once, until every worker found nothing to do: no error, no deadlock, and the books balance."""
    site.limit("volumes", 15)
    standing = [site.made("volume", size_gib=1) for _ in range(10)]

    def churn(number: int) -> None:
        made = None
        try:
            made = site.create("volume", size_gib=1 + number % 3)
        except QuotaExceededError:
            site.delete(standing[number % 10])
        if made and number % 2:
            site.delete(made)

    def serve(_: int) -> None:
        for _ in range(6):
            site.drain()
            site.hand.work(
                lambda each: site.hand.failed(each) if str(each.uid)[-1] in "01234" else site.hand.done(each)
            )

    with ThreadPoolExecutor(10) as pool:
        tasks: list[Any] = [pool.submit(churn, number) for number in range(30)]
        tasks += [pool.submit(serve, number) for number in range(4)]
    errors = [task.exception() for task in tasks if task.exception()]
    assert [error for error in errors if "was deleted at" not in str(error)] == []
    site.settle()
    site.check_accounts()


def test_what_is_given_back_can_be_taken_at_once(site: "Site") -> None:
    site.limit("networks", 1)
    for _ in range(3):
        network = site.made("network", cidr="10.1.0.0/24")
        with pytest.raises(QuotaExceededError):
            site.create("network", cidr="10.2.0.0/24")
        site.delete(network)
        with pytest.raises(QuotaExceededError):
            site.create("network", cidr="10.2.0.0/24")
        site.settle()
    site.check_accounts()


def test_a_limit_below_what_is_used_refuses_more_and_takes_nothing_away(site: "Site") -> None:
    volume = site.made("volume", size_gib=5)
    site.limit("storage_gib", 3)

    with pytest.raises(QuotaExceededError):
        site.create("volume", size_gib=1)
    site.update(volume, name="other")
    site.delete(volume)
    site.settle()
    assert site.used() == {}
