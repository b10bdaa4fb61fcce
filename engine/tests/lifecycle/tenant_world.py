# SPDX-License-Identifier: Apache-2.0
"""A tenant's world: an organization with a project, a cluster and its agent, and everything that may happen in it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from engine.tests.lifecycle.fake_agent import Behaviour, FakeAgent, fake_agent
from engine.tests.lifecycle.ledger import check_ledger
from stratoplane.ids import new_id
from stratoplane.jobs import JobState
from stratoplane.quota import DEFAULT_LIMITS, UNLIMITED, Amount
from stratoplane.wire import to_json
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.access.permissions import Grant, Permission
from stratoplane_engine.db import tables
from stratoplane_engine.db.connection import Connection, Database, dump_json
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.jobs.worker_loop import drain
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.identity import Scope
from stratoplane_engine.model.job import Job
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.model.waiting import waiting_of
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import jobs, resources, virtual_machines
from stratoplane_engine.services.changes.create import create_resource
from stratoplane_engine.services.changes.delete import delete_resource
from stratoplane_engine.services.changes.request import ChangeRequest
from stratoplane_engine.services.changes.update import update_resource

_LARGE: Mapping[str, Any] = {
    "features": ["buckets", "compute", "console_log", "network", "reboot", "resize", "storage"],
    "vcpus_total": 10_000,
    "memory_mib_total": 10_000_000,
    "storage_gib_total": 100_000,
}


@dataclass(kw_only=True)
class TenantWorld:
    """An organization with a project, a cluster with its agent, a flavor and an image."""

    database: Database
    plugins: Plugins
    organization_id: UUID
    project_id: UUID
    cluster_id: UUID
    cluster: str
    flavor: str
    image: str
    agent: FakeAgent
    actor: Actor
    generator: random.Random = field(default_factory=lambda: random.Random(7))
    left: dict[Any, Any] = field(default_factory=dict)
    listed: dict[Any, Any] = field(default_factory=dict)

    def context(self, **changes: Any) -> RequestContext:
        return RequestContext(actor=self.actor, organization_id=self.organization_id, **changes)

    def operator(self) -> RequestContext:
        """Return a request of the platform's own people."""
        grant = Grant(scope=Scope.PLATFORM, organization_id=self.organization_id, permissions=frozenset(Permission))
        return replace(self.context(), actor=replace(self.actor, grants=(grant,)))

    def request(self, kind: str, context: RequestContext | None = None) -> ChangeRequest:
        return ChangeRequest(
            context=context or self.context(),
            project_id=self.project_id,
            kind=self.database.kinds[kind],
            plugins=self.plugins,
        )

    def create(self, kind: str, *, context: RequestContext | None = None, **members: Any) -> ChangeResult:
        """Create a resource from the members of a request, ids and all as the API's JSON has them."""
        if kind == "virtual_machine":
            source = {} if "boot_volume_id" in members or "image" in members else {"image": self.image}
            members = {"flavor": self.flavor, **source, **members}
        document = to_json({"name": f"it-{uuid4().hex[:12]}", **members})
        request = self.request(kind, context)
        return create_resource(self.database, request, request.kind.read_request(document))

    def update(self, made: ChangeResult, *, context: RequestContext | None = None, **members: Any) -> ChangeResult:
        request = self.request(made.resource.kind, context)
        patch = request.kind.read_patch(to_json(members))
        return update_resource(self.database, request, made.resource.id, patch)

    def delete(self, made: ChangeResult, *, context: RequestContext | None = None) -> ChangeResult:
        return delete_resource(self.database, self.request(made.resource.kind, context), made.resource.id)

    def reboot(self, made: ChangeResult, *, context: RequestContext | None = None) -> ChangeResult:
        asker = context or self.context()
        return virtual_machines.reboot_virtual_machine(
            self.database, asker, self.project_id, made.resource.id, plugins=self.plugins
        )

    def read_console(self, made: ChangeResult, *, context: RequestContext | None = None) -> ChangeResult:
        asker = context or self.context()
        return virtual_machines.read_virtual_machine_console(
            self.database, asker, self.project_id, made.resource.id, plugins=self.plugins
        )

    def act(self, made: ChangeResult, verb: str, *, context: RequestContext | None = None) -> ChangeResult:
        """Ask for ``reboot`` or ``read_console``."""
        asked = {"reboot": self.reboot, "read_console": self.read_console}[verb]
        return asked(made, context=context)

    def get(self, made: ChangeResult) -> Resource[Any]:
        kind = self.database.kinds[made.resource.kind]
        return resources.get_resource(self.database, self.context(), self.project_id, kind, made.resource.id)

    def row(self, made: ChangeResult) -> dict[str, Any]:
        return self.rows("SELECT * FROM resource WHERE id = :id", id=made.resource.id)[0]

    def job(self, made: ChangeResult) -> Job:
        return jobs.get_job(self.database, self.context(), self.project_id, self.job_id(made))

    def waits_for(self, made: ChangeResult) -> str:
        """Return what the change's job waits for, empty for nothing."""
        waiting = waiting_of(self.job(made))
        return "" if waiting is None else str(waiting)

    def job_id(self, made: ChangeResult) -> UUID:
        assert made.job is not None
        return made.job.id

    def list_objects(self, **changes: Any) -> None:
        """Let the cluster show everything as its jobs left it, with ``changes`` to every object, a minute later."""
        rows = self.rows(
            "SELECT id, kind, observed FROM resource WHERE cluster_id = :id AND deleted_at IS NULL"
            " AND observed <> '{}'",
            id=self.cluster_id,
        )
        self.execute("UPDATE resource SET updated_at = updated_at - interval '1 minute'")
        for row in rows:
            if row["observed"] != self.listed.get(row["id"]):
                self.left[row["id"]] = row["observed"]
        self.listed = {row["id"]: {**self.left[row["id"]], **changes} for row in rows}
        self.agent.list_inventory({row["id"]: (row["kind"], self.listed[row["id"]]) for row in rows})

    def drain(self) -> int:
        return drain(self.database, self.plugins, owner="test", generator=self.generator)

    def settle(self, behave: Behaviour | None = None) -> None:
        """Be worker and agent until there is nothing left that can be done; times to wait are skipped."""
        idle = 0
        for _ in range(200):
            # Looked at twice: the time of a job may come between the look for it and the look at those that wait.
            idle = 0 if self.drain() + self.agent.work(behave) or self.hurry() else idle + 1
            if idle == 2:
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

    def made(self, kind: str, **body: Any) -> ChangeResult:
        """Create something and bring it to rest."""
        accepted = self.create(kind, **body)
        self.settle()
        assert self.job(accepted).state is JobState.SUCCEEDED, self.job(accepted)
        return accepted

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with self.database.system() as connection:
            return connection.documents(Statement(statement), parameters)

    def execute(self, statement: str, **parameters: Any) -> int:
        with self.database.system() as connection:
            return connection.run(Statement(statement), parameters)

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
        """Assert that quotas and claims are what the resources take, and within their limits."""
        check_ledger(self.database, self.organization_id)

    def add_cluster(self, *, seen_at: str = "clock_timestamp()", **columns: Any) -> tuple[UUID, str]:
        """Add a cluster that is online, able and large unless ``columns`` say otherwise; return its id and name."""
        identifier = new_id()
        name = f"cluster-{identifier.hex[-12:]}"
        with self.database.system() as connection:
            insert_row(connection, "cluster", {"id": identifier, "name": name, **_LARGE, **columns})
            connection.run(Statement(f"UPDATE cluster SET seen_at = {seen_at} WHERE id = :id"), {"id": identifier})  # noqa: S608  # of tests
        return identifier, name

    def add_user(self, username: str) -> None:
        """Add a user of the organization, if there is none of that name yet."""
        self.execute(
            "INSERT INTO user_account (id, organization_id, username, password_hash)"
            " VALUES (gen_random_uuid(), :home, :username, '') ON CONFLICT DO NOTHING",
            home=self.organization_id,
            username=username,
        )

    def add_flavor(self, name: str, vcpus: int, memory_mib: int, disk_gib: int) -> str:
        """Add a flavor and return its name, which begins with ``name``."""
        unique, sizes = f"{name}-{self.flavor}", {"vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib}
        with self.database.system() as connection:
            insert_row(connection, "flavor", {"id": new_id(), "name": unique, **sizes})
        return unique

    def neighbour(self) -> "TenantWorld":
        """Return the same installation as somebody in another project of the same organization sees it."""
        with self.database.system() as connection:
            return replace(self, project_id=add_project(connection, self.organization_id))

    def hand_of(self, cluster_id: UUID) -> FakeAgent:
        return fake_agent(self.database, cluster_id)


def insert_row(connection: Connection, table: str, values: Mapping[str, Any]) -> None:
    """Insert a row; columns that are not named take their defaults."""
    columns = ", ".join(values)
    connection.run(
        Statement(
            f"INSERT INTO {table} ({columns})"  # noqa: S608  # names of tests
            f" SELECT {columns} FROM jsonb_populate_record(NULL::{table}, CAST(:row AS jsonb))"
        ),
        {"row": dump_json(dict(values))},
    )


def add_quota(connection: Connection, organization_id: UUID, scope_id: UUID, limits: Amount) -> None:
    """Give a scope its limits."""
    for key, limit in limits.items():
        line = {"organization_id": organization_id, "scope_id": scope_id, "key": str(key), "limit_amount": limit}
        insert_row(connection, "quota", line)


def add_project(connection: Connection, organization_id: UUID) -> UUID:
    """Add a project without limits of its own and return its id."""
    project_id = new_id()
    values = {"id": project_id, "organization_id": organization_id, "name": project_id.hex[-12:]}
    insert_row(connection, "project", values)
    add_quota(connection, organization_id, project_id, dict.fromkeys(DEFAULT_LIMITS, UNLIMITED))
    return project_id


def _add_tenant(connection: Connection, organization_id: UUID) -> tuple[UUID, str, str]:
    word = organization_id.hex[-12:]
    flavor, image = f"small-{word}", f"debian-{word}"
    insert_row(connection, "organization", {"id": organization_id, "name": word})
    add_quota(connection, organization_id, organization_id, DEFAULT_LIMITS)
    sizes = {"vcpus": 1, "memory_mib": 1024, "disk_gib": 10}
    insert_row(connection, "flavor", {"id": new_id(), "name": flavor, **sizes})
    insert_row(connection, "image", {"id": new_id(), "name": image, "source": "debian.qcow2"})
    return add_project(connection, organization_id), flavor, image


def build_world(database: Database) -> TenantWorld:
    """Put a new tenant with a cluster of its own into a database."""
    organization_id, user_id = new_id(), new_id()
    with database.system() as connection:
        project_id, flavor, image = _add_tenant(connection, organization_id)
    grant = Grant(scope=Scope.ORGANIZATION, organization_id=organization_id, permissions=frozenset(Permission))
    actor = Actor(
        id=user_id, name="user:alice", organization_id=organization_id, credential_id=user_id, grants=(grant,)
    )
    bare = TenantWorld(
        database=database,
        plugins=Plugins.load(),
        organization_id=organization_id,
        project_id=project_id,
        cluster_id=organization_id,
        cluster="",
        flavor=flavor,
        image=image,
        agent=fake_agent(database, organization_id),
        actor=actor,
    )
    cluster_id, cluster = bare.add_cluster()
    return replace(bare, cluster_id=cluster_id, cluster=cluster, agent=fake_agent(database, cluster_id))
