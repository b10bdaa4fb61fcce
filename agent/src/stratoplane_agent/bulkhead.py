# SPDX-License-Identifier: Apache-2.0
"""Threads for the driver of one interface: a driver that hangs blocks its own threads only."""

import queue
from collections.abc import Callable
from typing import Final

from stratoplane_agent.host import HOST, Host
from stratoplane_agent.log import Log

Task = Callable[[], None]
STALL_SECONDS: Final = 15.0
_log: Final = Log("bulkhead")


class Bulkhead:
    """Runs tasks on at most ``concurrency`` threads, created on demand.

    They are daemon threads: a thread that hangs in a driver cannot be stopped, and must not keep the process alive.
    """

    def __init__(self, name: str, concurrency: int, host: Host = HOST) -> None:
        self.name: Final = name
        self._host: Final = host
        self._concurrency: Final = concurrency
        self._tasks: Final[queue.SimpleQueue[Task]] = host.queue()
        self._lock: Final = host.lock()
        self._waiting = 0
        self._idle = 0
        self._threads = 0
        self._lent = 0
        self._moved_at = host.monotonic()

    def submit(self, task: Task) -> None:
        """Run ``task`` when a thread is free. What it raises is logged as a bug."""
        with self._lock:
            self._waiting += 1
            if self._waiting > self._idle and self._threads < self._limit():
                self._threads += 1
                self._start()
        self._tasks.put(task)

    def lend(self) -> None:
        """Allow an extra thread in place of one whose task does not return; at most ``concurrency`` extra threads."""
        with self._lock:
            self._lent += 1
            if self._waiting > self._idle and self._threads < self._limit():
                self._threads += 1
                self._start()

    def give_back(self) -> None:
        """Withdraw the extra thread of :meth:`lend`: the task has returned after all."""
        with self._lock:
            self._lent -= 1

    def has_spare(self) -> bool:
        """Tell whether another thread may be lost to a task that does not return."""
        with self._lock:
            return self._lent < self._concurrency

    def is_stalled(self) -> bool:
        """Tell whether every thread is busy and none has started or finished a task for a while."""
        with self._lock:
            full = self._threads >= self._limit() and not self._idle
            return full and self._host.monotonic() - self._moved_at > STALL_SECONDS

    def _limit(self) -> int:
        return self._concurrency + min(self._lent, self._concurrency)

    def _start(self) -> None:
        self._host.thread(f"{self.name}-{self._threads}", self._work).start()

    def _work(self) -> None:
        while self._next():
            pass

    def _next(self) -> bool:
        """Run one task; tell whether this thread is still needed."""
        with self._lock:
            if self._threads > self._limit():
                self._threads -= 1
                return False
            self._idle += 1
        task = self._tasks.get()
        with self._lock:
            self._idle -= 1
            self._waiting -= 1
            self._moved_at = self._host.monotonic()
        try:
            task()
        except BaseException as error:  # noqa: BLE001  # top of a thread; the task handled the errors it expected
            _log.bug("task_failed", error, bulkhead=self.name)
        with self._lock:
            self._moved_at = self._host.monotonic()
        return True
