# SPDX-License-Identifier: Apache-2.0
"""Choosing the cluster of a new resource."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from stratoplane.errors import (
    FeatureUnsupportedError,
    InvalidSpecError,
    NoClusterError,
    ResourceNotFoundError,
    Violation,
)
from stratoplane.hookspecs import AdmissionRequest, PlacementCandidate
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.kinds.draft import Draft, Kind
from stratoplane_engine.plugins import Plugins

Cluster = Mapping[str, Any]


def choose_cluster(
    kind: Kind, draft: Draft, clusters: Sequence[Cluster], wanted: str, request: AdmissionRequest, plugins: Plugins
) -> Cluster:
    """Return the cluster that the new resource goes to.

    Linked resources pin it to their cluster; else the caller's wish, else a plugin's, else the one with most free
    memory (the gathering query sorted them).

    Raises:
        InvalidSpecError: the linked resources are on different clusters, or not on the wanted one.
        ResourceNotFoundError: no cluster has the wanted name.
        FeatureUnsupportedError: the only possible cluster lacks an ability.
        NoClusterError: no cluster is enabled, connected, able and roomy enough.
    """
    _check_pinned(draft.pinned, "/network_ids")
    fixed = _fixed(draft, clusters, wanted)
    if fixed is not None:
        _check_fixed(kind, draft, fixed)
        return fixed
    able = [each for each in clusters if _online(each) and not _missing(kind, draft, each)]
    roomy = [each for each in able if _has_room(kind.quota_usage(draft.spec), each)]
    if not roomy:
        raise _no_cluster(kind, draft, clusters, able)
    chosen = plugins.place(request, [_candidate(each) for each in roomy])
    return next((each for each in roomy if chosen is not None and UUID(each["id"]) == chosen), roomy[0])


def check_cluster(draft: Draft, clusters: Sequence[Cluster], cluster_id: UUID) -> None:
    """Refuse a change that the resource's own cluster cannot do; one that is away or drained does it later.

    Raises:
        InvalidSpecError: what is to be used is on another cluster.
        FeatureUnsupportedError: the cluster lacks an ability.
        NoClusterError: the cluster is not there any more.
    """
    _check_pinned(draft.pinned | {cluster_id}, "/volume_ids")
    cluster = next((each for each in clusters if UUID(each["id"]) == cluster_id), None)
    if cluster is None:
        raise NoClusterError("its cluster was removed; it can only be deleted")
    if missing := ", ".join(sorted(draft.features - set(cluster["features"]))):
        raise _unsupported(missing, cluster)


def _check_pinned(pinned: frozenset[UUID], pointer: str) -> None:
    if len(pinned) > 1:
        problem = "the networks and volumes are on different clusters; a machine uses those of one cluster"
        raise InvalidSpecError(problem, [Violation(pointer=pointer, detail=problem)])


def _unsupported(missing: str, cluster: Cluster) -> FeatureUnsupportedError:
    detail = f"cluster {cluster['name']} cannot do {missing}; choose another cluster"
    return FeatureUnsupportedError(detail, feature=missing, cluster=cluster["name"])


def _fixed(draft: Draft, clusters: Sequence[Cluster], wanted: str) -> Cluster | None:
    pinned = next((each for each in clusters if UUID(each["id"]) in draft.pinned), None)
    if not wanted:
        return pinned
    named = next((each for each in clusters if each["name"] == wanted), None)
    if named is None:
        raise ResourceNotFoundError(f"cluster: there is no cluster {wanted!r}; list the clusters")
    if pinned is not None and pinned is not named:
        problem = f"the networks and volumes are on cluster {pinned['name']}, not {wanted}; leave cluster out"
        raise InvalidSpecError(problem, [Violation(pointer="/cluster", detail=problem)])
    return named


def _check_fixed(kind: Kind, draft: Draft, cluster: Cluster) -> None:
    if not _online(cluster):
        why = "its agent is not connected" if cluster["state"] == "ENABLED" else f"it is {cluster['state']}"
        raise NoClusterError(f"cluster {cluster['name']} takes nothing new: {why}; try later or another cluster")
    if missing := _missing(kind, draft, cluster):
        raise _unsupported(missing, cluster)


def _online(cluster: Cluster) -> bool:
    return bool(cluster["online"]) and cluster["state"] == "ENABLED"


def _missing(kind: Kind, draft: Draft, cluster: Cluster) -> str:
    interface = {kind.interface.value} if kind.interface else set()
    return ", ".join(sorted((draft.features | interface) - set(cluster["features"])))


def _has_room(wanted: Amount, cluster: Cluster) -> bool:
    amounts = {
        "free_vcpus": wanted.get(QuotaKey.VCPUS, 0),
        "free_memory_mib": wanted.get(QuotaKey.MEMORY_MIB, 0),
        "free_storage_gib": wanted.get(QuotaKey.STORAGE_GIB, 0),
    }
    return all(amount <= 0 or cluster[free] >= amount for free, amount in amounts.items())


def _candidate(cluster: Cluster) -> PlacementCandidate:
    return PlacementCandidate(
        cluster_id=UUID(cluster["id"]),
        name=cluster["name"],
        free_vcpus=cluster["free_vcpus"],
        free_memory_mib=cluster["free_memory_mib"],
        free_storage_gib=cluster["free_storage_gib"],
    )


def _no_cluster(kind: Kind, draft: Draft, clusters: Sequence[Cluster], able: Sequence[Cluster]) -> Exception:
    words = kind.name.replace("_", " ")
    if able:
        return NoClusterError(f"no cluster has room for this {words}; try a smaller one or tell an operator")
    connected = [each for each in clusters if _online(each)]
    if not connected:
        return NoClusterError("no cluster is connected; an operator must start an agent (stratoplane-server status)")
    missing = _missing(kind, draft, connected[0])
    return FeatureUnsupportedError(f"no connected cluster can do {missing}; ask an operator", feature=missing)
