# SPDX-License-Identifier: Apache-2.0
"""Faults, one after the other by a seeded generator, some of them at once with the next."""

import contextlib
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from stratoplane_engine.jobs.queue import DRAIN, QUEUE
from tests.chaos.tenants import History
from tests.chaos.tree import Tree

# A lease of 30 seconds and the 5 seconds within which somebody looks.
_PAST_THE_LEASE: Final = 38.0
# The supervisor lets a process that dies young wait longer and longer; that is not what is measured here.
_SPARED: Final = {"worker": 12.0, "agent-api": 12.0, "scheduler": 12.0, "agent": 6.0}
_WORKERS: Final = ("worker", "worker-2")
_SCHEDULERS: Final = ("scheduler", "scheduler-2")
_WORKER_POINTS: Final = ("worker-after-claim", "worker-after-verdict", "worker-after-write")
_AGENT_POINTS: Final = (
    "agent-after-admission",
    "agent-before-effect",
    "agent-after-effect",
    "agent-after-journal",
    "agent-after-report",
)
_API_POINTS: Final = ("api-before-commit", "api-after-commit")
_SCHEDULER_POINTS: Final = ("relay-after-send", "sweeper-after-sweep")
_AGENT_API_POINTS: Final = (
    "agent-api-after-offer",
    "agent-api-after-acknowledgement",
    "agent-api-after-results",
)
_PROVIDER_FAULTS: Final = (
    "unavailable=0.04",
    "lost_before@*=0.02",
    "lost_after=0.03",
    "partial=0.01",
    '{"fault": "slow", "rate": 0.02, "delay_seconds": 2}',
)
_HELD_BY_WORKER: Final = "SELECT id FROM job WHERE lease_until IS NOT NULL AND lease_owner LIKE %s"
_HELD_BY_AGENT: Final = "SELECT job_id AS id FROM operation WHERE state IN ('OFFERED', 'RUNNING')"


class Held:
    """Jobs that a process held when it was killed, and when that was, on the database's clock."""

    def __init__(self, jobs: list[str], at: datetime) -> None:
        self.jobs: Final = jobs
        self.at: Final = at


class Nemesis:
    """Does harm and remembers it.

    A process that was killed is spared for some seconds, and of the agent, its API, its line, Valkey and the
    schedulers one at a time is held up: the figures tell of recovery from a fault, not of the sum of outages.

    Attributes:
        counts: kills, pauses, wipes, partitions, restarts, wakeups.
        held: what the killed processes held.
    """

    def __init__(self, tree: Tree, seed: int, history: History) -> None:
        self._tree: Final = tree
        self._random: Final = random.Random(seed)
        self._history: Final = history
        self._threads: Final[list[threading.Thread]] = []
        self._over: Final = threading.Event()
        self._paused: Final[set[int]] = set()
        self._armed: Final[set[str]] = set()
        self._killed: Final[dict[str, float]] = {}
        self._held_up = threading.Lock()
        self.counts: Final[Counter[str]] = Counter()
        self.held: Final[list[Held]] = []

    def run(self, seconds: float) -> None:
        """Do harm for so long, then let everything heal."""
        until = time.monotonic() + seconds
        self._tree.mock("faults", "set", *_PROVIDER_FAULTS)
        actions = self._actions()
        names, weights = list(actions), [weight for weight, _ in actions.values()]
        while (left := until - time.monotonic()) > 0:
            name = self._random.choices(names, weights)[0]
            self._history.write(what="fault", name=name)
            # What the harness itself cannot reach at this moment is away already.
            with contextlib.suppress(psycopg.Error, RedisError, ProcessLookupError, OSError):
                actions[name][1]()
            self._over.wait(min(left, self._random.uniform(0.3, 2.0)))
        self._heal()

    def _actions(self) -> dict[str, tuple[int, Callable[[], None]]]:
        return {
            "kill worker": (3, lambda: self._kill_worker(self._random.choice(_WORKERS))),
            "kill worker at a point": (3, lambda: self._arm(_WORKER_POINTS, signal.SIGKILL)),
            "pause worker past the lease": (3, self._pause_at_point),
            "kill scheduler": (2, lambda: self._kill(self._random.choice(_SCHEDULERS))),
            "kill scheduler at a point": (1, lambda: self._arm(_SCHEDULER_POINTS, signal.SIGKILL)),
            "pause scheduler": (1, lambda: self._pause(self._random.choice(_SCHEDULERS), 12.0)),
            "kill agent": (3, self._kill_agent),
            "kill agent at a point": (4, lambda: self._arm(_AGENT_POINTS, signal.SIGKILL)),
            "pause agent past its offers": (1, lambda: self._pause("agent", 20.0)),
            "kill agent-api": (2, lambda: self._kill_child("agent-api")),
            "kill agent-api at a point": (2, lambda: self._arm(_AGENT_API_POINTS, signal.SIGKILL)),
            "pause agent-api": (1, lambda: self._pause("agent-api", 10.0)),
            "kill api": (2, lambda: self._kill_child("api")),
            "kill api at a point": (2, lambda: self._arm(_API_POINTS, signal.SIGKILL)),
            "stop PostgreSQL at once": (2, self._stop_postgres),
            "end database sessions": (2, self._terminate_backends),
            "kill Valkey": (2, self._kill_valkey),
            "flush Valkey": (3, self._flush),
            "Valkey away": (1, lambda: self._pause("valkey", 12.0)),
            "cut the agent off": (2, lambda: self._cut("agents", self._random.uniform(2.0, 10.0))),
            "cut the tenants off": (1, lambda: self._cut("clients", self._random.uniform(1.0, 4.0))),
            "lose replies to the agent": (2, lambda: self._lose("agents")),
            "lose replies to the tenants": (2, lambda: self._lose("clients")),
            "wake-ups of nothing": (3, self._wake_wildly),
        }

    # --- kills ------------------------------------------------------------------------------------------------------

    def _kill_worker(self, name: str) -> None:
        """Stop it first, so that what it holds can be read, then kill it."""
        pid = self._tree.pid(name)
        if not pid or pid in self._paused or self._is_spared("worker"):
            return
        os.kill(pid, signal.SIGSTOP)
        try:
            self._note_held(_HELD_BY_WORKER, f"%:{pid}")
        finally:
            os.kill(pid, signal.SIGKILL)
            self.counts["kills"] += 1

    def _kill_agent(self) -> None:
        if (pid := self._tree.pid("agent")) and not self._is_spared("agent"):
            self._note_held(_HELD_BY_AGENT)
            os.kill(pid, signal.SIGKILL)
            self.counts["kills"] += 1

    def _kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        if (pid := self._tree.pid(name)) and not self._is_spared(name.removesuffix("-2")):
            os.kill(pid, number)
            self.counts["kills"] += 1

    def _kill_child(self, name: str) -> None:
        """Kill a server or one of its own processes."""
        pid = self._tree.pid(name)
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if pid else []
        victim = self._random.choice([pid, *map(int, listed)])
        if victim and not self._is_spared(name):
            os.kill(victim, signal.SIGKILL)
            self.counts["kills"] += 1

    def _is_spared(self, name: str) -> bool:
        """Tell whether a process of that sort was killed a moment ago; if not, it is about to be."""
        now = time.monotonic()
        spared = now - self._killed.get(name, 0.0) < _SPARED.get(name, 0.0)
        if not spared:
            self._killed[name] = now
        return spared

    def _arm(self, points: tuple[str, ...], number: signal.Signals) -> None:
        point = self._random.choice(points)
        if point in self._armed or (number is signal.SIGKILL and self._is_spared(point.split("-after-")[0])):
            return
        self._armed.add(point)
        before = set(self._tree.victims(point))
        self._tree.arm(point, "kill" if number is signal.SIGKILL else "stop")
        self._later(lambda: self._await_victim(point, before, number))

    def _await_victim(self, point: str, before: set[int], number: signal.Signals) -> None:
        while not self._over.wait(0.02):
            if new := set(self._tree.victims(point)) - before:
                self._armed.discard(point)
                self._met(point, new.pop(), number)
                return

    def _met(self, point: str, pid: int, number: signal.Signals) -> None:
        self._history.write(what="victim", point=point, pid=pid, signal=number.name)
        with contextlib.suppress(psycopg.Error):
            if point.startswith("worker"):
                self._note_held(_HELD_BY_WORKER, f"%:{pid}")
            elif point.startswith("agent"):
                self._note_held(_HELD_BY_AGENT)
        if number is signal.SIGKILL:
            self.counts["kills"] += 1
            return
        self._paused.add(pid)
        self.counts["pauses"] += 1
        self._over.wait(_PAST_THE_LEASE)
        self._continue(pid)

    def _note_held(self, query: str, *values: object) -> None:
        at = self._tree.observer.rows("SELECT clock_timestamp() AS at")[0]["at"]
        jobs = [str(row["id"]) for row in self._tree.observer.rows(query, *values)]
        self.held.append(Held(jobs, at))
        self._history.write(what="held", at_database=at, jobs=jobs)

    # --- pauses -----------------------------------------------------------------------------------------------------

    def _pause_at_point(self) -> None:
        """Let one worker stand still; the other has to take over what it held."""
        if not self._paused.intersection(self._tree.pid(name) for name in _WORKERS):
            self._arm(("worker-after-verdict",), signal.SIGSTOP)

    def _pause(self, name: str, seconds: float) -> None:
        if not (pid := self._tree.pid(name)) or not self._held_up.acquire(blocking=False):
            return
        os.kill(pid, signal.SIGSTOP)
        self._paused.add(pid)
        self.counts["pauses"] += 1

        def wait_and_go_on() -> None:
            self._over.wait(seconds)
            self._continue(pid)
            self._held_up.release()

        self._later(wait_and_go_on)

    def _continue(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        self._paused.discard(pid)

    # --- databases, network, wake-ups -------------------------------------------------------------------------------

    def _stop_postgres(self) -> None:
        self._kill("postgres", signal.SIGQUIT)
        self.counts["restarts"] += 1

    def _terminate_backends(self) -> None:
        self._tree.observer.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s AND random() < 0.5",
            "stratoplane-%",
        )
        self.counts["kills"] += 1

    def _kill_valkey(self) -> None:
        self._kill("valkey")
        self.counts["wipes"] += 1

    def _flush(self) -> None:
        with self._valkey() as client:
            client.flushall()
        self.counts["wipes"] += 1

    def _wake_wildly(self) -> None:
        """Send wake-ups of jobs that do not exist, and one wake-up many times."""
        with self._valkey() as client:
            queue = Queue(QUEUE, connection=client)
            same = str(uuid.uuid4())
            for number in range(20):
                queue.enqueue(DRAIN, [same if number % 2 else str(uuid.uuid4())], result_ttl=0, failure_ttl=60)
        self.counts["wakeups"] += 20

    def _valkey(self) -> Redis:
        client: Redis = Redis.from_url(self._tree.redis_url, socket_timeout=2, socket_connect_timeout=2)
        return client

    def _cut(self, name: str, seconds: float) -> None:
        if not self._held_up.acquire(blocking=False):
            return
        proxy = getattr(self._tree, name)
        proxy.cut()
        self.counts["partitions"] += 1

        def heal() -> None:
            self._over.wait(seconds)
            proxy.heal()
            self._held_up.release()

        self._later(heal)

    def _lose(self, name: str) -> None:
        proxy = getattr(self._tree, name)
        proxy.loss = 0.3

        def restore() -> None:
            self._over.wait(4.0)
            proxy.loss = 0.0

        self._later(restore)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _later(self, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _heal(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        for proxy in (self._tree.agents, self._tree.clients):
            proxy.heal()
        for armed in self._tree.crashpoints.iterdir():
            if armed.suffix != ".hit":
                armed.unlink(missing_ok=True)
        stood_still = [int(each.name.split(".")[1]) for each in self._tree.crashpoints.glob("*.hit")]
        for pid in {*self._paused, *stood_still}:
            self._continue(pid)
        self._tree.mock("faults", "clear")
        self._history.write(what="healed")
