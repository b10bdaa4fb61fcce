# SPDX-License-Identifier: Apache-2.0
"""A plugin that adds a kind of resources: load balancers before machines."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from stratoplane.compared_fields import ComparedField, DriftPolicy
from stratoplane.hookspecs import hookimpl
from stratoplane.kinds import (
    AnyKind,
    Draft,
    Kind,
    Link,
    Observed,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
)
from stratoplane.quota import Amount
from stratoplane.resources import ResourceStatus


class Algorithm(StrEnum):
    """How a load balancer chooses a machine."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_CONNECTIONS = "LEAST_CONNECTIONS"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerSpec(Spec):
    """A load balancer as it should be."""

    port: int
    algorithm: Algorithm
    machine_ids: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerRequest(ResourceRequest):
    """A load balancer to make."""

    port: int = field(metadata={"description": "Where it listens.", "least": 1, "most": 65_535})
    algorithm: Algorithm = Algorithm.ROUND_ROBIN
    machine_ids: tuple[UUID, ...] = field(default=(), metadata={"most": 8})


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerPatch(ResourcePatch):
    """What may change of a load balancer."""

    algorithm: Algorithm | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerView:
    """What people see of a load balancer; ``address`` is as its driver reports it."""

    port: int
    algorithm: Algorithm
    machine_ids: tuple[UUID, ...]
    address: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverLoadBalancerSpec:
    """A load balancer as its driver is asked for it."""

    uid: UUID
    project_id: UUID
    name: str
    port: int
    algorithm: Algorithm
    machine_uids: tuple[UUID, ...]


class LoadBalancerKind(Kind[LoadBalancerSpec, LoadBalancerRequest, LoadBalancerPatch]):
    """A load balancer before machines of a project."""

    name = "load_balancer"
    interface = "load_balancer"
    quota_key = "load_balancers"
    default_limit = 2
    spec = LoadBalancerSpec
    request = LoadBalancerRequest
    patch = LoadBalancerPatch
    stable = (ResourceStatus.RUNNING, ResourceStatus.STOPPED)
    view = LoadBalancerView
    compared = (ComparedField(name="algorithm", policies=(DriftPolicy.CORRECT, DriftPolicy.ALERT)),)

    def references(self, wanted: LoadBalancerRequest | LoadBalancerPatch) -> References:
        if isinstance(wanted, LoadBalancerPatch):
            return References()
        return References(cluster=wanted.cluster, resource_ids=wanted.machine_ids)

    def draft(self, wanted: LoadBalancerRequest, found: ResolvedReferences) -> Draft[LoadBalancerSpec]:
        spec = LoadBalancerSpec(port=wanted.port, algorithm=wanted.algorithm, machine_ids=wanted.machine_ids)
        targets = [found.target(link.target_id, "virtual_machine", link.pointer) for link in self.uses(spec)]
        return Draft(spec=spec, pinned=frozenset(each.cluster_id for each in targets if each.cluster_id))

    def redraft(
        self, present: LoadBalancerSpec, change: LoadBalancerPatch, found: ResolvedReferences
    ) -> Draft[LoadBalancerSpec]:
        return Draft(spec=replace(present, algorithm=change.algorithm or present.algorithm))

    def quota_usage(self, spec: LoadBalancerSpec) -> Amount:
        return {"load_balancers": 1}

    def uses(self, spec: LoadBalancerSpec) -> tuple[Link, ...]:
        return tuple(
            Link(target_id=each, role="backend", position=at, pointer=f"/machine_ids/{at}")
            for at, each in enumerate(spec.machine_ids)
        )

    def driver_spec(self, resource: ResourceSnapshot[LoadBalancerSpec]) -> DriverLoadBalancerSpec:
        return DriverLoadBalancerSpec(
            uid=resource.id,
            project_id=resource.project_id,
            name=resource.name,
            port=resource.spec.port,
            algorithm=resource.spec.algorithm,
            machine_uids=resource.spec.machine_ids,
        )

    def status(self, observed: Observed) -> ResourceStatus:
        return ResourceStatus.RUNNING if observed["port"] else ResourceStatus.STOPPED

    def adopted(self, observed: Observed, name: str, cluster: str) -> LoadBalancerRequest:
        return self.read_request({"port": observed["port"], "name": name, "cluster": cluster})


class LoadBalancerPlugin:
    """The plugin's object; ``kinds`` are those that it adds."""

    def __init__(self, *kinds: AnyKind) -> None:
        self.kinds = kinds or (LoadBalancerKind(),)

    @hookimpl
    def stratoplane_kinds(self) -> Iterable[AnyKind]:
        return self.kinds
