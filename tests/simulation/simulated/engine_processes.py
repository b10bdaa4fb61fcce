# SPDX-License-Identifier: Apache-2.0
"""Workers and schedulers: the runner's own code between two transactions of the store; a crash is possible anywhere."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from stratoplane_engine.db.claims import Claim
from stratoplane_engine.jobs.claims import read_claim
from stratoplane_engine.jobs.failure_records import leaks
from stratoplane_engine.jobs.persist import handed_on, job_move, outcome_rows, returned
from stratoplane_engine.jobs.runner import JobUpdate, advance, quarantine
from stratoplane_engine.jobs.worker_loop import MOST_CRASHES
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS
from tests.simulation.simulated import comparison_rows, job_rows, operation_rows
from tests.simulation.simulated.kernel import Kernel, Machine, Waiting
from tests.simulation.simulated.tables import Tables, row_of

_LOOK_SECONDS = 5.0
_SWEEP_SECONDS = 5.0
_RECONCILE_SECONDS = 30.0
_RELAY_SECONDS = 2.0
_BATCHES = (1, 3, 100)


class Bell:
    """Wake-ups through RQ: each may be lost, doubled or late; workers look by themselves now and then.

    Attributes:
        loss: share of the wake-ups that nobody hears.
    """

    def __init__(self, kernel: Kernel, loss: float) -> None:
        self.kernel, self.loss = kernel, loss
        self.waiting: list[Waiting] = []
        self.lost = 0

    def ring(self) -> None:
        generator = self.kernel.generator
        if generator.random() < self.loss:
            self.lost += 1
            return
        for _ in range(generator.choice((1, 1, 1, 2))):
            self.kernel.after(generator.expovariate(50.0), self._wake_one)

    def _wake_one(self) -> None:
        ready = [each for each in self.waiting if not each.done and each.owner.is_alive]
        self.waiting = ready[1:]
        for each in ready[:1]:
            self.kernel.wake(each)


def persist_updates(tables: Tables, updates: list[JobUpdate]) -> frozenset[UUID]:
    """Write updates whose claim still holds, in one transaction, as the engine's own function of this name does."""
    ordered = sorted((_renamed(tables, update) for update in updates), key=lambda update: update.job.id)
    current = job_rows.move(tables, [job_move(update) for update in ordered])
    mine = [update for update in ordered if update.job.id in current]
    outcomes = outcome_rows(mine)
    settled = job_rows.settle(tables, outcomes)
    following = job_rows.following_changes(tables, outcomes, settled)
    job_rows.hand_on(tables, [handed_on(each, BUILTIN_KINDS) for each in following])
    job_rows.give_back(tables, *returned(settled))
    tables.leaks += [row_of(leak) for update in mine for leak in leaks(update)]
    return current


def _renamed(tables: Tables, update: JobUpdate) -> JobUpdate:
    """Give the driver call an id of the simulation's own, since a seed must replay."""
    operation = update.operation
    return update if operation is None else replace(update, operation=replace(operation, id=tables.new_id()))


class Worker:
    """One worker process.

    Attributes:
        stall_rate: share of the pauses between two transactions that outlast a lease.
    """

    def __init__(self, machine: Machine, tables: Tables, bell: Bell, stall_rate: float) -> None:
        self.machine, self.tables, self.bell, self.stall_rate = machine, tables, bell, stall_rate
        self.refused = 0

    def start(self) -> None:
        self.machine.kernel.spawn(self.machine, self._run)

    def _run(self) -> None:
        looks = _LOOK_SECONDS if self.tables.rules.outbox else None
        while True:
            self._drain()
            waiting = Waiting(self.machine)
            self.bell.waiting.append(waiting)
            self.machine.kernel.park(waiting, looks)

    def _drain(self) -> None:
        generator = self.machine.generator
        while True:
            limit, start = generator.choice(_BATCHES), UUID(int=generator.getrandbits(128))
            claimed = job_rows.claim(self.tables, owner=self.machine.name, limit=limit, start=start)
            fresh = [claim for claim in claimed if not claim.crashes]
            suspects = [claim for claim in claimed if claim.crashes]
            updates = [each for batch in (fresh, suspects) if batch for each in self._move(batch)]
            if not suspects and not _is_more(fresh) and not any(each.outcome for each in updates):
                return

    def _move(self, batch: list[Claim]) -> list[JobUpdate]:
        self._take_time()
        generator, kernel = self.machine.generator, self.machine.kernel
        jobs = [(read_claim(claim, BUILTIN_KINDS), claim.crashes) for claim in batch]
        updates = [advance(job, generator) if crashes < MOST_CRASHES else quarantine(job) for job, crashes in jobs]
        self._take_time()
        current = persist_updates(self.tables, updates)
        self.refused += len(updates) - len(current)
        for each in updates:
            said = "update persisted" if each.job.id in current else "update refused"
            kernel.say(said, by=self.machine.name, job=each.job.id, epoch=each.job.epoch, to=each.state)
        return [each for each in updates if each.job.id in current]

    def _take_time(self) -> None:
        generator = self.machine.generator
        stalls = generator.random() < self.stall_rate
        self.machine.sleep(generator.uniform(20.0, 90.0) if stalls else generator.expovariate(200.0))


def _is_more(claimed: list[Claim]) -> bool:
    taken = Counter(claim.organization_id for claim in claimed)
    return any(taken[claim.organization_id] >= claim.share for claim in claimed)


class Scheduler:
    """One scheduler process: relays, sweeps and reconciles, each late now and then.

    Attributes:
        lateness: share of the rounds that come minutes late.
        orphans: what the last comparison found, at ``compared_at``.
    """

    def __init__(self, machine: Machine, tables: Tables, bell: Bell, lateness: float) -> None:
        self.machine, self.tables, self.bell = machine, tables, bell
        self.lateness = lateness
        self.orphans: frozenset[UUID] = frozenset()
        self.compared_at = 0.0

    def start(self) -> None:
        for seconds, work in (
            (_RELAY_SECONDS, self._relay),
            (_SWEEP_SECONDS, self._sweep),
            (_RECONCILE_SECONDS, self._reconcile),
        ):
            self.machine.kernel.spawn(self.machine, partial(self._repeat, seconds, work))

    def _repeat(self, seconds: float, work: Any) -> None:
        generator = self.machine.generator
        while True:
            work()
            late = generator.random() < self.lateness
            self.machine.sleep(generator.uniform(30.0, 200.0) if late else seconds)

    def _relay(self) -> None:
        if operation_rows.take_outbox(self.tables):
            self.bell.ring()

    def _sweep(self) -> None:
        operation_rows.let_probes_through(self.tables)
        abandoned = operation_rows.abandon(self.tables)
        stranded = operation_rows.mend_stranded_jobs(self.tables)
        due = operation_rows.overlooked_jobs(self.tables)
        if abandoned or stranded:
            self.machine.kernel.say("swept", abandoned=abandoned, stranded=stranded, due=due)
        if (abandoned or stranded or due) and self.tables.rules.outbox:
            self.bell.ring()

    def _reconcile(self) -> None:
        found = comparison_rows.reconcile(self.tables)
        self.compared_at = self.tables.now
        self.orphans = found.orphans
        if found.corrected or found.lost or found.found:
            self.machine.kernel.say("reconciled", corrected=found.corrected, lost=found.lost, found=found.found)
