# SPDX-License-Identifier: Apache-2.0
"""Let thousands of simulated agents poll one agents' API, wake them, restart it under them, and print JSON.

    make bench-agents                       5,000 agents
    make bench-agents ARGS="--agents 500"   fewer

Each agent is one connection with a key of its own and signs every request, as the real one does. They and everything
that serves them share one machine, so the cost of simulating them is within the figures.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stratoplane.signatures import Message, sign_request
from tests.bench.installation import Installation
from tests.bench.report import percentile

PREFIX = "/api/agent/v1"
POLL = b'{"maximum":8,"wait_seconds":50}'
_WAIT_SECONDS = 180.0
_SINGLE_WAKES = 300
_CLUSTERS = """
WITH made AS (
    INSERT INTO cluster (id, name) SELECT id, 'bench-' || id FROM unnest(%(clusters)s::uuid[]) AS id RETURNING id
),
joined AS (
    INSERT INTO agent (id, cluster_id, name, protocol) SELECT a, c, 'bench', 3
    FROM unnest(%(agents)s::uuid[], %(clusters)s::uuid[]) AS pair(a, c) RETURNING id
)
INSERT INTO agent_key (agent_id, generation, public_key)
SELECT a, 1, k FROM unnest(%(agents)s::uuid[], %(keys)s::text[]) AS pair(a, k)
"""
_OFFER = """
WITH made AS (
    INSERT INTO operation (id, organization_id, job_id, position, cluster_id, resource_id, kind, verb, state,
        timeout_seconds, deadline_at)
    SELECT gen_random_uuid(), j.organization_id, j.id, 99, c, gen_random_uuid(), 'bucket', 'bench', 'QUEUED', 600,
        now() + interval '1 hour' FROM unnest(%(clusters)s::uuid[]) AS c, (SELECT * FROM job LIMIT 1) AS j
    RETURNING cluster_id
)
SELECT count(pg_notify('stratoplane_operation', cluster_id::text)) FROM made
"""
_FORGET = "DELETE FROM operation WHERE verb = 'bench'"
_POLLING = "SELECT count(DISTINCT agent_id) FROM agent_nonce WHERE expires_at > %s + interval '125 seconds'"


@dataclass(kw_only=True)
class Swarm:
    """What the simulated agents share.

    Attributes:
        answers: how often each status or failure came.
        woken: when an offer for a cluster arrived.
    """

    host: str
    port: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    answers: Counter[str] = field(default_factory=Counter)
    woken: dict[str, float] = field(default_factory=dict)
    polling: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class SimulatedAgent:
    """One agent: polls, and comes back with full jitter after a failure, as the real one."""

    swarm: Swarm
    id: str
    cluster: str
    key: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    async def live(self) -> None:
        failures = 0
        while not self.swarm.stop.is_set():
            try:
                reader, writer = await asyncio.open_connection(self.swarm.host, self.swarm.port)
                try:
                    while not self.swarm.stop.is_set():
                        await self._poll(reader, writer)
                        failures = 0
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.swarm.polling.discard(self.id)
                self.swarm.answers[type(error).__name__] += 1
                failures += 1
                await asyncio.sleep(random.uniform(0.05, min(30.0, 0.2 * 2**failures)))

    async def _poll(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wait for operations, and take what comes; nobody carries it out."""
        await self._send(writer, "offers", POLL)
        self.swarm.polling.add(self.id)
        operations = json.loads(await self._answer(reader))["operations"]
        if operations:
            self.swarm.woken.setdefault(self.cluster, time.monotonic())
            named = [{"id": each["id"], "epoch": each["epoch"]} for each in operations]
            await self._send(writer, "acknowledgements", json.dumps({"operations": named}).encode())
            await self._answer(reader)

    async def _send(self, writer: asyncio.StreamWriter, name: str, body: bytes) -> None:
        path = f"{PREFIX}/{name}"
        proof = sign_request(
            Message(method="POST", path=path),
            body,
            key_id=f"{self.id}:1",
            created=int(time.time()),
            sign=self.key.sign,
        )
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{key}: {value}" for key, value in proof.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-len"))
        body = await reader.readexactly(length)
        status = head.split(b" ", 2)[1].decode()
        self.swarm.answers[status] += 1
        if status != "200":
            raise ValueError(status)
        return body


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--agents", type=int, default=5000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spagents") as folder, Installation(Path(folder)) as installation:
        print(json.dumps(asyncio.run(_measure(installation, arguments.agents)), indent=2))
    return 0


async def _measure(installation: Installation, count: int) -> dict[str, Any]:
    facts = installation.supervisor()
    place = urlsplit(facts["agent_url"])
    swarm = Swarm(host=place.hostname or "", port=place.port or 0)
    swarm_of = [
        SimulatedAgent(swarm=swarm, id=str(uuid.uuid4()), cluster=str(uuid.uuid4()), key=Ed25519PrivateKey.generate())
        for _ in range(count)
    ]
    with psycopg.connect(facts["database_url"], autocommit=True) as connection:
        connection.execute("SET ROLE stratoplane_system")
        _enrol(connection, swarm_of)
        before, load = _memory(installation), os.getloadavg()[0]
        began = time.monotonic()
        tasks = [asyncio.create_task(each.live()) for each in swarm_of]
        await _until_all_poll(connection, count, _now(connection))
        joined = time.monotonic() - began
        waiting = _memory(installation)
        single = await _wake_singly(connection, swarm, swarm_of)
        burst = await _wake_all(connection, swarm, swarm_of)
        processor = await _idle_processor(installation)
        storm = await _restart(connection, installation, swarm, count)
        swarm.stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "machine": {"cores": os.cpu_count(), "load_before": round(load, 2)},
        "agents": count,
        "seconds_until_all_poll_first": round(joined, 2),
        "memory_mib_before": round(before / 1024, 1),
        "memory_mib_waiting": round(waiting / 1024, 1),
        "memory_kib_per_agent": round((waiting - before) / count, 1),
        "wake_one_ms": single,
        "wake_all_at_once_ms": burst,
        "idle_cores_of_agent_api": processor,
        "restart": storm,
    }


def _enrol(connection: psycopg.Connection[Any], agents: list[SimulatedAgent]) -> None:
    parameters = {
        "clusters": [each.cluster for each in agents],
        "agents": [each.id for each in agents],
        "keys": [each.public_key for each in agents],
    }
    with connection.transaction():
        connection.execute(_CLUSTERS, parameters)


def _now(connection: psycopg.Connection[Any]) -> Any:
    (moment,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    return moment


async def _until_all_poll(connection: psycopg.Connection[Any], count: int, since: Any) -> None:
    """Wait until every agent was admitted since then; a poll without work is held from there on."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        (found,) = connection.execute(_POLLING, [since]).fetchone() or (0,)
        if found >= count:
            return
        if time.monotonic() > until:
            raise TimeoutError(f"only {found} of {count} agents poll")
        await asyncio.sleep(0.2)


async def _wake_singly(
    connection: psycopg.Connection[Any], swarm: Swarm, agents: list[SimulatedAgent]
) -> dict[str, float]:
    """Give one agent after the other something to do while all the others wait."""
    times = []
    for agent in random.sample(agents, min(_SINGLE_WAKES, len(agents))):
        connection.execute(_OFFER, {"clusters": [agent.cluster]})
        began = time.monotonic()
        times.append(await _woken(swarm, {agent.cluster}) - began)
        await asyncio.sleep(0.02)
    connection.execute(_FORGET)
    return _shares(times)


async def _wake_all(
    connection: psycopg.Connection[Any], swarm: Swarm, agents: list[SimulatedAgent]
) -> dict[str, float]:
    """Give every agent something to do in one moment."""
    swarm.woken.clear()
    connection.execute(_OFFER, {"clusters": [each.cluster for each in agents]})
    began = time.monotonic()
    await _woken(swarm, {each.cluster for each in agents})
    connection.execute(_FORGET)
    return _shares([moment - began for moment in swarm.woken.values()])


async def _woken(swarm: Swarm, clusters: set[str]) -> float:
    until = time.monotonic() + _WAIT_SECONDS
    while not clusters <= swarm.woken.keys():
        if time.monotonic() > until:
            raise TimeoutError(f"{len(clusters - swarm.woken.keys())} agents were not woken")
        await asyncio.sleep(0.001 if len(clusters) == 1 else 0.1)
    return max(swarm.woken[cluster] for cluster in clusters)


async def _idle_processor(installation: Installation) -> float:
    """Return how much of a core the agents' API uses while everybody waits."""
    await asyncio.sleep(5)
    seconds = 20.0
    before = _processor(installation)
    await asyncio.sleep(seconds)
    return round((_processor(installation) - before) / seconds, 3)


async def _restart(
    connection: psycopg.Connection[Any], installation: Installation, swarm: Swarm, count: int
) -> dict[str, Any]:
    """Kill the agents' API; the supervisor starts it again, and everybody comes back."""
    swarm.answers.clear()
    killed, began = _now(connection), time.monotonic()
    for process in _processes(installation):
        os.kill(process, signal.SIGKILL)
    await _until_all_poll(connection, count, killed)
    seconds = time.monotonic() - began
    return {"seconds_until_all_poll": round(seconds, 2), "answers": dict(swarm.answers)}


def _processes(installation: Installation) -> list[int]:
    """Return the agents' API: gunicorn's master and its worker."""
    (child,) = (each for each in installation.supervisor()["children"] if each["name"] == "agent-api")
    master = int(child["process"]["pid"])
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [master, *map(int, workers)]


def _memory(installation: Installation) -> int:
    """Return the private memory of the agents' API, KiB."""
    total = 0
    for process in _processes(installation):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total


def _processor(installation: Installation) -> float:
    """Return the processor time of the agents' API, seconds."""
    ticks = 0
    for process in _processes(installation):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _shares(seconds: list[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(seconds, 0.5) * 1000, 1),
        "p99": round(percentile(seconds, 0.99) * 1000, 1),
        "max": round(max(seconds) * 1000, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
