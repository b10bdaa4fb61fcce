# SPDX-License-Identifier: Apache-2.0
"""Organizations take turns, for workers and for agents; a cluster in trouble delays only its own work."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from engine.tests.conftest import copy_of
from stratoplane.ids import new_id
from stratoplane.messages import OfferRequest, OperationReference, Outcome
from stratoplane.quota import UNLIMITED
from stratoplane_engine.db import claims
from stratoplane_engine.db.connection import Database
from stratoplane_engine.jobs.queue import WorkerNotifier
from stratoplane_engine.jobs.sweeper import sweep
from stratoplane_engine.services import agents

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

_MANY = 400


@pytest.fixture(scope="module")
def crowd(
    postgresql_server: str, database_template: str, build_tenant: "Callable[[Database], TenantWorld]"
) -> "Iterator[TenantWorld]":
    """A tenant that has many volumes waiting to be made, in a database that is only copied."""
    with copy_of(postgresql_server, database_template) as url:
        database = Database(url, application="tests")
        made = build_tenant(database)
        made.limit("volumes", UNLIMITED)
        made.limit("storage_gib", UNLIMITED)
        for _ in range(_MANY):
            made.create("volume", size_gib=1)
        database.close()
        yield made


@pytest.fixture
def crowded(crowd: "TenantWorld", postgresql_server: str) -> "Iterator[TenantWorld]":
    """That tenant, in a database of the test's own."""
    with copy_of(postgresql_server, urlsplit(crowd.database.url).path.strip("/")) as url:
        database = Database(url, application="tests")
        yield replace(crowd, database=database, agent=replace(crowd.agent, database=database))
        database.close()


@pytest.fixture
def newcomer(crowded: "TenantWorld", build_tenant: object) -> "TenantWorld":
    """Another tenant on the same cluster, with one volume waiting."""
    other: TenantWorld = build_tenant(crowded.database)  # type: ignore[operator]  # a factory of tenants
    crowded.execute("DELETE FROM cluster WHERE id = :id", id=other.cluster_id)
    other.cluster, other.cluster_id, other.agent = crowded.cluster, crowded.cluster_id, crowded.agent
    other.create("volume", size_gib=1)
    return other


def claim(tenant: "TenantWorld", limit: int, start: UUID | None = None) -> Counter[UUID]:
    with tenant.database.system() as connection:
        claimed = claims.claim(connection, owner="somebody", limit=limit, start=start or new_id())
    return Counter(each.organization_id for each in claimed)


def test_many_waiting_jobs_of_one_tenant_do_not_delay_anothers(crowded: "TenantWorld", newcomer: "TenantWorld") -> None:
    assert claim(crowded, 10) == {crowded.organization_id: 5, newcomer.organization_id: 1}


@pytest.mark.parametrize("start", [UUID(int=0), UUID(int=2**128 - 1)])
def test_turns_begin_anywhere(crowded: "TenantWorld", newcomer: "TenantWorld", start: UUID) -> None:
    assert claim(crowded, 10, start)[newcomer.organization_id] == 1


def test_everything_is_moved_however_many_have_something_waiting(
    crowded: "TenantWorld", newcomer: "TenantWorld"
) -> None:
    assert crowded.drain() == _MANY + 1


def test_many_open_operations_of_one_tenant_do_not_delay_anothers(
    crowded: "TenantWorld", newcomer: "TenantWorld"
) -> None:
    crowded.drain()
    offered = {operation.id for operation in crowded.agent.offers(10)}
    owners = crowded.rows("SELECT organization_id FROM operation WHERE id = ANY(:ids)", ids=list(offered))
    assert Counter(row["organization_id"] for row in owners) == {
        crowded.organization_id: 5,
        newcomer.organization_id: 1,
    }


def test_what_has_priority_goes_first_within_a_tenant(crowded: "TenantWorld") -> None:
    urgent = crowded.create("volume", size_gib=1)
    crowded.execute("UPDATE job SET priority = 5 WHERE resource_id = :id", id=urgent.resource.id)

    with crowded.database.system() as connection:
        (first,) = claims.claim(connection, owner="somebody", limit=1, start=new_id())
    assert first.id == crowded.job_id(urgent)


def fail(tenant: "TenantWorld", times: int) -> None:
    """Let the provider fail so often, each time at an operation of its own."""
    for operation in tenant.agent.offers(times):
        tenant.agent.acknowledge(operation)
        tenant.agent.report(tenant.agent.failed(operation, Outcome.TRANSIENT))


def let_time_pass(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE circuit SET open_until = clock_timestamp() - interval '1 second'")


def test_a_provider_that_keeps_failing_is_left_alone_and_then_probed(crowded: "TenantWorld") -> None:
    crowded.drain()
    fail(crowded, 30)
    assert crowded.agent.offers(10) == ()

    let_time_pass(crowded)
    (probe,) = crowded.agent.offers(10)
    assert crowded.agent.offers(10) == ()
    crowded.agent.acknowledge(probe)
    crowded.agent.report(crowded.agent.failed(probe, Outcome.TRANSIENT))
    assert crowded.agent.offers(10) == ()
    ((longer,),) = [tuple(row.values()) for row in crowded.rows("SELECT trips::int FROM circuit")]
    assert longer == 2
    assert [row["kind"] for row in crowded.rows("SELECT kind FROM incident")] == ["repeated-failures"]

    let_time_pass(crowded)
    (probe,) = crowded.agent.offers(10)
    crowded.agent.acknowledge(probe)
    crowded.agent.report(crowded.agent.done(probe))
    assert len(crowded.agent.offers(10)) == 10
    assert crowded.rows("SELECT status FROM incident") == [{"status": "RESOLVED"}]


def test_a_circuit_is_opened_by_no_more_failures_than_its_budget(crowded: "TenantWorld") -> None:
    """Twenty calls that would be repeated, and the provider is left alone: the amplification has a bound."""
    crowded.drain()
    sent = 0
    while offered := crowded.agent.offers(1):
        crowded.agent.acknowledge(*offered)
        crowded.agent.report(crowded.agent.failed(offered[0], Outcome.TRANSIENT))
        sent += 1
    assert sent == 20


def test_a_trial_that_the_provider_has_accepted_closes_the_circuit(crowded: "TenantWorld") -> None:
    crowded.drain()
    while offered := crowded.agent.offers(1):
        crowded.agent.acknowledge(*offered)
        crowded.agent.report(crowded.agent.failed(offered[0], Outcome.TRANSIENT))
    crowded.execute("UPDATE circuit SET open_until = clock_timestamp() - interval '1 second'")
    (trial,) = crowded.agent.offers()
    crowded.agent.acknowledge(trial)
    assert crowded.agent.offers() == ()

    waiting = (OperationReference(id=trial.id, epoch=trial.epoch),)
    request = OfferRequest(maximum=5, wait_seconds=0, waiting=waiting)
    assert len(agents.take_offers(crowded.database, crowded.agent.identity, request).operations) == 5
    assert crowded.rows("SELECT trips FROM circuit WHERE cluster_id = :id", id=crowded.cluster_id) == [{"trips": 0}]


def test_now_and_then_a_failure_opens_nothing(crowded: "TenantWorld") -> None:
    crowded.drain()
    for at, operation in enumerate(crowded.agent.offers(200)):
        crowded.agent.acknowledge(operation)
        hurts = at % 6 == 0
        crowded.agent.report(
            crowded.agent.failed(operation, Outcome.TRANSIENT) if hurts else crowded.agent.done(operation)
        )
    assert crowded.rows("SELECT trips::int FROM circuit") == [{"trips": 0}]


def test_a_cluster_in_trouble_delays_no_other(crowded: "TenantWorld") -> None:
    other_id, other = crowded.add_cluster()
    crowded.create("volume", size_gib=1, cluster=other)
    crowded.drain()
    fail(crowded, 30)

    assert crowded.agent.offers(10) == ()
    assert len(crowded.hand_of(other_id).offers(10)) == 1


def test_the_sweeper_tells_agents_when_a_probe_may_go(crowded: "TenantWorld", valkey_url: str) -> None:
    crowded.drain()
    fail(crowded, 30)
    let_time_pass(crowded)
    with psycopg.connect(crowded.database.url, autocommit=True) as listener:
        listener.execute("LISTEN stratoplane_operation")
        sweep(crowded.database, WorkerNotifier(valkey_url))
        told = [notice.payload for notice in listener.notifies(timeout=60, stop_after=1)]
    assert told == [str(crowded.cluster_id)]
