# SPDX-License-Identifier: Apache-2.0
"""The agent of a cluster, played through the same services that serve real agents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from stratoplane.drivers import Capacity
from stratoplane.ids import new_id
from stratoplane.messages import (
    AcknowledgementAnswer,
    Acknowledgements,
    Inventory,
    InventoryItem,
    OfferRequest,
    Operation,
    OperationReference,
    OperationResult,
    Outcome,
    Results,
    ResultsAnswer,
)
from stratoplane_engine.db.connection import Database
from stratoplane_engine.services import agents
from stratoplane_engine.services.agent_authentication import AgentIdentity

Behaviour = Callable[[Operation], OperationResult | None]
"""What the agent answers to an operation; None to leave it open."""
KINDS = ("bucket", "network", "virtual_machine", "volume")


@dataclass(kw_only=True)
class FakeAgent:
    """The agent of one cluster."""

    database: Database
    identity: AgentIdentity

    def offers(self, maximum: int = 200) -> tuple[Operation, ...]:
        request = OfferRequest(maximum=maximum, wait_seconds=0)
        return agents.take_offers(self.database, self.identity, request).operations

    def acknowledge(self, *operations: Operation) -> AcknowledgementAnswer:
        references = tuple(OperationReference(id=each.id, epoch=each.epoch) for each in operations)
        return agents.acknowledge(self.database, self.identity, Acknowledgements(operations=references))

    def report(self, *results: OperationResult) -> ResultsAnswer:
        return agents.report_results(self.database, self.identity, Results(results=results))

    def done(self, operation: Operation) -> OperationResult:
        """Return the result of an operation that went well."""
        outcome = OperationResult(id=operation.id, epoch=operation.epoch, outcome=Outcome.DONE)
        if operation.verb in {"delete", "reboot"}:
            return outcome
        if operation.verb == "console_log":
            return replace(outcome, status={"text": "login:"})
        cards: Any = operation.spec.get("interfaces", ())
        status = {**operation.spec, "provider_reference": f"native-{operation.uid}"}
        status["addresses"] = [{**card, "address": f"10.0.0.{at + 2}"} for at, card in enumerate(cards)]
        return replace(outcome, status=status)

    def failed(
        self, operation: Operation, outcome: Outcome = Outcome.PERMANENT, *, code: str = "", detail: str = "no"
    ) -> OperationResult:
        """Return the result of an operation that did not go well."""
        words = f"provider says {detail}"
        return OperationResult(
            id=operation.id, epoch=operation.epoch, outcome=outcome, code=code, detail=detail, provider_text=words
        )

    def recording(self, asked: list[tuple[str, Any]], *failing: str) -> Behaviour:
        """Note the verb and spec of every operation; those with ``failing`` verbs fail for good, once for each."""
        left = list(failing)

        def behave(operation: Operation) -> OperationResult:
            asked.append((operation.verb, operation.spec))
            if operation.verb in left:
                left.remove(operation.verb)
                return self.failed(operation, code="no_capacity_at_provider", detail="no room")
            return self.done(operation)

        return behave

    def work(self, behave: Behaviour | None = None) -> int:
        """Take, acknowledge, perform and report what is open; what ``behave`` answers None to stays open."""
        operations = self.offers()
        if operations:
            self.acknowledge(*operations)
            answers = [(behave or self.done)(each) for each in operations]
            self.report(*(each for each in answers if each))
        return len(operations)

    def list_inventory(self, items: Mapping[UUID, tuple[str, Mapping[str, object]]], *kinds: str) -> None:
        """Report that the cluster holds ``items`` (uid to kind and status) and nothing else of the ``kinds``."""
        listed = tuple(InventoryItem(uid=uid, kind=kind, status=status) for uid, (kind, status) in items.items())
        capacity = Capacity(vcpus=10_000, memory_mib=10_000_000, storage_gib=100_000)
        listing = Inventory(kinds=kinds or KINDS, items=listed, capacity=capacity)
        agents.report_inventory(self.database, self.identity, listing)


def fake_agent(database: Database, cluster_id: UUID) -> FakeAgent:
    """Return an agent of a cluster that was enrolled before."""
    identity = AgentIdentity(id=new_id(), name="agent", cluster_id=cluster_id, cluster="")
    return FakeAgent(database=database, identity=identity)
