# SPDX-License-Identifier: Apache-2.0
"""Threads for the driver of one interface: a driver that hangs takes its own threads and nobody else's."""

import queue
from collections.abc import Callable
from typing import Final

from stratoplane_agent.host import HOST, Host
from stratoplane_agent.log import Log

Task = Callable[[], None]
STALL_SECONDS: Final = 15.0
_log: Final = Log("bulkhead")


class Bulkhead:
    """Runs tasks on at most ``concurrency`` threads, made when they are needed.

    They are daemon threads, since nothing can end a thread that hangs in a driver, and the process must be able to end.
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
        """Allow one thread more, in place of one whose task does not return; at most as many as there are."""
        with self._lock:
            self._lent += 1
            if self._waiting > self._idle and self._threads < self._limit():
                self._threads += 1
                self._start()

    def give_back(self) -> None:
        """Take back what :meth:`lend` allowed: the task has returned after all."""
        with self._lock:
            self._lent -= 1

    def is_stalled(self) -> bool:
        """Tell whether every thread is busy and none has begun or ended a task for a while."""
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
        """Run one task; tell whether this thread is still wanted."""
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
        except BaseException as error:  # noqa: BLE001  # the last edge of a thread; the task's owner handled what it could
            _log.bug("task_failed", error, bulkhead=self.name)
        with self._lock:
            self._moved_at = self._host.monotonic()
        return True
