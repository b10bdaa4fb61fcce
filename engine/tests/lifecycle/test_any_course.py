# SPDX-License-Identifier: Apache-2.0
"""Whatever tenants ask, agents answer and workers do, in any order: the books balance and no state is skipped."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.tests.lifecycle.transitions import Transition, check_transitions, forget_transitions, note_transitions
from stratoplane.errors import StratoplaneError, UnavailableError
from stratoplane.ids import new_id
from stratoplane.messages import Operation, OperationResult, Outcome
from stratoplane_engine.db import claims
from stratoplane_engine.db.connection import Database
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.persist import persist_updates
from stratoplane_engine.jobs.queue import WorkerNotifier
from stratoplane_engine.jobs.runner import JobUpdate, advance
from stratoplane_engine.jobs.sweeper import sweep
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services import job_control

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

LIMITS = {"volumes": 4, "storage_gib": 60, "virtual_machines": 3, "networks": 3, "vcpus": 6}
OUTCOMES = st.sampled_from(["done", "done", "done", "transient", "uncertain", "permanent", "silence"])
NUMBERS = st.integers(0, 4)
KINDS = st.sampled_from(["volume", "network", "virtual_machine", "virtual_machine"])


class Course(RuleBasedStateMachine):
    """One tenant with small limits, one cluster, one agent, and workers of which some stall."""

    make_tenant: "Callable[[], TenantWorld]"
    notifier: WorkerNotifier
    seen: ClassVar[set[Transition]]

    @initialize()
    def begin(self) -> None:
        self.tenant = self.make_tenant()
        forget_transitions(self.tenant.database)
        self.made: dict[str, list[ChangeResult]] = {"volume": [], "network": [], "virtual_machine": []}
        self.stalled: list[JobUpdate] = []
        self.tenant.add_flavor("large", 4, 4096, 10)
        for key, limit in LIMITS.items():
            self.tenant.limit(key, limit)

    @rule(kind=KINDS, number=NUMBERS)
    def create(self, kind: str, number: int) -> None:
        bodies: dict[str, dict[str, Any]] = {
            "volume": {"size_gib": 1 + number},
            "network": {"cidr": f"10.{number}.0.0/16"},
            "virtual_machine": {"volume_ids": self.ids("volume", number), "network_ids": self.ids("network", 1)},
        }
        with refusals():
            self.made[kind].append(self.tenant.create(kind, **bodies[kind]))

    def ids(self, kind: str, most: int) -> list[UUID]:
        return [made.resource.id for made in self.made[kind]][-most:] if most else []

    def one(self, kind: str, number: int) -> list[ChangeResult]:
        return self.made[kind][number % len(self.made[kind]) :][:1] if self.made[kind] else []

    @rule(kind=KINDS, which=NUMBERS, number=NUMBERS)
    def change(self, kind: str, which: int, number: int) -> None:
        patches: list[dict[str, Any]] = [
            {"power": "STOPPED"},
            {"power": "RUNNING"},
            {"flavor": self.tenant.flavor},
            {"flavor": f"large-{self.tenant.flavor}", "name": f"large-{which}"},
            {"volume_ids": self.ids("volume", which % 3)},
        ]
        for made in self.one(kind, which):
            others: dict[str, dict[str, Any]] = {"volume": {"size_gib": 2 + number}, "network": {"name": f"n-{number}"}}
            patch = others.get(kind, patches[number])
            with refusals():
                self.tenant.update(made, **patch)

    @rule(kind=KINDS, which=NUMBERS)
    def delete(self, kind: str, which: int) -> None:
        for made in self.one(kind, which):
            with refusals():
                self.tenant.delete(made)

    @rule(which=NUMBERS, action=st.sampled_from(["reboot", "read_console"]))
    def act(self, which: int, action: str) -> None:
        for made in self.one("virtual_machine", which):
            with refusals():
                self.tenant.act(made, action)

    @rule(number=st.integers(0, 50), what=st.sampled_from(["cancel", "cancel", "retry", "resolve"]))
    def control(self, number: int, what: str) -> None:
        """Somebody stops, repeats or ends a job, which may be at any point or over."""
        known = self.tenant.rows("SELECT id FROM job WHERE project_id = :id ORDER BY id", id=self.tenant.project_id)
        for row in known[number % len(known) :][:1] if known else []:
            with refusals():
                self.interfere(what, row["id"])

    def interfere(self, what: str, job_id: UUID) -> None:
        database, context, project_id = self.tenant.database, self.tenant.context(), self.tenant.project_id
        if what == "cancel":
            job_control.cancel(database, context, project_id, job_id)
        elif what == "retry":
            job_control.retry(database, self.tenant.plugins, context, project_id, job_id)
        else:
            job_control.resolve(database, self.tenant.operator(), job_id, note="no reason")

    @rule()
    def work(self) -> None:
        self.tenant.drain()

    @rule()
    def come_to_rest(self) -> None:
        """Agents that went silent are given up, and all that can be done is done."""
        self.tenant.execute("UPDATE operation SET deadline_at = clock_timestamp() - interval '1 second'")
        sweep(self.tenant.database, self.notifier)
        self.tenant.settle()

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=4))
    def answer(self, outcomes: list[str]) -> None:
        left = iter(outcomes * 50)

        def behave(operation: Operation) -> OperationResult | None:
            outcome = next(left)
            if outcome == "silence":
                return None
            if outcome == "done":
                return self.tenant.agent.done(operation)
            return self.tenant.agent.failed(operation, Outcome(outcome), code=outcome)

        self.tenant.agent.work(behave)

    @rule()
    def stall(self) -> None:
        """A worker claims, moves, and sleeps longer than its lease."""
        with self.tenant.database.system() as connection:
            claimed = claims.claim(connection, owner="sleeper", limit=2, start=new_id())
        self.stalled += [advance(read_claim(claim, BUILTIN_KINDS), random.Random(1)) for claim in claimed]
        over = "UPDATE job SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_owner = 'sleeper'"
        self.tenant.execute(over)

    @rule()
    def wake_up(self) -> None:
        """The sleepers persist; it counts only where nobody has claimed the job again."""
        for update in self.stalled:
            (row,) = self.tenant.rows("SELECT epoch FROM job WHERE id = :id", id=update.job.id)
            with self.tenant.database.system() as connection:
                current = persist_updates(connection, [update])
            assert (update.job.id in current) == (row["epoch"] == update.job.epoch)
        self.stalled = []

    @rule(what=st.sampled_from(["operation", "job"]))
    def let_time_pass(self, what: str) -> None:
        self.tenant.hurry()
        if what == "operation":
            self.tenant.execute("UPDATE operation SET deadline_at = clock_timestamp() - interval '1 second'")
        else:
            self.tenant.execute("UPDATE job SET deadline_at = clock_timestamp() - interval '1 second'")
        sweep(self.tenant.database, self.notifier)
        reconcile(self.tenant.database)

    @invariant()
    def no_state_is_skipped(self) -> None:
        self.seen.update(check_transitions(self.tenant.database))

    @invariant()
    def books_balance(self) -> None:
        self.tenant.check_accounts()

    @invariant()
    def one_job_of_a_resource_is_at_work_at_a_time(self) -> None:
        crowded = self.tenant.rows(
            "SELECT j.resource_id FROM operation o JOIN job j ON j.id = o.job_id"
            " WHERE o.state IN ('QUEUED', 'OFFERED', 'RUNNING') GROUP BY 1 HAVING count(*) > 1"
        )
        assert crowded == []

    def teardown(self) -> None:
        self.come_to_rest()
        live = "SELECT kind, state FROM job WHERE state IN ('PENDING', 'RUNNING', 'RETRYING')"
        unsettled = "SELECT name, status FROM resource WHERE status IN ('PENDING', 'UPDATING', 'DELETING')"
        assert self.tenant.rows(live) == self.tenant.rows(unsettled) == []
        self.no_state_is_skipped()
        self.tenant.check_accounts()
        self.check_links()
        self.tenant.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL")

    def check_links(self) -> None:
        """Assert that machines are linked to the volumes that they are desired to have, gone ones to none."""
        machines = self.tenant.rows(
            "SELECT r.status, r.spec->'volume_ids' AS wanted, ARRAY(SELECT l.target_id FROM resource_link l"
            " WHERE l.source_id = r.id AND l.role = 'volume' ORDER BY l.position) AS linked"
            " FROM resource r WHERE r.kind = 'virtual_machine'"
        )
        for machine in machines:
            linked = [str(each) for each in machine["linked"]]
            if machine["status"] == "DELETED":
                assert linked == []
            elif machine["status"] != "FAILED":
                assert linked == machine["wanted"]


@contextmanager
def refusals() -> Iterator[None]:
    """Let requests be refused, but not for want of a database: that is what a deadlock looks like."""
    try:
        yield
    except UnavailableError:
        raise
    except StratoplaneError:
        pass


@pytest.fixture
def noted(fresh_database: Database) -> Database:
    """A database that notes every change of a job's state and a resource's status."""
    return note_transitions(fresh_database)


@pytest.mark.hypothesis
def test_no_course_of_events_unbalances_the_books_or_leaves_anything_stuck(
    noted: Database, valkey_url: str, build_tenant: "Callable[[Database], TenantWorld]"
) -> None:
    class Here(Course):
        make_tenant = staticmethod(lambda: build_tenant(noted))
        notifier = WorkerNotifier(valkey_url)
        seen: ClassVar[set[Transition]] = set()

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=max(25, settings().max_examples // 8),
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )

    assert {after for subject, _, after in Here.seen if subject == "job"} >= {"RUNNING", "SUCCEEDED", "FAILED"}
