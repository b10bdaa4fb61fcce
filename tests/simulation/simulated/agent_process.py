# SPDX-License-Identifier: Apache-2.0
"""The agent's own intake, executor, reporter, bulkheads and timer, on simulated time, disk and network."""

import json
from collections.abc import Iterable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from stratoplane.errors import DriverError
from stratoplane.messages import OperationReference, ProviderReport
from stratoplane.wire import to_json
from stratoplane_agent.bulkhead import Bulkhead
from stratoplane_agent.control_plane import ControlPlane, Offer
from stratoplane_agent.executor import Executor
from stratoplane_agent.intake import Intake
from stratoplane_agent.journal import Admission, Ended, Pending
from stratoplane_agent.providers import Provider, Providers
from stratoplane_agent.reporter import Reporter
from stratoplane_agent.timer import Timer
from stratoplane_agent.transport import ControlPlaneError
from tests.simulation.simulated.kernel import Machine
from tests.simulation.simulated.network import Gateway, Network, SimulatedTransport
from tests.simulation.simulated.provider import Machines, Region, Volumes, drivers

_POLL_SECONDS = 25.0
_SURVEY_SECONDS = 30.0
_THREADS = 4
_BACKLOG = 64


class Disk:
    """What survives the agent's process: all of it a crash, what was forced to the disk a power cut.

    Attributes:
        fences: the highest epoch seen of each operation.
        work: operation and result in hand, by id: epoch, operation, result.
    """

    def __init__(self) -> None:
        self.fences: dict[UUID, int] = {}
        self.work: dict[UUID, tuple[int, str, str | None]] = {}
        self.sync()

    def sync(self) -> None:
        self._synced = (dict(self.fences), dict(self.work))

    def cut_power(self) -> None:
        fences, work = self._synced
        self.fences, self.work = dict(fences), dict(work)

    def lose(self) -> None:
        self.fences, self.work = {}, {}
        self.sync()


class SimulatedJournal:
    """The journal's promises on a :class:`Disk`; each write takes a moment in which the agent may die."""

    def __init__(self, machine: Machine, disk: Disk) -> None:
        self._machine, self._disk = machine, disk

    def admit(self, offers: Sequence[Offer]) -> Admission:
        self._take_time()
        known = {each.operation.id: self._disk.fences.get(each.operation.id, -1) for each in offers}
        recorded = [each for each in offers if each.operation.epoch > known[each.operation.id]]
        for each in recorded:
            self._disk.fences[each.operation.id] = each.operation.epoch
            self._disk.work[each.operation.id] = (each.operation.epoch, each.document, None)
        self._disk.sync()
        self._take_time()
        return Admission(
            recorded=recorded,
            outdated=[each for each in offers if each.operation.epoch < known[each.operation.id]],
            repeated=[each for each in offers if each.operation.epoch == known[each.operation.id]],
        )

    def finish(self, ended: Iterable[Ended]) -> None:
        self._take_time()
        for each in ended:
            epoch, operation, _ = self._disk.work.get(each.id, (-1, "", None))
            if epoch == each.epoch:
                self._disk.work[each.id] = (epoch, operation, each.result)

    def forget(self, references: Iterable[OperationReference]) -> None:
        self._take_time()
        for each in references:
            if self._disk.work.get(each.id, (-1,))[0] == each.epoch:
                del self._disk.work[each.id]

    def pending(self) -> Pending:
        rows = sorted(self._disk.work.items())
        return Pending(
            unfinished=[operation for _, (_, operation, result) in rows if result is None],
            unreported=[Ended(id=key, epoch=epoch, result=result) for key, (epoch, _, result) in rows if result],
        )

    def _take_time(self) -> None:
        self._machine.sleep(self._machine.generator.uniform(0.0, 0.01))


class Agent:
    """One run of an agent process over its disk."""

    def __init__(self, machine: Machine, disk: Disk, region: Region, transport: SimulatedTransport) -> None:
        self.machine, self.disk, self._transport = machine, disk, transport
        # These stand for the journal and the transport, which take files and sockets that a simulation has none of.
        journal: Any = SimulatedJournal(machine, disk)
        simulated: Any = transport
        control_plane = ControlPlane(simulated)
        self._timer = Timer(machine)
        self._drivers = drivers(region, machine)
        parts = [(each, Bulkhead(each.interface.value, _THREADS, machine)) for each in self._drivers]
        providers = [
            Provider(ProviderReport(interface=driver.interface.value, driver="simulated"), driver, bulkhead, machine)
            for driver, bulkhead in parts
        ]
        self.reporter = Reporter(journal, control_plane, machine)
        self.executor = Executor(
            Providers(providers, self._timer, machine),
            self._timer,
            backlog=_BACKLOG,
            deliver=self.reporter.deliver,
            host=machine,
        )
        session: Any = SimpleNamespace(greet=self._greet, lost=lambda _error: None, poll_seconds=_POLL_SECONDS)
        inventory: Any = SimpleNamespace(soon=lambda: None)
        self._journal = journal
        self._intake = Intake(control_plane, journal, self.executor, session, inventory, wanted_room=16, host=machine)

    def start(self) -> None:
        """Begin as the real process does: what an earlier run owes first."""
        pending = self._journal.pending()
        self._timer.start()
        self.reporter.start(self.executor.running)
        for ended in pending.unreported:
            self.reporter.deliver(ended)
        for driver in self._drivers:
            self.machine.kernel.spawn(self.machine, partial(self._survey, driver))
        self._intake.start(pending.unfinished)

    def _greet(self) -> None:
        self._transport.post("hello", b"{}", seconds=20.0)

    def _survey(self, driver: Machines | Volumes) -> None:
        """List one driver's objects again and again, in place of the real inventory's thread."""
        while True:
            begun = self.machine.monotonic()
            try:
                items = [{"uid": each.uid, "kind": driver.kind, "status": to_json(each)} for each in driver.list()]
                documents = [json.dumps(to_json(item)).encode() for item in items]
                age = self.machine.monotonic() - begun
                self._tell(driver.kind, documents, age)
            except (ControlPlaneError, DriverError) as error:
                self.machine.kernel.say("not surveyed", kind=driver.kind, why=error)
            self.machine.sleep(_SURVEY_SECONDS)

    def _tell(self, kind: str, items: list[bytes], age: float) -> None:
        body = b'{"kinds":["%s"],"items":[%s],"age_seconds":%.3f}' % (kind.encode(), b",".join(items), age)
        self._transport.post("inventory", body, seconds=20.0)


def start_agent(
    machine: Machine, disk: Disk, region: Region, ways: tuple[Network, Gateway], cluster_id: UUID, agent_id: UUID
) -> Agent:
    """Start an agent process on a new machine (a process, that is) over the disk of the one before."""
    agent = Agent(machine, disk, region, SimulatedTransport(machine, *ways, cluster_id, agent_id))
    agent.start()
    return agent
