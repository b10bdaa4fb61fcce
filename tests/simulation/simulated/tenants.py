# SPDX-License-Identifier: Apache-2.0
"""Tenants: they create, change, delete and cancel, lose answers, and ask again with the same idempotency key."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from simulated import operation_rows
from simulated.acceptance_rows import VolumeTakenError, accept
from simulated.kernel import Kernel
from simulated.tables import Row, Tables, is_live
from stratoplane.audit import AuditAction
from stratoplane.drivers import Capacity
from stratoplane.ids import new_id
from stratoplane.quota import QuotaKey, difference
from stratoplane.resources import CHANGEABLE, ResourceStatus
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.db.changes import Acceptance, RefusedError
from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.model.change import Accepted, IdempotencyKey
from stratoplane_engine.services import changes_rows_old as acceptance

LIMITS = {"virtual_machines": 6, "vcpus": 12, "memory_mib": 24_000, "volumes": 8, "storage_gib": 200}
_CAPACITY = Capacity(vcpus=64, memory_mib=1_000_000, storage_gib=10_000)
_MACHINE = {"flavor_id": "", "flavor": "small", "vcpus": 1, "memory_mib": 1024, "disk_gib": 10, "image": None}
_MACHINE |= {"boot_volume_id": None, "key_pair_id": None, "ssh_keys": [], "network_ids": [], "user_data": ""}


class Tenant:
    """One organization with one project and one user.

    Attributes:
        accept: writes an acceptance, or refuses.
    """

    def __init__(self, kernel: Kernel, tables: Tables, clusters: list[UUID]) -> None:
        self.kernel, self.tables, self.clusters = kernel, tables, clusters
        self.organization_id, self.project_id = kernel.new_id(), kernel.new_id()
        user = kernel.new_id()
        self.actor = Actor(id=user, name="user:alice", organization_id=self.organization_id, credential_id=user)
        self.accept: Callable[..., None] = partial(accept, tables)
        self.counts: Counter[str] = Counter()
        self.keys = 0
        for scope in (self.organization_id, self.project_id):
            for key, limit in LIMITS.items():
                row = {"organization_id": self.organization_id, "limit_amount": limit, "used": 0}
                tables.quota[scope, key] = row

    def act(self) -> None:
        """Ask for something, perhaps twice because the answer was lost."""
        generator = self.kernel.generator
        wish = generator.choices(
            (self._wish_create, self._wish_update, self._wish_delete, self._cancel), weights=(5, 3, 2, 1)
        )[0]
        ask = wish()
        if ask is None:
            return
        self.keys += 1
        key = f"key-{self.keys}"
        fate = generator.random()
        if fate < 0.85:
            ask(key)
        if fate > 0.7:  # the answer, or the request itself, was lost
            self.kernel.after(generator.uniform(0.1, 10.0), lambda: ask(key))

    def _mine(self) -> list[Row]:
        rows = self.tables.resources.values()
        return [row for row in rows if row["organization_id"] == self.organization_id and row["deleted_at"] is None]

    def _wish_create(self) -> Callable[[str], None]:
        generator = self.kernel.generator
        kind, cluster = generator.choice(("volume", "virtual_machine")), generator.choice(self.clusters)
        spec: dict[str, Any] = {"size_gib": generator.randint(1, 20), "image": None}
        if kind == "virtual_machine":
            volumes = [row["id"] for row in self._mine() if row["kind"] == "volume" and row["cluster_id"] == cluster]
            chosen = generator.sample(volumes, min(len(volumes), generator.choice((0, 1, 1))))
            power = generator.choice(("RUNNING", "RUNNING", "STOPPED"))
            spec = {**_MACHINE, "volume_ids": [str(each) for each in chosen], "power": power}
        return lambda key: self._write(key, lambda context: self._created(context, kind, spec, cluster), new=True)

    def _created(self, context: RequestContext, kind: str, spec: Row, cluster: UUID) -> tuple[Row, Row, Any]:
        now, quota_usage = self.tables.wall(), KINDS[kind].quota_usage(spec)
        identifier = self.kernel.new_id()
        row = {"id": identifier, "organization_id": self.organization_id, "project_id": self.project_id, "kind": kind}
        row |= {"name": f"it-{identifier.hex[:12]}", "status": "PENDING", "labels": {}, "spec": spec}
        row |= {
            "quota_usage": _words(quota_usage),
            "cluster_id": cluster,
            "generation": 1,
            "created_at": now,
            "updated_at": now,
        }
        return row, acceptance.job_row(context, row, f"{kind}.create", now, {}), quota_usage

    def _wish_update(self) -> Callable[[str], None] | None:
        mine = [row for row in self._mine() if row["status"] in CHANGEABLE]
        if not mine:
            return None
        generator = self.kernel.generator
        chosen, grown = generator.choice(mine)["id"], generator.randint(1, 10)
        power = generator.choice(("RUNNING", "STOPPED"))
        wider = generator.random() < 0.3
        return lambda key: self._write(key, lambda context: self._updated(context, chosen, grown, power, wider=wider))

    def _updated(
        self, context: RequestContext, chosen: UUID, grown: int, power: str, *, wider: bool
    ) -> tuple[Row, Row, Any] | None:
        row, now = self.tables.resources[chosen], self.tables.wall()
        if row["status"] not in CHANGEABLE:
            return None
        before, kind = row["spec"], KINDS[row["kind"]]
        spec = {**before, "size_gib": before.get("size_gib", 0) + grown}
        if row["kind"] == "virtual_machine":
            spec = {**before, "power": power, "vcpus": 3 - before["vcpus"] if wider else before["vcpus"]}
        if spec == before:
            return None
        held = {QuotaKey(key): amount for key, amount in row["quota_usage"].items()}
        charged = acceptance.larger(held, kind.quota_usage(spec))
        status = row["status"] if row["status"] == ResourceStatus.PENDING else "UPDATING"
        after = {**row, "spec": spec, "quota_usage": _words(charged), "status": status, "updated_at": now, "detail": ""}
        after["generation"] = row["generation"] + 1
        given = {"before": {"spec": before, "name": row["name"]}}
        job = acceptance.job_row(context, after, f"{kind.name}.update", now, given)
        return after, job, difference(held, charged)

    def _wish_delete(self) -> Callable[[str], None] | None:
        mine = self._mine()
        if not mine:
            return None
        chosen = self.kernel.generator.choice(mine)["id"]
        return lambda key: self._write(key, lambda context: self._deleted(context, chosen))

    def _deleted(self, context: RequestContext, chosen: UUID) -> tuple[Row, Row, Any] | None:
        row, now = self.tables.resources[chosen], self.tables.wall()
        used = any(target == chosen for _, target, _ in self.tables.links)
        if row["status"] in ("DELETING", "DELETED") or used:
            return None
        after = {**row, "status": "DELETING", "generation": row["generation"] + 1, "detail": "", "updated_at": now}
        return after, acceptance.job_row(context, after, f"{row['kind']}.delete", now, {}), {}

    def _cancel(self) -> None:
        jobs = [job for job in self.tables.jobs.values() if is_live(job)]
        if jobs:
            chosen = self.kernel.generator.choice(jobs)["id"]
            self.kernel.say("cancel", job=chosen)
            operation_rows.cancel(self.tables, chosen, actor="user:alice")
            self.counts["cancelled"] += 1

    def _write(
        self, key: str, make: Callable[[RequestContext], tuple[Row, Row, Any] | None], *, new: bool = False
    ) -> None:
        """Accept what ``make`` returns, in one transaction; an answer under the key is replayed instead."""
        if (self.actor.id, key) in self.tables.answers:
            self.counts["replayed"] += 1
            return
        idempotency = IdempotencyKey(key=key, fingerprint=key)
        context = RequestContext(actor=self.actor, organization_id=self.organization_id, idempotency=idempotency)
        made = make(context)
        if made is None:
            return
        row, job, change = made
        job = {**job, "id": self.kernel.new_id()}
        document = _document(context, row, job, change, new=new)
        try:
            self.accept(document, new=new)
        except (RefusedError, VolumeTakenError):
            self.counts["refused"] += 1
            return
        self.counts["accepted"] += 1
        self.kernel.say("accepted", kind=job["kind"], job=job["id"], resource=row["id"])


def _words(amount: Any) -> dict[str, int]:
    return {key.value: value for key, value in amount.items()}


def _document(context: RequestContext, row: Row, job: Row, change: Any, *, new: bool) -> Acceptance:
    """Put together what the services' changes put together."""
    now = job["created_at"]
    links = [
        {
            "organization_id": row["organization_id"],
            "source_id": row["id"],
            "target_id": link.target_id,
            "role": link.role,
            "position": link.position,
            "pointer": link.pointer,
        }
        for link in (KINDS[row["kind"]].uses(row["spec"]) if not job["kind"].endswith(".delete") else ())
    ]
    return Acceptance(
        resource=row,
        quota=acceptance.quota_lines(row["organization_id"], row["project_id"], change),
        claim=acceptance.claim(row["cluster_id"], change, even_nothing=new),
        links=links,
        job=job,
        steps=acceptance.step_rows(job),
        audit={**acceptance.audit_row(context, AuditAction.RESOURCE_CREATE_ACCEPTED, row, now, {}), "id": new_id()},
        idempotency=acceptance.idempotency_row(context, now, Accepted(resource={}, job={})),
    )


def cluster_row() -> Row:
    """Return the row of a new cluster that is online and large."""
    totals = {"vcpus": _CAPACITY.vcpus, "memory_mib": _CAPACITY.memory_mib, "storage_gib": _CAPACITY.storage_gib}
    return {f"{key}_{end}": value for key, total in totals.items() for end, value in (("total", total), ("claimed", 0))}
