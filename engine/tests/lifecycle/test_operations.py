# SPDX-License-Identifier: Apache-2.0
"""Offer, acknowledgement, result: one driver call on its way to an agent and back."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from stratoplane.messages import AcknowledgementAnswer, Operation, Outcome, ResultsAnswer
from stratoplane_engine.db import operations as rows
from stratoplane_engine.jobs.queue import WorkerNotifier
from stratoplane_engine.jobs.sweeper import sweep

if TYPE_CHECKING:
    from engine.tests.lifecycle.fake_agent import FakeAgent
    from engine.tests.lifecycle.tenant_world import TenantWorld


@pytest.fixture
def operation(tenant: "TenantWorld") -> Iterator[Operation]:
    """The offered create of a volume."""
    tenant.create("volume", size_gib=1, cluster=tenant.cluster)
    tenant.drain()
    (offered,) = tenant.agent.offers()
    yield offered
    tenant.check_accounts()


def state(tenant: "TenantWorld", operation: Operation) -> tuple[str, int]:
    (row,) = tenant.rows("SELECT state, epoch FROM operation WHERE id = :id", id=operation.id)
    return row["state"], row["epoch"]


def job_state(tenant: "TenantWorld", operation: Operation) -> str:
    tenant.drain()
    (row,) = tenant.rows(
        "SELECT j.state FROM job j JOIN operation o ON o.job_id = j.id WHERE o.id = :id", id=operation.id
    )
    return str(row["state"])


def test_an_offer_names_everything_that_the_driver_needs(tenant: "TenantWorld", operation: Operation) -> None:
    (resource,) = tenant.rows("SELECT id, name FROM resource WHERE organization_id = :id", id=tenant.organization_id)
    assert (operation.kind, operation.verb, operation.uid) == ("volume", "create", resource["id"])
    assert operation.spec == {
        "uid": str(resource["id"]),
        "project_id": str(tenant.project_id),
        "name": resource["name"],
        "size_gib": 1,
        "image": None,
    }
    assert (operation.epoch, operation.observe_first, operation.timeout_seconds) == (1, False, 600.0)
    assert state(tenant, operation) == ("OFFERED", 1)


def test_what_was_offered_is_not_offered_again_at_once(tenant: "TenantWorld", operation: Operation) -> None:
    assert tenant.agent.offers() == ()


def test_an_offer_that_nobody_acknowledged_is_made_again_with_a_higher_epoch(
    tenant: "TenantWorld", operation: Operation
) -> None:
    tenant.take_back_offers()
    (again,) = tenant.agent.offers()

    assert again == replace(operation, epoch=2)
    assert tenant.agent.acknowledge(operation) == AcknowledgementAnswer(refused=(operation.id,))
    assert tenant.agent.report(tenant.agent.done(operation)) == ResultsAnswer(stale=(operation.id,))
    assert tenant.agent.acknowledge(again) == AcknowledgementAnswer(accepted=(operation.id,))
    assert job_state(tenant, operation) == "RUNNING"
    assert tenant.agent.report(tenant.agent.done(again)) == ResultsAnswer(accepted=(operation.id,))
    assert job_state(tenant, operation) == "SUCCEEDED"


def test_what_was_acknowledged_is_not_offered_again(tenant: "TenantWorld", operation: Operation) -> None:
    tenant.agent.acknowledge(operation)
    tenant.take_back_offers()
    assert tenant.agent.offers() == ()
    assert state(tenant, operation) == ("RUNNING", 1)


def test_acknowledgements_and_results_may_come_twice(tenant: "TenantWorld", operation: Operation) -> None:
    for _ in range(2):
        assert tenant.agent.acknowledge(operation).accepted == (operation.id,)
    for _ in range(2):
        assert tenant.agent.report(tenant.agent.done(operation)) == ResultsAnswer(accepted=(operation.id,))
    assert tenant.agent.report(tenant.agent.failed(operation)).accepted == (operation.id,)

    assert job_state(tenant, operation) == "SUCCEEDED"
    assert tenant.agent.report(tenant.agent.done(operation)).accepted == (operation.id,)
    assert tenant.agent.acknowledge(operation).refused == (operation.id,)


def test_a_result_twice_in_one_report_counts_once(tenant: "TenantWorld", operation: Operation) -> None:
    assert tenant.agent.report(tenant.agent.done(operation), tenant.agent.done(operation)).accepted == (operation.id,)
    assert job_state(tenant, operation) == "SUCCEEDED"


def test_a_result_without_an_acknowledgement_counts(tenant: "TenantWorld", operation: Operation) -> None:
    assert tenant.agent.report(tenant.agent.done(operation)).accepted == (operation.id,)


def test_an_epoch_that_never_was_is_stale(tenant: "TenantWorld", operation: Operation) -> None:
    future = replace(operation, epoch=7)
    assert tenant.agent.acknowledge(future).refused == (operation.id,)
    assert tenant.agent.report(tenant.agent.done(future)).stale == (operation.id,)


def test_an_operation_that_nobody_knows_is_stale(tenant: "TenantWorld", operation: Operation) -> None:
    unknown = replace(operation, id=uuid4())
    assert tenant.agent.acknowledge(unknown).refused == (unknown.id,)
    assert tenant.agent.report(tenant.agent.done(unknown)).stale == (unknown.id,)


def test_the_agent_of_another_cluster_cannot_touch_it(
    tenant: "TenantWorld", other_tenant: "TenantWorld", operation: Operation
) -> None:
    stranger: FakeAgent = other_tenant.agent
    assert stranger.acknowledge(operation).refused == (operation.id,)
    assert stranger.report(stranger.done(operation)).stale == (operation.id,)
    tenant.take_back_offers()
    assert stranger.offers() == ()
    assert state(tenant, operation) == ("OFFERED", 1)


def test_offers_come_oldest_first_and_as_many_as_were_asked_for(tenant: "TenantWorld") -> None:
    made = [str(tenant.create("volume", size_gib=1).resource.id) for _ in range(5)]
    tenant.drain()
    first, rest = tenant.agent.offers(2), tenant.agent.offers()

    assert [str(each.uid) for each in (*first, *rest)] == made
    assert (len(first), len(rest)) == (2, 3)


def test_two_agents_at_once_are_never_offered_the_same(tenant: "TenantWorld") -> None:
    for _ in range(20):
        tenant.create("volume", size_gib=1)
    tenant.drain()
    hands = [tenant.agent, tenant.hand_of(tenant.cluster_id)]
    with ThreadPoolExecutor(4) as pool:
        offers = list(pool.map(lambda at: hands[at % 2].offers(4), range(8)))

    taken = [each.id for offer in offers for each in offer]
    assert len(taken) == len(set(taken)) == 20


def let_time_pass(tenant: "TenantWorld", operation: Operation) -> None:
    past = "UPDATE operation SET deadline_at = clock_timestamp() - interval '1 second' WHERE id = :id"
    tenant.execute(past, id=operation.id)


@pytest.mark.parametrize("outcome", ["unreachable", "uncertain"])
def test_an_operation_out_of_time_is_taken_back_and_tried_again(
    tenant: "TenantWorld", operation: Operation, valkey_url: str, outcome: str
) -> None:
    """Without an acknowledgement nothing can have happened; after one, the agent must look before it acts."""
    if outcome == "uncertain":
        tenant.agent.acknowledge(operation)
    let_time_pass(tenant, operation)
    assert sweep(tenant.database, WorkerNotifier(valkey_url)).abandoned == 1

    assert state(tenant, operation) == ("ABANDONED", 2)
    assert tenant.agent.report(tenant.agent.done(operation)).stale == (operation.id,)
    assert job_state(tenant, operation) == "RETRYING"
    errors = tenant.rows("SELECT error FROM job_step WHERE organization_id = :id AND name = 'provision'",
        id=tenant.organization_id)  # fmt: skip
    assert [row["error"]["code"] for row in errors] == [outcome]
    tenant.hurry()
    tenant.drain()
    (again,) = tenant.agent.offers()
    assert again.observe_first is (outcome == "uncertain")


@pytest.mark.parametrize("wish", [1e9, math.inf, -math.inf, math.nan, -1e9, 3599.0])
def test_whatever_an_agent_asks_a_job_is_looked_at_by_its_deadline(
    tenant: "TenantWorld", operation: Operation, wish: float
) -> None:
    tenant.execute("UPDATE job SET deadline_at = clock_timestamp() + interval '30 minutes'")
    result = tenant.agent.failed(operation, Outcome.TRANSIENT, code="unreachable")

    tenant.agent.report(replace(result, retry_after=wish))

    assert job_state(tenant, operation) == "RETRYING"
    (row,) = tenant.rows(
        "SELECT next_run_at <= deadline_at AS ok FROM job WHERE organization_id = :id", id=tenant.organization_id
    )
    assert row["ok"]


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (60, "it is sent nothing until 20"),
        (-60, "one operation at a time"),
        (None, "was offered the operation and did not acknowledge"),
    ],
)
def test_what_was_not_taken_says_the_true_reason(
    tenant: "TenantWorld", operation: Operation, valkey_url: str, circuit: int | None, words: str
) -> None:
    if circuit:
        tenant.execute(
            "INSERT INTO circuit (cluster_id, budget, trips, open_until)"
            " VALUES (:id, 0, 1, clock_timestamp() + make_interval(secs => :seconds))",
            id=tenant.cluster_id,
            seconds=circuit,
        )
    tenant.execute("UPDATE cluster SET seen_at = clock_timestamp() WHERE id = :id", id=tenant.cluster_id)
    let_time_pass(tenant, operation)
    sweep(tenant.database, WorkerNotifier(valkey_url))
    (row,) = tenant.rows("SELECT result FROM operation WHERE id = :id", id=operation.id)
    assert words in row["result"]["detail"]


def test_the_offer_gives_the_agent_the_time_that_it_has_to_acknowledge(
    tenant: "TenantWorld", operation: Operation
) -> None:
    (row,) = tenant.rows(
        "SELECT offered_until - clock_timestamp() AS left FROM operation WHERE id = :id", id=operation.id
    )
    assert 0 < row["left"].total_seconds() <= rows.ACKNOWLEDGE_SECONDS


def test_what_a_cluster_reports_wakes_the_workers(tenant: "TenantWorld", operation: Operation) -> None:
    tenant.execute("DELETE FROM outbox")
    tenant.agent.report(tenant.agent.failed(operation, Outcome.TRANSIENT))

    (row,) = tenant.rows("SELECT payload FROM outbox")
    (job,) = tenant.rows("SELECT job_id FROM operation WHERE id = :id", id=operation.id)
    assert row["payload"] == {"job_id": str(job["job_id"])}
    tenant.agent.report(tenant.agent.failed(operation, Outcome.TRANSIENT))
    assert len(tenant.rows("SELECT FROM outbox")) == 1


def test_an_empty_report_is_answered_empty(tenant: "TenantWorld") -> None:
    assert tenant.agent.report() == ResultsAnswer()
    assert tenant.agent.acknowledge() == AcknowledgementAnswer()
