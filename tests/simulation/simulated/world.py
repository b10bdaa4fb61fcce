# SPDX-License-Identifier: Apache-2.0
"""One seed's world: clusters and their agents, workers, schedulers, tenants, and what goes wrong between them."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tests.simulation.simulated import operation_rows
from tests.simulation.simulated.agent_process import Disk, start_agent
from tests.simulation.simulated.engine_processes import Bell, Scheduler, Worker
from tests.simulation.simulated.invariants import Inspector
from tests.simulation.simulated.kernel import Kernel, Machine
from tests.simulation.simulated.network import Gateway, Network
from tests.simulation.simulated.provider import Region, switch
from tests.simulation.simulated.tables import Rules, Tables, is_live
from tests.simulation.simulated.tenants import Tenant, cluster_row

_TROUBLE_SECONDS = 450.0
_REST_SECONDS = 4 * 3600.0
_SETTLING_SECONDS = 10.0
_STEP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one seed's run was like."""

    seed: int
    violations: tuple[str, ...]
    virtual_seconds: float
    events: int
    jobs: int
    kills: int
    pauses: int
    lost: int
    duplicated: int
    wake_ups_lost: int
    stale_refused: int
    faults: int
    leaks: int


@dataclass(kw_only=True)
class Cluster:
    """One cluster: its provider, its agent's disk, and the agent process of the moment."""

    cluster_id: UUID
    agent_id: UUID
    region: Region
    disk: Disk
    machine: Machine


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, rules: Rules | None = None, trace: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.kernel = Kernel(seed, trace)
        generator = self.kernel.generator
        self.inspector = Inspector()
        clock = lambda: self.kernel.now + 1000.0  # noqa: E731  # the database's clock is nobody else's
        self.tables = Tables(clock=clock, new_id=self.kernel.new_id, rules=rules or Rules(), watch=self.inspector)
        self.inspector.tables = self.tables
        self.tables.notify = self._carry
        self.gateway = Gateway(self.kernel, self.tables)
        loss, doubling = generator.choice((0.0, 0.02, 0.15)), generator.choice((0.0, 0.05, 0.2))
        self.network = Network(self.kernel, loss=loss, doubling=doubling, slowest=generator.choice((0.1, 2.0, 18.0)))
        self.bell = Bell(self.kernel, generator.choice((0.0, 0.3, 1.0)))
        self.stall_rate = generator.choice((0.0, 0.02, 0.1))
        self.lateness = generator.choice((0.0, 0.1))
        self.kills = self.pauses = self.refused = 0
        self._listed_at = 0.0
        self.clusters = [self._new_cluster() for _ in range(generator.choice((1, 2)))]
        self.workers = [self._new_worker(number) for number in range(2)]
        self.schedulers = [self._new_scheduler(number) for number in range(2)]
        cluster_ids = [cluster.cluster_id for cluster in self.clusters]
        self.tenants = [Tenant(self.kernel, self.tables, cluster_ids) for _ in range(2)]

    def run(self) -> Report:
        """Let trouble happen, then let everything come to rest, and look."""
        self._plan()
        self.kernel.run(_TROUBLE_SECONDS, self._is_wrong)
        if not self._is_wrong():
            self._heal()
            self._rest()
        if not self.inspector.violations:
            orphans = self.schedulers[0].orphans | self.schedulers[1].orphans
            self.inspector.check_rest({cluster.cluster_id: cluster.region for cluster in self.clusters}, orphans)
        for machine in self._machines():
            machine.kill()
        return self._report()

    def _is_wrong(self) -> bool:
        return bool(self.inspector.violations)

    def _machines(self) -> list[Machine]:
        agents, workers = [each.machine for each in self.clusters], [each.machine for each in self.workers]
        return [*agents, *workers, *(each.machine for each in self.schedulers)]

    # --- processes --------------------------------------------------------------------------------------------------

    def _new_cluster(self) -> Cluster:
        cluster_id = self.kernel.new_id()
        self.tables.clusters[cluster_id] = cluster_row()
        generator = self.kernel.generator
        region = Region(self.kernel, generator.choice((0.0, 0.05, 0.3)), generator.choice((0.5, 5.0, 30.0)))
        machine = Machine(self.kernel, "agent")
        cluster = Cluster(
            cluster_id=cluster_id, agent_id=self.kernel.new_id(), region=region, disk=Disk(), machine=machine
        )
        self._start_agent(cluster)
        return cluster

    def _start_agent(self, cluster: Cluster) -> None:
        start_agent(
            cluster.machine,
            cluster.disk,
            cluster.region,
            (self.network, self.gateway),
            cluster.cluster_id,
            cluster.agent_id,
        )

    def _new_worker(self, number: int) -> Worker:
        worker = Worker(Machine(self.kernel, f"worker-{number}"), self.tables, self.bell, self.stall_rate)
        worker.start()
        return worker

    def _new_scheduler(self, number: int) -> Scheduler:
        machine = Machine(self.kernel, f"scheduler-{number}")
        scheduler = Scheduler(machine, self.tables, self.bell, self.lateness)
        scheduler.start()
        return scheduler

    # --- trouble ----------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Spread requests and disturbances over the time of trouble."""
        generator = self.kernel.generator
        for _ in range(generator.randint(10, 40)):
            self.kernel.after(generator.uniform(0.0, _TROUBLE_SECONDS - 60.0), generator.choice(self.tenants).act)
        disturbances = (
            self._kill_agent,
            self._kill_agent,
            self._pause_agent,
            self._kill_worker,
            self._pause_worker,
            self._kill_scheduler,
            self._cut_network,
            self._stop_provider,
            self._touch_provider,
        )
        for _ in range(generator.choice((0, 6, 20))):
            self.kernel.after(generator.uniform(5.0, _TROUBLE_SECONDS), generator.choice(disturbances))
        self.kernel.after(10.0, self._check_accounts)

    def _check_accounts(self) -> None:
        self.inspector.check_accounts()
        self.kernel.after(10.0, self._check_accounts)

    def _carry(self, channel: str, payload: str) -> None:
        """Carry a notification to those that listen; it may be lost, which costs the rest of a poll."""
        generator = self.kernel.generator
        if generator.random() < self.bell.loss:
            return
        heard = self._relay_now if channel == "outbox" else lambda: self.gateway.resume_polls(UUID(payload))
        self.kernel.after(generator.expovariate(20.0), heard)

    def _relay_now(self) -> None:
        if operation_rows.take_outbox(self.tables):
            self.bell.ring()

    def _kill_agent(self) -> None:
        """End an agent; the next one starts over the same disk, after a power cut, or on an empty one."""
        generator = self.kernel.generator
        cluster = generator.choice(self.clusters)
        if not cluster.machine.is_alive:
            return
        how = generator.choice(("crash", "power cut", "disk lost"))
        self.kernel.say("agent dies", how=how)
        self.kills += 1
        cluster.machine.kill()
        if how == "power cut":
            cluster.disk.cut_power()
        elif how == "disk lost":
            cluster.disk.lose()
        self.kernel.after(generator.uniform(0.5, generator.choice((5.0, 60.0, 300.0))), lambda: self._revive(cluster))

    def _revive(self, cluster: Cluster) -> None:
        if not cluster.machine.is_alive:
            cluster.machine = Machine(self.kernel, "agent")
            self._start_agent(cluster)

    def _pause_agent(self) -> None:
        cluster = self.kernel.generator.choice(self.clusters)
        self.pauses += 1
        cluster.machine.pause(self.kernel.generator.choice((20.0, 90.0, 800.0)))
        self.kernel.say("agent stands still", until=cluster.machine.paused_until)

    def _kill_worker(self) -> None:
        number = self.kernel.generator.randrange(len(self.workers))
        self.kernel.say("worker dies", name=self.workers[number].machine.name)
        self.kills += 1
        self.refused += self.workers[number].refused
        self.workers[number].machine.kill()
        self.workers[number] = self._new_worker(number)

    def _pause_worker(self) -> None:
        self.pauses += 1
        self.kernel.generator.choice(self.workers).machine.pause(self.kernel.generator.uniform(20.0, 120.0))

    def _kill_scheduler(self) -> None:
        number = self.kernel.generator.randrange(len(self.schedulers))
        self.kills += 1
        self.schedulers[number].machine.kill()
        self.schedulers[number] = self._new_scheduler(number)

    def _cut_network(self) -> None:
        cluster = self.kernel.generator.choice(self.clusters)
        self.network.cut_until[cluster.cluster_id] = self.kernel.now + self.kernel.generator.choice((10.0, 60.0, 300.0))
        self.kernel.say("network cut", until=self.network.cut_until[cluster.cluster_id])

    def _stop_provider(self) -> None:
        region = self.kernel.generator.choice(self.clusters).region
        region.down_until = self.kernel.now + self.kernel.generator.choice((5.0, 60.0, 200.0))
        self.kernel.say("provider down", until=region.down_until)

    def _touch_provider(self) -> None:
        """Switch a machine or remove an object behind the platform's back."""
        generator = self.kernel.generator
        region = generator.choice(self.clusters).region
        if not region.objects:
            return
        number = generator.choice(sorted(region.objects))
        if generator.random() < 0.5:
            switch(region, number)
        else:
            del region.objects[number]
        self.kernel.say("provider changed by an operator", number=number)

    # --- rest -------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        self.kernel.say("trouble is over")
        self.network.loss = self.network.doubling = 0.0
        self.network.slowest = 0.1
        self.network.cut_until.clear()
        self.bell.loss = self.stall_rate = 0.0
        for cluster in self.clusters:
            cluster.region.fault_rate = cluster.region.down_until = 0.0
            cluster.machine.paused_until = min(cluster.machine.paused_until, self.kernel.now + 30.0)
            self._revive(cluster)
        for worker in self.workers:
            worker.stall_rate = 0.0
        for scheduler in self.schedulers:
            scheduler.lateness = 0.0

    def _rest(self) -> None:
        """Wait until nothing is live, and what is there was listed and compared after that."""
        until, calm_since = self.kernel.now + _REST_SECONDS, None
        while self.kernel.now < until and not self._is_wrong():
            self.kernel.run(self.kernel.now + _STEP_SECONDS, self._is_wrong)
            if any(is_live(job) for job in self.tables.jobs.values()):
                calm_since = None
            elif calm_since is None:
                calm_since = self.tables.now
            elif self._was_compared(calm_since + _SETTLING_SECONDS):
                return

    def _was_compared(self, since: float) -> bool:
        """Tell whether every cluster was listed after ``since``, and the reconciler looked after that."""
        kinds = ("virtual_machine", "volume")
        listed = [
            self.tables.listings.get((cluster.cluster_id, kind), 0.0) for cluster in self.clusters for kind in kinds
        ]
        if min(listed) <= since:
            return False
        if self._listed_at <= since:
            self._listed_at = self.tables.now
        return any(each.compared_at > self._listed_at for each in self.schedulers)

    def _report(self) -> Report:
        return Report(
            seed=self.seed,
            violations=tuple(self.inspector.violations),
            virtual_seconds=self.kernel.now,
            events=self.kernel.events,
            jobs=len(self.tables.jobs),
            kills=self.kills,
            pauses=self.pauses,
            lost=self.network.counts["lost"],
            duplicated=self.network.counts["duplicated"],
            wake_ups_lost=self.bell.lost,
            stale_refused=self.refused + sum(worker.refused for worker in self.workers),
            faults=sum(cluster.region.faults for cluster in self.clusters),
            leaks=len(self.tables.leaks),
        )
