# SPDX-License-Identifier: Apache-2.0
"""Messages between agents and the control plane: lost, doubled, late and out of order, as the seed says."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from stratoplane.messages import (
    AcknowledgementAnswer,
    Acknowledgements,
    Inventory,
    OfferRequest,
    Offers,
    Operation,
    Results,
    ResultsAnswer,
)
from stratoplane.wire import from_json, to_json
from stratoplane_agent.transport import UnreachableControlPlaneError
from tests.simulation.simulated import comparison_rows, operation_rows
from tests.simulation.simulated.kernel import Kernel, Machine, Waiting
from tests.simulation.simulated.tables import Tables

_Reply = Callable[[Any], None]
_OFFERED = ("id", "epoch", "kind", "verb", "spec", "timeout_seconds", "observe_first", "trace_parent")


class Network:
    """What happens to a message on its way.

    Attributes:
        loss, doubling: shares of the messages, either way.
        slowest: seconds that a message takes at most.
        cut_until: until when nothing gets through, by cluster.
    """

    def __init__(self, kernel: Kernel, *, loss: float, doubling: float, slowest: float) -> None:
        self.kernel, self.loss, self.doubling, self.slowest = kernel, loss, doubling, slowest
        self.cut_until: dict[UUID, float] = {}
        self.counts: Counter[str] = Counter()

    def carry(self, cluster_id: UUID, call: Callable[[], object], owner: Machine | None = None) -> None:
        """Let ``call`` happen at the other end, once, more often, or never."""
        generator = self.kernel.generator
        self.counts["messages"] += 1
        if self.cut_until.get(cluster_id, 0.0) > self.kernel.now or generator.random() < self.loss:
            self.counts["lost"] += 1
            return
        self.kernel.after(self._delay(), call, owner)
        if generator.random() < self.doubling:
            self.counts["duplicated"] += 1
            self.kernel.after(self._delay() * 10, call, owner)

    def _delay(self) -> float:
        generator = self.kernel.generator
        return generator.uniform(0.001, 0.05 if generator.random() < 0.9 else self.slowest)


class Gateway:
    """The control plane's side: each message is served by the store at the moment of its arrival."""

    def __init__(self, kernel: Kernel, tables: Tables) -> None:
        self.kernel, self.tables = kernel, tables
        self._polls: dict[UUID, list[Callable[[], None]]] = {}
        self._serve: dict[str, Callable[[UUID, UUID, Any, _Reply], None]] = {
            "hello": lambda _cluster, _agent, _document, reply: reply({}),
            "offers": self._offers,
            "acknowledgements": self._acknowledge,
            "results": self._report,
            "inventory": self._inventory,
        }

    def serve(self, path: str, body: bytes, cluster_id: UUID, agent_id: UUID, reply: _Reply) -> None:
        self._serve[path.rpartition("/")[2]](cluster_id, agent_id, json.loads(body), reply)

    def resume_polls(self, cluster_id: UUID) -> None:
        """Let those that wait for a cluster's operations look again."""
        for look in self._polls.pop(cluster_id, []):
            self.kernel.after(0.0, look)

    def _offers(self, cluster_id: UUID, agent_id: UUID, document: Any, reply: _Reply) -> None:
        request = from_json(OfferRequest, document)
        self._poll(cluster_id, agent_id, request, reply, self.kernel.now + request.wait_seconds)

    def _poll(self, cluster_id: UUID, agent_id: UUID, request: OfferRequest, reply: _Reply, until: float) -> None:
        done = [False]

        def look() -> None:
            if done[0]:
                return
            start = UUID(int=self.kernel.generator.getrandbits(128))
            rows = operation_rows.offer(self.tables, cluster_id, agent_id, request.maximum, start)
            if not rows and self.kernel.now < until:
                self._polls.setdefault(cluster_id, []).append(look)
                return
            done[0] = True
            found = [Operation(uid=row["resource_id"], **{key: row[key] for key in _OFFERED}) for row in rows]
            self.kernel.say("offered", count=len(found), ids=[each.id for each in found])
            reply(to_json(Offers(operations=tuple(found))))

        look()
        if not done[0]:
            self.kernel.after(request.wait_seconds, look)

    def _acknowledge(self, cluster_id: UUID, _agent_id: UUID, document: Any, reply: _Reply) -> None:
        asked = from_json(Acknowledgements, document).operations
        accepted = operation_rows.acknowledge(self.tables, cluster_id, asked)
        refused = tuple(each.id for each in asked if each.id not in accepted)
        self.kernel.say("acknowledged", accepted=len(accepted), refused=len(refused))
        reply(to_json(AcknowledgementAnswer(accepted=tuple(sorted(accepted)), refused=refused)))

    def _report(self, cluster_id: UUID, _agent_id: UUID, document: Any, reply: _Reply) -> None:
        results = from_json(Results, document).results
        reception = operation_rows.report(self.tables, cluster_id, results)
        outcomes = [each.outcome.value for each in results]
        self.kernel.say("reported", outcomes=outcomes, accepted=len(reception.accepted), stale=len(reception.stale))
        reply(to_json(ResultsAnswer(accepted=tuple(sorted(reception.accepted)), stale=tuple(sorted(reception.stale)))))

    def _inventory(self, cluster_id: UUID, _agent_id: UUID, document: Any, reply: _Reply) -> None:
        message = from_json(Inventory, document)
        for kind in message.kinds:
            items = [item for item in message.items if item.kind == kind]
            comparison_rows.replace_inventory(self.tables, cluster_id, kind, items, message.age_seconds)
        reply({})


class SimulatedTransport:
    """An agent's way to the control plane, in place of its HTTP transport."""

    url = "simulated:"

    def __init__(self, machine: Machine, network: Network, gateway: Gateway, cluster_id: UUID, agent_id: UUID) -> None:
        self._machine, self._network, self._gateway = machine, network, gateway
        self._cluster_id, self._agent_id = cluster_id, agent_id

    def post(self, path: str, body: bytes, *, seconds: float) -> Any:
        """Send a message and wait for its answer, at most ``seconds``."""
        kernel, waiting = self._machine.kernel, Waiting(self._machine)
        name = path.rpartition("/")[2]

        def reply(document: Any) -> None:
            self._network.carry(self._cluster_id, lambda: kernel.wake(waiting, document), self._machine)

        def arrive() -> None:
            self._gateway.serve(path, body, self._cluster_id, self._agent_id, reply)

        self._network.carry(self._cluster_id, arrive)
        if not kernel.park(waiting, seconds):
            raise UnreachableControlPlaneError(f"no answer to {name}")
        return waiting.answer
