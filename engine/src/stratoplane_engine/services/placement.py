# SPDX-License-Identifier: Apache-2.0
"""Choosing the cluster of a new resource: pure rules over the clusters that were found for the request."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stratoplane.errors import (
    FeatureUnsupportedError,
    NoClusterError,
    ResourceNotFoundError,
    StratoplaneError,
)
from stratoplane.hookspecs import PlacementCandidate
from stratoplane.kinds import AnyKind, Draft, Link, display_name, invalid
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.model.cluster import Cluster, ClusterState, PlacementCluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A new resource that needs a cluster.

    Attributes:
        wanted: name of the cluster that the caller wants, empty for any.
        used_by: pointer to the member of the request that names what the resource uses.
    """

    kind: AnyKind
    draft: Draft[Any]  # of the kind
    wanted: str = ""
    used_by: str = ""

    @property
    def needed(self) -> frozenset[str]:
        """The abilities that the cluster must have."""
        interface = {str(self.kind.interface)} if self.kind.interface is not None else set[str]()
        return self.draft.features | interface

    def missing(self, cluster: PlacementCluster) -> str:
        """Return the abilities that a cluster lacks, as text; empty for none."""
        return ", ".join(sorted(self.needed - cluster.features))


def fixed_cluster(placement: Placement, clusters: Sequence[PlacementCluster]) -> PlacementCluster | None:
    """Return the only cluster that the new resource can go to; None when there is a choice.

    Linked resources pin it to their cluster; else it is the one that the caller names.

    Raises:
        InvalidSpecError: the linked resources are on different clusters, or not on the wanted one.
        ResourceNotFoundError: no cluster has the wanted name.
        FeatureUnsupportedError: the cluster lacks an ability.
        NoClusterError: the cluster is not enabled or not connected.
    """
    _check_pinned(placement.draft.pinned, placement.used_by)
    fixed = _named_or_pinned(placement, clusters)
    if fixed is None:
        return None
    if not _takes_new(fixed):
        why = _why_closed(fixed)
        raise NoClusterError(f"cluster {fixed.name} takes nothing new: it {why}; try later or another cluster")
    if missing := placement.missing(fixed):
        raise _unsupported(missing, fixed)
    return fixed


def eligible_clusters(placement: Placement, clusters: Sequence[PlacementCluster]) -> tuple[PlacementCluster, ...]:
    """Return the clusters that are enabled, connected, able and roomy enough, in the order given.

    Raises:
        NoClusterError, FeatureUnsupportedError: there is none, and why.
    """
    able = [each for each in clusters if _takes_new(each) and not placement.missing(each)]
    usage = placement.kind.quota_usage(placement.draft.spec)
    roomy = tuple(each for each in able if _has_room(usage, each))
    if not roomy:
        raise _no_cluster(placement, clusters, able)
    return roomy


def closed(clusters: Sequence[Cluster]) -> NoClusterError:
    """Return the refusal that tells operators, who see every cluster, why none of them takes anything new."""
    if not clusters:
        return NoClusterError("there is no cluster yet; create one and enrol an agent for it")
    reasons = ", ".join(f"{each.name} {_why_closed(each)}" for each in clusters)
    return NoClusterError(f"no cluster takes new resources: {reasons}; enable one or start its agent")


def candidate(cluster: PlacementCluster) -> PlacementCandidate:
    """Return a cluster as plugins see it."""
    return PlacementCandidate(
        cluster_id=cluster.id,
        name=cluster.name,
        free_vcpus=cluster.free_vcpus,
        free_memory_mib=cluster.free_memory_mib,
        free_storage_gib=cluster.free_storage_gib,
    )


def using_member(links: Iterable[Link], named: Container[UUID]) -> str:
    """Return the pointer to the member by which a request names what a resource uses, empty if it names nothing."""
    return next((f"/{link.pointer.split('/')[1]}" for link in links if link.target_id in named), "")


def check_cluster(
    draft: Draft[Any], clusters: Sequence[PlacementCluster], cluster_id: UUID, *, used_by: str = ""
) -> None:
    """Refuse a change that the resource's own cluster cannot do; one that is offline or disabled does it later.

    Args:
        draft: the resource after the change.
        clusters: those that were found for the request.
        cluster_id: where the resource is.
        used_by: pointer to the member of the request that names what the resource uses.

    Raises:
        InvalidSpecError: what is to be used is on another cluster.
        FeatureUnsupportedError: the cluster lacks an ability.
        NoClusterError: the cluster is not there any more.
    """
    _check_pinned(draft.pinned | {cluster_id}, used_by)
    cluster = next((each for each in clusters if each.id == cluster_id), None)
    if cluster is None:
        raise NoClusterError("its cluster was removed; it can only be deleted")
    if missing := ", ".join(sorted(draft.features - cluster.features)):
        raise _unsupported(missing, cluster)


def features_of(clusters: Iterable[PlacementCluster], cluster_id: UUID | None) -> frozenset[str]:
    """Return what the cluster ``cluster_id`` can do, nothing if it is not among those that were found."""
    return next((each.features for each in clusters if each.id == cluster_id), frozenset())


def _check_pinned(pinned: frozenset[UUID], pointer: str) -> None:
    if len(pinned) > 1:
        raise invalid(pointer, "what the resource uses is on different clusters; name what is on one cluster")


def _unsupported(missing: str, cluster: PlacementCluster) -> FeatureUnsupportedError:
    detail = f"cluster {cluster.name} cannot do {missing}; choose another cluster"
    return FeatureUnsupportedError(detail, feature=missing, cluster=cluster.name)


def _named_or_pinned(placement: Placement, clusters: Sequence[PlacementCluster]) -> PlacementCluster | None:
    pinned = next((each for each in clusters if each.id in placement.draft.pinned), None)
    wanted = placement.wanted
    if not wanted:
        return pinned
    named = next((each for each in clusters if each.name == wanted), None)
    if named is None:
        raise ResourceNotFoundError(f"cluster: there is no cluster {wanted!r}; list the clusters")
    if pinned is not None and pinned is not named:
        where = f"what the resource uses is on cluster {pinned.name}, not {wanted}"
        raise invalid("/cluster", f"{where}; leave cluster out")
    return named


def _takes_new(cluster: PlacementCluster) -> bool:
    return cluster.online and cluster.state is ClusterState.ENABLED


def _why_closed(cluster: PlacementCluster | Cluster) -> str:
    return {ClusterState.DRAINING: "is draining", ClusterState.DISABLED: "is disabled"}.get(
        cluster.state, "has no agent connected"
    )


def _has_room(wanted: Amount, cluster: PlacementCluster) -> bool:
    pairs = (
        (wanted.get(QuotaKey.VCPUS, 0), cluster.free_vcpus),
        (wanted.get(QuotaKey.MEMORY_MIB, 0), cluster.free_memory_mib),
        (wanted.get(QuotaKey.STORAGE_GIB, 0), cluster.free_storage_gib),
    )
    return all(amount <= 0 or free >= amount for amount, free in pairs)


def _no_cluster(
    placement: Placement, clusters: Sequence[PlacementCluster], able: Sequence[PlacementCluster]
) -> StratoplaneError:
    if able:
        noun = display_name(placement.kind.name)
        return NoClusterError(f"no cluster has room for this {noun}; try a smaller one or tell an operator")
    connected = [each for each in clusters if _takes_new(each)]
    if not connected:
        return NoClusterError("no cluster takes new resources at present; try later or ask an operator")
    missing = placement.missing(connected[0])
    return FeatureUnsupportedError(f"no connected cluster can do {missing}; ask an operator", feature=missing)
