# SPDX-License-Identifier: Apache-2.0
"""Choosing the cluster of a new resource: pure rules over the clusters that were found for the request."""

from collections.abc import Mapping, Sequence
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
from stratoplane.kinds import AnyKind, Draft, Target, display_name, invalid
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.model.cluster import Cluster, ClusterState, PlacementCluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A resource that needs a cluster, or has one and is to be changed.

    Attributes:
        targets: what the request names that the resource is to use.
        wanted: name of the cluster that the caller wants, empty for any.
    """

    kind: AnyKind
    draft: Draft[Any]  # of the kind
    targets: Mapping[UUID, Target]
    wanted: str = ""

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
        InvalidSpecError: the linked resources are on different clusters, or not on the wanted one, or the cluster
            does not have the image.
        ResourceNotFoundError: no cluster has the wanted name.
        FeatureUnsupportedError: the cluster lacks an ability.
        NoClusterError: the cluster is not enabled or not connected.
    """
    fixed = _named_or_pinned(placement, clusters)
    if fixed is None:
        return None
    if not _takes_new(fixed):
        why = _why_closed(fixed)
        raise NoClusterError(f"cluster {fixed.name} takes nothing new: it {why}; try later or another cluster")
    if missing := placement.missing(fixed):
        raise _unsupported(missing, fixed)
    check_image(fixed)
    return fixed


def eligible_clusters(placement: Placement, clusters: Sequence[PlacementCluster]) -> tuple[PlacementCluster, ...]:
    """Return the clusters that are enabled, connected, able and roomy enough and have the image, in the order given.

    Raises:
        NoClusterError, FeatureUnsupportedError, InvalidSpecError: there is none, and why.
    """
    able = [each for each in clusters if _takes_new(each) and not placement.missing(each)]
    if able and all(each.lacks_image for each in able):
        where = f"no cluster that takes new resources has the image {able[0].lacks_image}"
        raise invalid("/image", f"{where} at present; choose another image or tell an operator")
    able = [each for each in able if not each.lacks_image]
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


def check_cluster(placement: Placement, clusters: Sequence[PlacementCluster], cluster_id: UUID) -> PlacementCluster:
    """Return the resource's own cluster unless it cannot do a change; one that is offline or disabled does it later.

    Args:
        placement: the resource after the change.
        clusters: those that were found for the request.
        cluster_id: where the resource is.

    Raises:
        InvalidSpecError: what is to be used is on another cluster.
        FeatureUnsupportedError: the cluster lacks an ability.
        NoClusterError: the cluster is not there any more.
    """
    cluster = next((each for each in clusters if each.id == cluster_id), None)
    if cluster is None:
        raise NoClusterError("its cluster was removed; it can only be deleted")
    _check_together(placement, clusters, cluster)
    if missing := ", ".join(sorted(placement.draft.features - cluster.features)):
        raise _unsupported(missing, cluster)
    return cluster


def check_image(cluster: PlacementCluster) -> None:
    """Refuse a cluster that does not have the image that the resource is made from. Raises InvalidSpecError."""
    if cluster.lacks_image:
        where = f"cluster {cluster.name} does not have the image {cluster.lacks_image}"
        raise invalid("/image", f"{where}; choose another image or cluster, or tell an operator")


def _check_together(placement: Placement, clusters: Sequence[PlacementCluster], home: PlacementCluster | None) -> None:
    """Refuse what is on another cluster than ``home``, or than what the resource uses first if it may go anywhere."""
    if len(placement.draft.pinned | ({home.id} if home else frozenset())) <= 1:
        return
    links = placement.kind.uses(placement.draft.spec)
    used = [(link.pointer, placement.targets.get(link.target_id)) for link in links]
    placed = [(f"/{pointer.split('/')[1]}", each) for pointer, each in used if each and each.cluster_id is not None]
    here = home.id if home else next((target.cluster_id for _, target in placed), None)
    names: Mapping[UUID | None, str] = {each.id: each.name for each in clusters}
    for pointer, target in placed:
        if target.cluster_id != here:
            where = f"{display_name(target.kind)} {target.name} is on cluster {names.get(target.cluster_id)}"
            raise invalid(pointer, f"{where}, not {names.get(here)}; name what is on one cluster")
    raise invalid("", "what the resource uses is on different clusters; name what is on one cluster")


def _unsupported(missing: str, cluster: PlacementCluster) -> FeatureUnsupportedError:
    detail = f"cluster {cluster.name} cannot do {missing}; choose another cluster"
    return FeatureUnsupportedError(detail, feature=missing, cluster=cluster.name)


def _named_or_pinned(placement: Placement, clusters: Sequence[PlacementCluster]) -> PlacementCluster | None:
    wanted = placement.wanted
    named = next((each for each in clusters if each.name == wanted), None)
    if wanted and named is None:
        raise ResourceNotFoundError(f"cluster: there is no cluster {wanted!r}; list the clusters")
    _check_together(placement, clusters, named)
    return named or next((each for each in clusters if each.id in placement.draft.pinned), None)


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
