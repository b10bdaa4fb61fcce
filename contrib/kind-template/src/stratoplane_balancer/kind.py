# SPDX-License-Identifier: Apache-2.0
"""The kind of resources: what people ask for, what it takes of the quotas, what it uses, and what its driver gets."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from stratoplane.compared_fields import ComparedField, Comparison, DriftPolicy
from stratoplane.hookspecs import hookimpl
from stratoplane.kinds import (
    AnyKind,
    Draft,
    Kind,
    Link,
    References,
    ResolvedReferences,
    ResourcePatch,
    ResourceRequest,
    ResourceSnapshot,
    Spec,
)
from stratoplane.quota import Amount
from stratoplane.settings import NoSettings
from stratoplane_balancer.contract import Algorithm, BalancerSpec


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
    machine_ids: tuple[UUID, ...] = field(
        default=(), metadata={"description": "Machines of the project that are behind it.", "most": 32}
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerPatch(ResourcePatch):
    """What may change of a load balancer."""

    algorithm: Algorithm | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerView:
    """What people see of a load balancer; ``address`` is as its driver shows it."""

    port: int
    algorithm: Algorithm
    machine_ids: tuple[UUID, ...]
    address: str = ""


class LoadBalancerKind(Kind[LoadBalancerSpec, LoadBalancerRequest, LoadBalancerPatch]):
    """A load balancer before machines of a project."""

    name = "load_balancer"
    interface = "load_balancer"
    quota_key = "load_balancers"
    default_limit = 10
    spec = LoadBalancerSpec
    request = LoadBalancerRequest
    patch = LoadBalancerPatch
    view = LoadBalancerView
    compared = (
        ComparedField(name="name", policies=(DriftPolicy.CORRECT, DriftPolicy.ALERT), comparison=Comparison.NAME),
        ComparedField(name="algorithm", policies=(DriftPolicy.CORRECT, DriftPolicy.ADOPT, DriftPolicy.ALERT)),
        ComparedField(name="port", policies=(DriftPolicy.ALERT,)),
    )

    def references(self, wanted: LoadBalancerRequest | LoadBalancerPatch) -> References:
        if isinstance(wanted, LoadBalancerPatch):
            return References()
        return References(cluster=wanted.cluster, resource_ids=wanted.machine_ids)

    def draft(self, wanted: LoadBalancerRequest, found: ResolvedReferences) -> Draft[LoadBalancerSpec]:
        spec = LoadBalancerSpec(port=wanted.port, algorithm=wanted.algorithm, machine_ids=wanted.machine_ids)
        machines = [found.target(link.target_id, "virtual_machine", link.pointer) for link in self.uses(spec)]
        return Draft(spec=spec, pinned=frozenset(each.cluster_id for each in machines if each.cluster_id))

    def redraft(
        self,
        present: LoadBalancerSpec,
        change: LoadBalancerPatch,
        found: ResolvedReferences,  # noqa: ARG002  # a change points at nothing
    ) -> Draft[LoadBalancerSpec]:
        return Draft(spec=replace(present, algorithm=change.algorithm or present.algorithm))

    def quota_usage(self, spec: LoadBalancerSpec) -> Amount:  # noqa: ARG002  # each counts once
        return {self.quota_key: 1}

    def uses(self, spec: LoadBalancerSpec) -> tuple[Link, ...]:
        return tuple(
            Link(target_id=each, role="backend", position=at, pointer=f"/machine_ids/{at}")
            for at, each in enumerate(spec.machine_ids)
        )

    def driver_spec(self, resource: ResourceSnapshot[LoadBalancerSpec]) -> BalancerSpec:
        return BalancerSpec(
            uid=resource.id,
            project_id=resource.project_id,
            name=resource.name,
            port=resource.spec.port,
            algorithm=resource.spec.algorithm,
            machine_uids=resource.spec.machine_ids,
        )


class BalancerPlugin:
    """The plugin of the control plane."""

    def __init__(self, settings: NoSettings) -> None:
        """Take no settings; a plugin that has some names their class ``Settings``."""

    @hookimpl
    def stratoplane_kinds(self) -> Iterable[AnyKind]:
        """Return the kinds that the plugin adds."""
        return (LoadBalancerKind(),)
