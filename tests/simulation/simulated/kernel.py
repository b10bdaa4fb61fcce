# SPDX-License-Identifier: Apache-2.0
"""Time that stands still while something happens: one thread, a heap of events, and every choice from one seed.

What blocks in the product (a thread that waits for a lock, an answer, a moment) is a greenlet here that gives way to
the heap. Events of the same moment come in an order that the seed draws.
"""

import heapq
import queue
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from greenlet import GreenletExit, getcurrent, greenlet

from stratoplane_agent.host import Host


class Waiting:
    """One greenlet that waits; woken once, by whoever is first."""

    __slots__ = ("answer", "done", "owner", "task")

    def __init__(self, owner: "Machine") -> None:
        self.task, self.owner, self.done, self.answer = getcurrent(), owner, False, None


class Kernel:
    """The clock, the heap, and the only source of chance.

    Attributes:
        now: seconds since the beginning.
        events: how many have happened.
        trace: gets a line for each thing worth telling, None for silence.
    """

    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.generator = random.Random(seed)
        self.now = 0.0
        self.events = 0
        self.trace = trace
        self._heap: list[tuple[float, float, int, Machine | None, Callable[[], object]]] = []
        self._pushed = 0
        self._ids = 0
        self._hub = getcurrent()

    def new_id(self) -> UUID:
        """Return an id that is greater than all before."""
        self._ids += 1
        return UUID(int=self._ids << 80 | 0x7 << 76 | 0b10 << 62 | self.generator.getrandbits(62))

    def say(self, what: str, **facts: object) -> None:
        if self.trace is not None:
            words = " ".join(f"{name}={str(value)[:80]}" for name, value in facts.items())
            self.trace(f"{self.now:10.3f}  {what} {words}")

    def after(self, seconds: float, call: Callable[[], object], owner: "Machine | None" = None) -> None:
        self._pushed += 1
        entry = (self.now + seconds, self.generator.random(), self._pushed, owner, call)
        heapq.heappush(self._heap, entry)

    def run(self, until: float, finished: Callable[[], bool] = lambda: False) -> None:
        """Let events happen until a time, or until ``finished`` says so."""
        while self._heap and self._heap[0][0] <= until and not finished():
            self.now, _, _, owner, call = heapq.heappop(self._heap)
            if owner is not None:
                if not owner.is_alive:
                    continue
                if owner.paused_until > self.now:
                    self.after(owner.paused_until - self.now, call, owner)
                    continue
            self.events += 1
            call()
        self.now = max(self.now, until) if not finished() else self.now

    def park(self, waiting: Waiting, seconds: float | None = None) -> bool:
        """Give way until woken (True) or until the time is over (False)."""
        if not waiting.owner.is_alive:
            raise GreenletExit
        if seconds is not None:
            self.after(max(0.0, seconds), lambda: self._resume(waiting, woken=False), waiting.owner)
        return bool(self._hub.switch())

    def wake(self, waiting: Waiting, answer: Any = None) -> None:
        if not waiting.done and waiting.owner.is_alive:
            waiting.answer = answer
            self.after(0.0, lambda: self._resume(waiting, woken=True), waiting.owner)

    def _resume(self, waiting: Waiting, *, woken: bool) -> None:
        if not waiting.done:
            waiting.done = True
            waiting.task.switch(woken)

    def spawn(self, owner: "Machine", target: Callable[[], object]) -> None:
        def guarded() -> None:
            with suppress(GreenletExit):
                target()
            owner.tasks.pop(getcurrent(), None)

        task = greenlet(guarded, parent=self._hub)
        owner.tasks[task] = None
        self.after(0.0, task.switch, owner)


class Machine(Host):
    """One simulated process: its threads end with it, and stand still while it is paused."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        super().__init__(kernel.generator)
        self.kernel = kernel
        self.name = name
        self.is_alive = True
        self.paused_until = 0.0
        self.tasks: dict[greenlet, None] = {}

    def monotonic(self) -> float:
        return self.kernel.now

    def sleep(self, seconds: float) -> None:
        self.kernel.park(Waiting(self), seconds)

    def pause(self, seconds: float) -> None:
        self.paused_until = max(self.paused_until, self.kernel.now + seconds)

    def kill(self) -> None:
        """End at once, wherever each thread stands; called from outside only."""
        self.is_alive = False
        tasks, self.tasks = list(self.tasks), {}
        for task in tasks:
            if task:
                task.throw(GreenletExit)

    def lock(self) -> Any:
        return _Lock()

    def event(self) -> Any:
        return _Event(self)

    def condition(self) -> Any:
        return _Condition(self)

    def queue(self) -> Any:
        return _Queue(self)

    def thread(self, name: str, target: Callable[[], None]) -> Any:
        return _Thread(self, target)


class _Lock:
    """Nothing gives way while it holds a lock, so that there is nothing to lock out."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class _Event:
    def __init__(self, machine: Machine) -> None:
        self._machine, self._set = machine, False
        self._waiting: list[Waiting] = []

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._machine.kernel.wake(each)

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float | None = None) -> bool:
        if not self._set:
            waiting = Waiting(self._machine)
            self._waiting.append(waiting)
            self._machine.kernel.park(waiting, seconds)
        return self._set


class _Condition(_Lock):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiting: list[Waiting] = []

    def notify(self) -> None:
        self.notify_all()

    def notify_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._machine.kernel.wake(each)

    def wait(self, seconds: float | None = None) -> bool:
        waiting = Waiting(self._machine)
        self._waiting.append(waiting)
        return self._machine.kernel.park(waiting, seconds)

    def wait_for(self, ready: Callable[[], Any], seconds: float | None = None) -> Any:
        until = None if seconds is None else self._machine.kernel.now + seconds
        while not (answer := ready()):
            left = None if until is None else until - self._machine.kernel.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return answer


class _Queue:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._items: deque[Any] = deque()
        self._waiting: deque[Waiting] = deque()

    def put(self, item: Any) -> None:
        self._items.append(item)
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done:
                self._machine.kernel.wake(waiting)
                return

    def get(self, timeout: float | None = None) -> Any:
        until = None if timeout is None else self._machine.kernel.now + timeout
        while not self._items:
            left = None if until is None else until - self._machine.kernel.now
            if left is not None and left <= 0:
                raise queue.Empty
            waiting = Waiting(self._machine)
            self._waiting.append(waiting)
            self._machine.kernel.park(waiting, left)
        return self._items.popleft()


class _Thread:
    def __init__(self, machine: Machine, target: Callable[[], None]) -> None:
        self._machine, self._target = machine, target

    def start(self) -> None:
        self._machine.kernel.spawn(self._machine, self._target)
