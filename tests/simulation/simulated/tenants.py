# SPDX-License-Identifier: Apache-2.0
"""Tenants: they create, change, delete and cancel, lose answers, and ask again with the same idempotency key."""

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.drivers import Capacity
from stratoplane.kinds import Spec
from stratoplane.quota import difference
from stratoplane.resources import CHANGEABLE, PowerState, ResourceStatus
from stratoplane.wire import to_json
from stratoplane_engine.access.context import Actor, RequestContext
from stratoplane_engine.accounting import larger
from stratoplane_engine.db.changes import ChangeRows, RefusedError
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.kinds.virtual_machine import VirtualMachineSpec
from stratoplane_engine.kinds.volume import VolumeSpec
from stratoplane_engine.model.change import ChangeResult, IdempotencyKey
from stratoplane_engine.model.resource import Desired, Resource
from stratoplane_engine.services.changes.rows import Change, change_rows, create_rows
from stratoplane_engine.workflows.asked import asked
from tests.simulation.simulated import operation_rows
from tests.simulation.simulated.acceptance_rows import VolumeTakenError, accept
from tests.simulation.simulated.kernel import Kernel
from tests.simulation.simulated.tables import EPOCH, Row, Tables, is_live

LIMITS = {"virtual_machines": 6, "vcpus": 12, "memory_mib": 24_000, "volumes": 8, "storage_gib": 200}
RowsOf = Callable[[RequestContext, Kinds, Change], tuple[ChangeRows, ChangeResult]]
_CAPACITY = Capacity(vcpus=64, memory_mib=1_000_000, storage_gib=10_000)
_MACHINE = VirtualMachineSpec(flavor_id=UUID(int=1), flavor="small", vcpus=1, memory_mib=1024, disk_gib=10)


class Tenant:
    """One organization with one project and one user.

    Attributes:
        accept: writes a change, or refuses.
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
        spec: Spec = VolumeSpec(size_gib=generator.randint(1, 20))
        if kind == "virtual_machine":
            volumes = [row["id"] for row in self._mine() if row["kind"] == "volume" and row["cluster_id"] == cluster]
            chosen = generator.sample(volumes, min(len(volumes), generator.choice((0, 1, 1))))
            power = generator.choice((PowerState.RUNNING, PowerState.RUNNING, PowerState.STOPPED))
            spec = replace(_MACHINE, volume_ids=tuple(chosen), power=power)
        return lambda key: self._write(key, lambda: self._created(kind, spec, cluster), create_rows)

    def _created(self, name: str, spec: Spec, cluster: UUID) -> Change:
        now, kind, identifier = self.tables.wall(), BUILTIN_KINDS[name], self.kernel.new_id()
        resource = Resource(
            id=identifier,
            organization_id=self.organization_id,
            project_id=self.project_id,
            kind=name,
            name=f"it-{identifier.hex[:12]}",
            status=ResourceStatus.PENDING,
            labels={},
            spec=spec,
            observed={},
            quota_usage=kind.quota_usage(spec),
            cluster_id=cluster,
            created_at=now,
            updated_at=now,
        )
        return Change(
            resource=resource,
            audited=AuditAction.RESOURCE_CREATE_ACCEPTED,
            quota=resource.quota_usage,
            verb="create",
            links_of=kind,
        )

    def _wish_update(self) -> Callable[[str], None] | None:
        mine = [row for row in self._mine() if row["status"] in CHANGEABLE]
        if not mine:
            return None
        generator = self.kernel.generator
        chosen, grown = generator.choice(mine)["id"], generator.randint(1, 10)
        power = generator.choice((PowerState.RUNNING, PowerState.STOPPED))
        wider = generator.random() < 0.3
        return lambda key: self._write(key, lambda: self._updated(chosen, grown, power, wider=wider), change_rows)

    def _updated(self, chosen: UUID, grown: int, power: PowerState, *, wider: bool) -> Change | None:
        before = self._resource(chosen)
        if before.status not in CHANGEABLE:
            return None
        spec, kind = _changed(before.spec, grown, power, wider=wider), BUILTIN_KINDS[before.kind]
        if spec == before.spec:
            return None
        charged = larger(before.quota_usage, kind.quota_usage(spec))
        status = before.status if before.status is ResourceStatus.PENDING else ResourceStatus.UPDATING
        after = replace(
            before,
            spec=spec,
            quota_usage=charged,
            status=status,
            updated_at=self.tables.wall(),
            detail="",
            generation=before.generation + 1,
        )
        wanted = asked(kind, Desired(name=before.name, spec=before.spec), Desired(name=after.name, spec=spec))
        return Change(
            resource=after,
            audited=AuditAction.RESOURCE_UPDATE_ACCEPTED,
            quota=difference(before.quota_usage, charged),
            verb=wanted.verb,
            steps=wanted.steps(wanted.verb),
            given={"before": {"spec": to_json(before.spec), "name": before.name}},
            links_of=kind,
        )

    def _wish_delete(self) -> Callable[[str], None] | None:
        mine = self._mine()
        if not mine:
            return None
        chosen = self.kernel.generator.choice(mine)["id"]
        return lambda key: self._write(key, lambda: self._deleted(chosen), change_rows)

    def _deleted(self, chosen: UUID) -> Change | None:
        before, now = self._resource(chosen), self.tables.wall()
        used = any(target == chosen for _, target, _ in self.tables.links)
        if before.status in (ResourceStatus.DELETING, ResourceStatus.DELETED) or used:
            return None
        after = replace(
            before, status=ResourceStatus.DELETING, generation=before.generation + 1, detail="", updated_at=now
        )
        return Change(resource=after, audited=AuditAction.RESOURCE_DELETE_ACCEPTED, verb="delete")

    def _resource(self, identifier: UUID) -> Resource[Spec]:
        """Return a resource of the tables as services have it."""
        row = self.tables.resources[identifier]
        known = {each.name for each in fields(Resource)} & row.keys()
        times = {name: EPOCH + timedelta(seconds=row[name]) for name in ("created_at", "updated_at")}
        members = {name: row[name] for name in known} | times
        spec, status = BUILTIN_KINDS.read_spec(row["kind"], row["spec"]), ResourceStatus(row["status"])
        return Resource(**{**members, "spec": spec, "status": status, "deleted_at": None})

    def _cancel(self) -> None:
        jobs = [job for job in self.tables.jobs.values() if is_live(job)]
        if jobs:
            chosen = self.kernel.generator.choice(jobs)["id"]
            self.kernel.say("cancel", job=chosen)
            operation_rows.cancel(self.tables, chosen, actor="user:alice")
            self.counts["cancelled"] += 1

    def _write(self, key: str, make: Callable[[], Change | None], rows_of: RowsOf) -> None:
        """Accept what ``make`` returns, in one transaction; an answer under the key is replayed instead."""
        if (self.actor.id, key) in self.tables.answers:
            self.counts["replayed"] += 1
            return
        idempotency = IdempotencyKey(key=key, fingerprint=key)
        context = RequestContext(actor=self.actor, organization_id=self.organization_id, idempotency=idempotency)
        change = make()
        if change is None:
            return
        rows, _ = rows_of(context, BUILTIN_KINDS, change)
        assert rows.job is not None
        job = replace(rows.job, id=self.kernel.new_id())
        rows = replace(rows, job=job)
        try:
            self.accept(rows)
        except (RefusedError, VolumeTakenError):
            self.counts["refused"] += 1
            return
        self.counts["accepted"] += 1
        self.kernel.say("accepted", kind=job.kind, job=job.id, resource=rows.resource.id)


def _changed(present: Spec, grown: int, power: PowerState, *, wider: bool) -> Spec:
    if isinstance(present, VolumeSpec):
        return replace(present, size_gib=present.size_gib + grown)
    assert isinstance(present, VirtualMachineSpec)
    return replace(present, power=power, vcpus=3 - present.vcpus if wider else present.vcpus)


def cluster_row() -> Row:
    """Return the row of a new cluster that is online and large."""
    totals = {"vcpus": _CAPACITY.vcpus, "memory_mib": _CAPACITY.memory_mib, "storage_gib": _CAPACITY.storage_gib}
    return {f"{key}_{end}": value for key, total in totals.items() for end, value in (("total", total), ("claimed", 0))}
