# SPDX-License-Identifier: Apache-2.0
"""Operations between acknowledgement and result: one at a time for each object, each interface on its own threads.

An operation that waits for its provider occupies no thread, and later operations on its object wait behind it. An
operation that exceeds its time-out is reported as uncertain; the call itself cannot be stopped and keeps its thread.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from uuid import UUID

from stratoplane.driver_kinds import DriverKind, DriverVerb, Effect
from stratoplane.errors import (
    BusyError,
    InvalidSpecError,
    StratoplaneError,
    TransientError,
    UncertainError,
    UnreachableError,
    UnsupportedError,
)
from stratoplane.jobs import Wait
from stratoplane.messages import Operation, Outcome
from stratoplane_agent.attempt import Attempt, argument_of, facts
from stratoplane_agent.host import HOST, Host
from stratoplane_agent.journal import Ended
from stratoplane_agent.log import Log
from stratoplane_agent.outcomes import Ending, bug, encode, failed, with_outcome
from stratoplane_agent.providers import Provider, Providers
from stratoplane_agent.timer import Timer

_SHORTEST_WAIT: Final = 0.02
_LONGEST_WAIT: Final = 3600.0
_MOST_WAITING: Final = 2000
_BUSY_RETRY_SECONDS: Final = 15.0
_WATCH_SECONDS: Final = 0.5
_log: Final = Log("executor")


class _Phase(Enum):
    QUEUED = auto()
    CALLING = auto()
    WAITING = auto()
    ENDED = auto()


@dataclass(eq=False, kw_only=True, slots=True)
class _Task:
    """An operation in progress; its fields change under the executor's lock only."""

    operation: Operation
    kind: DriverKind
    verb: DriverVerb
    provider: Provider
    taken_at: float
    phase: _Phase = _Phase.QUEUED
    has_waited: bool = False
    attempt: Attempt | None = None

    def is_late(self, now: float) -> bool:
        return now - self.taken_at > self.operation.timeout_seconds

    def seconds(self, now: float) -> float:
        return now - self.taken_at


class Executor:
    """Takes acknowledged operations and gives each one's result to ``deliver``, from any thread."""

    def __init__(
        self,
        providers: Providers,
        timer: Timer,
        *,
        backlog: int,
        deliver: Callable[[Ended], None],
        host: Host = HOST,
    ) -> None:
        """Start without operations.

        Args:
            providers: the drivers.
            timer: resumes operations that wait; its owner starts it.
            backlog: operations of one interface that are accepted before earlier ones finish.
            deliver: called with every result; must not block.
            host: supplies time.
        """
        self._host: Final = host
        self._providers: Final = providers
        self._timer: Final = timer
        self._backlog: Final = backlog
        self._deliver: Final = deliver
        self._changed: Final = host.condition()
        self._lanes: Final[dict[UUID, deque[_Task]]] = {}
        self._tasks: Final[set[_Task]] = set()
        self._queued: Final[Counter[Provider]] = Counter()
        timer.every(_WATCH_SECONDS, self._end_overdue)

    # --- taking operations ------------------------------------------------------------------------------------------

    def start(self, operation: Operation) -> None:
        """Execute an operation that the control plane assigned to this agent."""
        try:
            task = self._task(operation)
        except StratoplaneError as error:
            self._report(operation, self._kept_open(operation, failed(error)), 0.0)
            return
        provider = task.provider
        with self._changed:
            self._tasks.add(task)
            self._queued[provider] += 1
            lane = self._lanes.get(operation.uid)
            if lane is not None:
                lane.append(task)
                return
            self._lanes[operation.uid] = deque()
        provider.bulkhead.submit(lambda: self._turn(task))

    def room(self) -> int:
        """Return how many more operations can be accepted; a driver that hangs does not block the others."""
        with self._changed:
            if len(self._tasks) - self._queued.total() >= _MOST_WAITING:
                return 0
            moving = [each for each in self._providers if not each.bulkhead.is_stalled()]
            return min((self._backlog - self._queued[each] for each in moving), default=self._backlog)

    def wait_for_room(self, wanted: int, seconds: float) -> int:
        """Wait until ``wanted`` operations can be accepted, at most ``seconds``; return how many can."""
        with self._changed:
            self._changed.wait_for(lambda: self.room() >= wanted, seconds)
            return self.room()

    def running(self) -> int:
        """Return how many operations a driver executes or is about to; those that wait for a provider do not count."""
        return self._queued.total()

    def waiting(self) -> list[Operation]:
        """Return the operations that the provider has accepted and works on: their driver has answered Wait."""
        with self._changed:
            return [task.operation for task in self._tasks if task.has_waited]

    def drain(self, seconds: float) -> int:
        """Wait until no operation is in progress, at most ``seconds``; return how many are left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._tasks, seconds)
            return len(self._tasks)

    def _task(self, operation: Operation) -> _Task:
        kind = self._providers.kinds.get(operation.kind)
        verb = self._providers.kinds.verb(operation.kind, operation.verb)
        if kind is None or verb is None:
            detail = f"this agent does not support the verb {operation.verb} of the kind {operation.kind};"
            raise UnsupportedError(f"{detail} update the agent, or enable the kind in its setting driver_kinds")
        provider = self._provider(kind, verb)
        return _Task(operation=operation, kind=kind, verb=verb, provider=provider, taken_at=self._host.monotonic())

    def _provider(self, kind: DriverKind, verb: DriverVerb) -> Provider:
        provider = self._providers.of(kind.interface)
        if provider is None:
            raise UnsupportedError(f"this agent has no driver for {kind.interface}")
        if provider.obstacle is not None:
            raise provider.obstacle
        if not isinstance(provider.driver, verb.ability):
            detail = f"the driver {provider.name} does not support the verb {verb.name} of the kind {kind.name}"
            raise UnsupportedError(detail, feature=verb.feature)
        if provider.bulkhead.is_stalled():
            detail = f"all calls of the {kind.interface} driver {provider.name} hang"
            raise BusyError(detail, retry_after=_BUSY_RETRY_SECONDS)
        return provider

    # --- calling drivers --------------------------------------------------------------------------------------------

    def _turn(self, task: _Task) -> None:
        """Call the driver once for a task; runs on a thread of its provider."""
        with self._changed:
            alive = task.phase is not _Phase.ENDED
            if alive:
                task.phase = _Phase.CALLING
        if not alive:
            self._start_next(task)
            return
        try:
            answer = self._call(task)
            seconds = min(max(answer.seconds, _SHORTEST_WAIT), _LONGEST_WAIT) if isinstance(answer, Wait) else 0.0
        except (Exception, SystemExit) as error:  # noqa: BLE001  # top of the operation: it must get a result
            _log.bug("execution_failed", error, **facts(task.operation))
            answer, seconds = bug(task.provider.name, error), 0.0
        if isinstance(answer, Wait):
            self._postpone(task, answer, seconds)
        else:
            self._end(task, answer)

    def _call(self, task: _Task) -> Ending | Wait:
        if task.attempt is not None:
            return task.attempt.resume()
        driver = task.provider.driver
        if driver is None:  # a provider without a driver is broken and gets no task
            raise RuntimeError(task.provider.name)
        try:
            argument = argument_of(task.verb, task.operation)
        except InvalidSpecError as error:
            return failed(error)
        task.attempt = Attempt(
            driver=driver,
            driver_name=task.provider.name,
            kind=task.kind,
            verb=task.verb,
            operation=task.operation,
            argument=argument,
        )
        return task.attempt.begin()

    def _postpone(self, task: _Task, wait: Wait, seconds: float) -> None:
        with self._changed:
            alive = task.phase is not _Phase.ENDED
            if alive:
                task.phase = _Phase.WAITING
                task.has_waited = True
                self._queued[task.provider] -= 1
                self._changed.notify_all()
        if not alive:
            self._returned_late(task)
            return
        _log.debug("operation_waits", **facts(task.operation), seconds=seconds, reason=wait.reason)
        self._timer.after(seconds, lambda: self._resume(task))

    def _resume(self, task: _Task) -> None:
        with self._changed:
            if task.phase is not _Phase.WAITING:
                return
            task.phase = _Phase.QUEUED
            self._queued[task.provider] += 1
        task.provider.bulkhead.submit(lambda: self._turn(task))

    # --- ends -------------------------------------------------------------------------------------------------------

    def _end(self, task: _Task, ending: Ending) -> None:
        with self._changed:
            alive = task.phase is not _Phase.ENDED
            task.phase = _Phase.ENDED
        if not alive:
            self._returned_late(task)
            return
        if ending.code == UnreachableError.code:
            self._providers.suspect(task.provider)
        self._report(task.operation, ending, task.seconds(self._host.monotonic()))
        self._remove(task)
        self._start_next(task)

    def _returned_late(self, task: _Task) -> None:
        _log.warning("call_returned_late", **facts(task.operation), seconds=task.seconds(self._host.monotonic()))
        task.provider.bulkhead.give_back()
        self._start_next(task)

    def _start_next(self, task: _Task) -> None:
        """Start the next operation on the same object."""
        uid = task.operation.uid
        with self._changed:
            lane = self._lanes[uid]
            following = lane.popleft() if lane else None
            if following is None:
                del self._lanes[uid]
        if following is not None:
            following.provider.bulkhead.submit(lambda: self._turn(following))

    def _remove(self, task: _Task) -> None:
        with self._changed:
            self._tasks.discard(task)
            self._queued[task.provider] -= 1
            self._changed.notify_all()

    def _end_overdue(self) -> None:
        """Report the operations that exceeded their time-out."""
        now = self._host.monotonic()
        with self._changed:
            late = [task for task in self._tasks if task.is_late(now)]
        for task in sorted(late, key=lambda each: each.operation.id):
            self._give_up(task)

    def _give_up(self, task: _Task) -> None:
        with self._changed:
            phase = task.phase
            if phase is _Phase.ENDED:
                return
            task.phase = _Phase.ENDED
            self._tasks.discard(task)
            if phase is not _Phase.WAITING:
                self._queued[task.provider] -= 1
            self._changed.notify_all()
        if phase is _Phase.CALLING:
            task.provider.bulkhead.lend()
        self._report(task.operation, self._overdue(task, phase), task.seconds(self._host.monotonic()))
        if phase is _Phase.WAITING:
            self._start_next(task)

    def _report(self, operation: Operation, ending: Ending, seconds: float) -> None:
        try:
            text = encode(operation, ending, seconds)
        except (TypeError, ValueError, RecursionError) as error:
            _log.bug("status_unreadable", error, **facts(operation))
            ending = bug("that answered", error)
            text = encode(operation, ending, seconds)
        write = _log.info if ending.outcome is Outcome.DONE else _log.warning
        summary = {"outcome": ending.outcome.value, "code": ending.code, "reason": ending.detail}
        write("operation_ended", **facts(operation), **summary, milliseconds=round(seconds * 1000, 1))
        self._deliver(Ended(id=operation.id, epoch=operation.epoch, result=text))

    def _overdue(self, task: _Task, phase: _Phase) -> Ending:
        limit = f"{task.operation.timeout_seconds:g} s"
        if phase is _Phase.QUEUED and task.attempt is None:
            error = TransientError(f"no thread of the driver {task.provider.name} became free within {limit}")
            return self._kept_open(task.operation, failed(error))
        what = "waits for the provider" if phase is _Phase.WAITING else "has not returned"
        return failed(UncertainError(f"the driver {task.provider.name} still {what} after {limit}"))

    def _kept_open(self, operation: Operation, ending: Ending) -> Ending:
        """Return the ending of an operation that was not started: the effect of an earlier attempt stays uncertain."""
        verb = self._providers.kinds.verb(operation.kind, operation.verb)
        reads = verb is not None and verb.effect is Effect.READS
        if operation.observe_first and not reads and ending.outcome is Outcome.TRANSIENT:
            return with_outcome(ending, Outcome.UNCERTAIN)
        return ending
