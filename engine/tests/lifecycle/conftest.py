# SPDX-License-Identifier: Apache-2.0
"""A site: one tenant, one cluster, and the cluster's agent, which the tests play by hand."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import insert, make_url, text

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
from stratoplane.quota import DEFAULT_LIMITS, UNLIMITED, Amount
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.access.permissions import Grant, Permission
from stratoplane_engine.db import tables
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import agents, jobs, resources

Behaviour = Callable[[Operation], OperationResult | None]
KINDS = ("bucket", "network", "virtual_machine", "volume")
_LARGE: Mapping[str, Any] = {
    "features": ["buckets", "compute", "console_log", "network", "reboot", "resize", "storage"],
    "vcpus_total": 10_000,
    "memory_mib_total": 10_000_000,
    "storage_gib_total": 100_000,
}


@pytest.fixture
def fresh_database_url(postgresql_server: str, database_template: str) -> Iterator[str]:
    """URL of a migrated database that nobody else touches."""
    name = f"alone_{uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        names = (sql.Identifier(name), sql.Identifier(database_template))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        yield make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(fresh_database_url: str) -> Iterator[Database]:
    """A migrated database that nobody else touches."""
    opened = Database(fresh_database_url, application="tests")
    yield opened
    opened.close()


@dataclass(kw_only=True)
class Hand:
    """The agent of a cluster, played by hand through the same services that serve real agents."""

    database: Database
    identity: agents.AgentIdentity

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


@dataclass(kw_only=True)
class Site:
    """An organization with a project, a cluster with its agent, a flavor and an image."""

    database: Database
    plugins: Plugins
    organization_id: UUID
    project_id: UUID
    cluster_id: UUID
    cluster: str
    flavor: str
    image: str
    hand: Hand
    actor: Actor
    generator: random.Random = field(default_factory=lambda: random.Random(7))

    def context(self, **changes: Any) -> RequestContext:
        return RequestContext(actor=self.actor, organization_id=self.organization_id, **changes)

    def operator(self) -> RequestContext:
        """Return a request of the platform's own people."""
        grant = Grant(scope=Scope.PLATFORM, organization_id=self.organization_id, permissions=frozenset(Permission))
        return replace(self.context(), actor=replace(self.actor, grants=(grant,)))

    def create(self, kind: str, *, context: RequestContext | None = None, **body: Any) -> Accepted:
        if kind == "virtual_machine":
            source = {} if "boot_volume_id" in body or "image" in body else {"image": self.image}
            body = {"flavor": self.flavor, **source, **body}
        body = {"name": f"it-{uuid4().hex[:12]}", **body}
        asker = context or self.context()
        return resources.create(self.database, self.plugins, asker, self.project_id, kind, body)

    def update(self, made: Accepted, *, context: RequestContext | None = None, **patch: Any) -> Accepted:
        kind, identifier = self.kind_and_id(made)
        asker = context or self.context()
        return resources.update(self.database, self.plugins, asker, self.project_id, kind, identifier, patch)

    def delete(self, made: Accepted, *, context: RequestContext | None = None) -> Accepted:
        kind, identifier = self.kind_and_id(made)
        asker = context or self.context()
        return resources.delete(self.database, self.plugins, asker, self.project_id, kind, identifier)

    def act(self, made: Accepted, action: str, *, context: RequestContext | None = None) -> Accepted:
        identifier = UUID(str(made.resource["id"]))
        return resources.act(self.database, context or self.context(), self.project_id, identifier, action)

    def get(self, made: Accepted) -> dict[str, Any]:
        kind, identifier = self.kind_and_id(made)
        return resources.get(self.database, self.context(), self.project_id, kind, identifier)

    def kind_and_id(self, made: Accepted) -> tuple[str, UUID]:
        identifier = UUID(str(made.resource["id"]))
        return str(self.row(made)["kind"]), identifier

    def row(self, made: Accepted) -> dict[str, Any]:
        return self.rows("SELECT * FROM resource WHERE id = :id", id=made.resource["id"])[0]

    def job(self, made: Accepted) -> dict[str, Any]:
        assert made.job is not None
        return jobs.get_job(self.database, self.context(), self.project_id, UUID(str(made.job["id"])))

    def list_objects(self, **changes: Any) -> None:
        """Let the cluster show everything as it was observed, with ``changes`` to every object, a minute later."""
        rows = self.rows(
            "SELECT id, kind, observed FROM resource WHERE cluster_id = :id AND deleted_at IS NULL"
            " AND observed <> '{}'",
            id=self.cluster_id,
        )
        self.execute("UPDATE resource SET updated_at = updated_at - interval '1 minute'")
        self.hand.list_inventory({row["id"]: (row["kind"], {**row["observed"], **changes}) for row in rows})

    def drain(self) -> int:
        return drain(self.database, self.plugins, owner="test", generator=self.generator)

    def settle(self, behave: Behaviour | None = None) -> None:
        """Be worker and agent until there is nothing left that can be done; times to wait are skipped."""
        for _ in range(200):
            moved = self.drain() + self.hand.work(behave)
            if not moved and not self.hurry():
                return
        raise AssertionError("the jobs never come to rest")

    def take_back_offers(self) -> None:
        """Let the time pass in which an agent may acknowledge what it was offered."""
        self.execute("UPDATE operation SET offered_until = clock_timestamp() - interval '1 second'")

    def hurry(self) -> int:
        """Let the time of every job that waits or will be retried, and of open circuits, come; return how many."""
        circuits = "UPDATE circuit SET open_until = clock_timestamp() WHERE open_until > clock_timestamp()"
        return self.execute(circuits) + self.execute(
            "UPDATE job SET next_run_at = clock_timestamp() WHERE organization_id = :organization"
            " AND state IN ('RUNNING', 'RETRYING') AND next_run_at > clock_timestamp()",
            organization=self.organization_id,
        )

    def made(self, kind: str, **body: Any) -> Accepted:
        """Create something and bring it to rest."""
        accepted = self.create(kind, **body)
        self.settle()
        assert self.job(accepted)["state"] == "SUCCEEDED", self.job(accepted)
        return accepted

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with self.database.system() as connection:
            return [row._asdict() for row in connection.execute(text(statement), parameters)]

    def execute(self, statement: str, **parameters: Any) -> int:
        with self.database.system() as connection:
            return connection.execute(text(statement), parameters).rowcount

    def limit(self, key: str, amount: int, *, scope_id: UUID | None = None) -> None:
        """Set the limit of a quota, the organization's unless ``scope_id`` is that of a project."""
        self.execute(
            "UPDATE quota SET limit_amount = :limit WHERE scope_id = :scope AND key = :key",
            limit=amount,
            scope=scope_id or self.organization_id,
            key=key,
        )

    def used(self) -> Mapping[str, int]:
        """Return what the organization's quotas have in use, without what is not used."""
        lines = self.rows("SELECT key, used FROM quota WHERE scope_id = :id AND used > 0", id=self.organization_id)
        return {line["key"]: line["used"] for line in lines}

    def everything(self) -> dict[str, int]:
        """Return how many rows every table has."""
        names = [table.name for table in tables.metadata.sorted_tables]
        counts = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in names)  # noqa: S608  # our tables
        return self.rows(f"SELECT {counts}")[0]

    def check_accounts(self) -> None:
        """Assert that quotas and claims are what the resources hold, counted anew, and within their limits."""
        held = self.rows(
            "SELECT s.scope_id, h.key, sum(h.value::bigint)::bigint AS amount FROM resource r,"
            " jsonb_each_text(r.quota_usage) h, LATERAL (VALUES (r.organization_id), (r.project_id)) AS s(scope_id)"
            " WHERE r.organization_id = :organization GROUP BY 1, 2",
            organization=self.organization_id,
        )
        lines = self.rows(
            "SELECT scope_id, key, used, limit_amount FROM quota WHERE organization_id = :organization",
            organization=self.organization_id,
        )
        counted = {(row["scope_id"], row["key"]): row["amount"] for row in held if row["amount"]}
        assert {(row["scope_id"], row["key"]): row["used"] for row in lines if row["used"]} == counted
        assert [row for row in lines if -1 < row["limit_amount"] < row["used"]] == []
        wrong = self.rows(
            "SELECT c.name FROM cluster c CROSS JOIN LATERAL ("
            "SELECT coalesce(sum((quota_usage->>'vcpus')::bigint), 0) AS v,"
            " coalesce(sum((quota_usage->>'memory_mib')::bigint), 0) AS m,"
            " coalesce(sum((quota_usage->>'storage_gib')::bigint), 0) AS s FROM resource r WHERE r.cluster_id = c.id) h"
            " WHERE (c.vcpus_claimed, c.memory_mib_claimed, c.storage_gib_claimed) <> (h.v, h.m, h.s)"
            " OR h.v > c.vcpus_total OR h.m > c.memory_mib_total OR h.s > c.storage_gib_total"
        )
        assert wrong == []

    def add_cluster(self, *, seen_at: str = "clock_timestamp()", **columns: Any) -> tuple[UUID, str]:
        """Add a cluster that is online, able and large unless ``columns`` say otherwise; return its id and name."""
        identifier = new_id()
        name = f"cluster-{identifier.hex[-12:]}"
        values = {"id": identifier, "name": name, **_LARGE, **columns}
        with self.database.system() as connection:
            connection.execute(insert(tables.cluster).values(**values, seen_at=text(seen_at)))
        return identifier, name

    def add_flavor(self, name: str, vcpus: int, memory_mib: int, disk_gib: int) -> str:
        """Add a flavor and return its name, which begins with ``name``."""
        unique, sizes = f"{name}-{self.flavor}", {"vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib}
        with self.database.system() as connection:
            connection.execute(insert(tables.flavor).values(id=new_id(), name=unique, **sizes))
        return unique

    def neighbour(self) -> "Site":
        """Return the same installation as somebody in another project of the same organization sees it."""
        with self.database.system() as connection:
            return replace(self, project_id=_add_project(connection, self.organization_id))

    def hand_of(self, cluster_id: UUID) -> Hand:
        return _hand(self.database, cluster_id)


def _hand(database: Database, cluster_id: UUID) -> Hand:
    identity = agents.AgentIdentity(id=new_id(), name="hand", cluster_id=cluster_id, cluster="")
    return Hand(database=database, identity=identity)


def _add_quota(connection: Connection, organization_id: UUID, scope_id: UUID, limits: Amount) -> None:
    lines = [
        {"organization_id": organization_id, "scope_id": scope_id, "key": key.value, "limit_amount": limit}
        for key, limit in limits.items()
    ]
    connection.execute(insert(tables.quota).values(lines))


def _add_project(connection: Connection, organization_id: UUID) -> UUID:
    project_id = new_id()
    values = {"id": project_id, "organization_id": organization_id, "name": project_id.hex[-12:]}
    connection.execute(insert(tables.project).values(**values))
    _add_quota(connection, organization_id, project_id, dict.fromkeys(DEFAULT_LIMITS, UNLIMITED))
    return project_id


def _add_tenant(connection: Connection, organization_id: UUID) -> tuple[UUID, str, str]:
    word = organization_id.hex[-12:]
    flavor, image = f"small-{word}", f"debian-{word}"
    connection.execute(insert(tables.organization).values(id=organization_id, name=word))
    _add_quota(connection, organization_id, organization_id, DEFAULT_LIMITS)
    sizes = {"vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
    connection.execute(insert(tables.flavor).values(id=new_id(), name=flavor, **sizes))
    connection.execute(insert(tables.image).values(id=new_id(), name=image, source="debian.qcow2"))
    return _add_project(connection, organization_id), flavor, image


def _build_site(database: Database) -> Site:
    """Put a new tenant with a cluster of its own into a database."""
    organization_id, user_id = new_id(), new_id()
    with database.system() as connection:
        project_id, flavor, image = _add_tenant(connection, organization_id)
    grant = Grant(scope=Scope.ORGANIZATION, organization_id=organization_id, permissions=frozenset(Permission))
    actor = Actor(
        id=user_id, name="user:alice", organization_id=organization_id, credential_id=user_id, grants=(grant,)
    )
    bare = Site(
        database=database,
        plugins=Plugins.load(),
        organization_id=organization_id,
        project_id=project_id,
        cluster_id=organization_id,
        cluster="",
        flavor=flavor,
        image=image,
        hand=_hand(database, organization_id),
        actor=actor,
    )
    cluster_id, cluster = bare.add_cluster()
    return replace(bare, cluster_id=cluster_id, cluster=cluster, hand=_hand(database, cluster_id))


@pytest.fixture(scope="session")
def build_site() -> Callable[[Database], Site]:
    """``build_site(database)`` puts a new tenant with a cluster of its own into a database."""
    return _build_site


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    """A tenant with a cluster of its own; other tests' clusters and jobs are out of the way."""
    made = _build_site(database)
    yield made
    made.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL")
    made.execute("UPDATE job SET state = 'CANCELLED' WHERE state IN ('PENDING', 'RUNNING', 'RETRYING')")


@pytest.fixture
def fresh_site(fresh_database: Database) -> Site:
    """A tenant with a cluster, alone in a database."""
    return _build_site(fresh_database)


@pytest.fixture
def other_site(site: Site) -> Site:
    """Another organization beside ``site``, with a cluster of its own."""
    return _build_site(site.database)
