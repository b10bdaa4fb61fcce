# SPDX-License-Identifier: Apache-2.0
"""Quotas under races: never above the limit, never a deadlock, never a difference to what is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import NoClusterError, QuotaExceededError
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

PEOPLE = 50


def at_once(work: Callable[[int], ChangeResult], error: type[Exception], times: int = PEOPLE) -> tuple[int, int]:
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
def test_fifty_creates_at_once_at_the_limit(tenant: "TenantWorld", whose: str) -> None:
    tenant.limit("vcpus", 20, scope_id=tenant.organization_id if whose == "organization" else tenant.project_id)

    assert at_once(lambda _: tenant.create("virtual_machine"), QuotaExceededError) == (20, 30)
    assert tenant.used()["vcpus"] == 20
    tenant.check_accounts()


def test_fifty_creates_of_two_projects_at_once_share_the_organizations_limit(tenant: "TenantWorld") -> None:
    tenant.limit("volumes", 20)
    tenants = [tenant, tenant.neighbour()]

    assert at_once(lambda at: tenants[at % 2].create("volume", size_gib=1), QuotaExceededError) == (20, 30)
    tenant.check_accounts()


def test_fifty_creates_at_once_that_a_cluster_has_no_room_for(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE cluster SET storage_gib_total = 40 WHERE id = :id", id=tenant.cluster_id)

    assert at_once(lambda _: tenant.create("volume", size_gib=2), NoClusterError) == (20, 30)
    tenant.check_accounts()


def test_growth_at_once_at_the_limit(tenant: "TenantWorld") -> None:
    volumes = [tenant.made("volume", size_gib=1) for _ in range(8)]
    tenant.limit("storage_gib", 8 + 4 * 3)

    assert at_once(lambda at: tenant.update(volumes[at], size_gib=4), QuotaExceededError, times=8) == (4, 4)
    assert tenant.used()["storage_gib"] == 20
    tenant.settle()
    tenant.check_accounts()


def test_creates_deletions_and_failures_at_once_with_several_workers(tenant: "TenantWorld") -> None:
    """Everything at once, until every worker found nothing to do: no error, no deadlock, and the books balance."""
    tenant.limit("volumes", 15)
    standing = [tenant.made("volume", size_gib=1) for _ in range(10)]

    def churn(number: int) -> None:
        made = None
        try:
            made = tenant.create("volume", size_gib=1 + number % 3)
        except QuotaExceededError:
            tenant.delete(standing[number % 10])
        if made and number % 2:
            tenant.delete(made)

    def serve(_: int) -> None:
        for _ in range(6):
            tenant.drain()
            tenant.agent.work(
                lambda each: tenant.agent.failed(each) if str(each.uid)[-1] in "01234" else tenant.agent.done(each)
            )

    with ThreadPoolExecutor(10) as pool:
        tasks: list[Any] = [pool.submit(churn, number) for number in range(30)]
        tasks += [pool.submit(serve, number) for number in range(4)]
    errors = [task.exception() for task in tasks if task.exception()]
    assert [error for error in errors if "was deleted at" not in str(error)] == []
    tenant.settle()
    tenant.check_accounts()


def test_what_is_given_back_can_be_taken_at_once(tenant: "TenantWorld") -> None:
    tenant.limit("networks", 1)
    for _ in range(3):
        network = tenant.made("network", cidr="10.1.0.0/24")
        with pytest.raises(QuotaExceededError):
            tenant.create("network", cidr="10.2.0.0/24")
        tenant.delete(network)
        with pytest.raises(QuotaExceededError):
            tenant.create("network", cidr="10.2.0.0/24")
        tenant.settle()
    tenant.check_accounts()


def test_a_limit_below_what_is_used_refuses_more_and_takes_nothing_away(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=5)
    tenant.limit("storage_gib", 3)

    with pytest.raises(QuotaExceededError):
        tenant.create("volume", size_gib=1)
    tenant.update(volume, name="other")
    tenant.delete(volume)
    tenant.settle()
    assert tenant.used() == {}
