# SPDX-License-Identifier: Apache-2.0
"""What the reconciler tells of what it found: incidents for people, and records of the audit trail."""

from collections.abc import Iterable, Mapping
from typing import Final

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.incidents import Finding, IncidentKind, Severity
from stratoplane.kinds import display_name
from stratoplane_engine.db.connection import dump_json
from stratoplane_engine.jobs.failure_records import orphan_key
from stratoplane_engine.kinds.observed import BrokenKind
from stratoplane_engine.model.drift import ComparedResource, Difference, Duplicate, Orphan, SharedProvider

ACTOR: Final = "reconciler"
"""Who the audit trail names."""


def drift_key(difference: Difference) -> str:
    """Return the key of the incident about a difference."""
    return f"{IncidentKind.DRIFT}:{difference.id}:{difference.field}"


def lost_key(resource: ComparedResource) -> str:
    """Return the key of the incident about a resource that its cluster no longer has."""
    return f"{IncidentKind.RESOURCE_LOST}:{resource.id}"


def drifted(difference: Difference) -> Finding:
    """Return the finding of a difference that a person has to look at."""
    what = f"{display_name(difference.kind)} {difference.name}"
    tried, observed, desired = difference.corrections, _written(difference.observed), _written(difference.desired)
    corrections = "one correction" if tried == 1 else f"{tried} corrections"
    times = f"; {corrections} within an hour failed or did not last" if tried else ""
    return Finding(
        kind=IncidentKind.DRIFT,
        severity=Severity.WARNING,
        key=drift_key(difference),
        title=f"{difference.field} of {what} is {observed}, not {desired}{times}",
        detail={"field": difference.field, "desired": difference.desired, "observed": difference.observed},
        organization_id=difference.organization_id,
        cluster_id=difference.cluster_id,
        resource_id=difference.id,
    )


def _written(value: object) -> str:
    return value if isinstance(value, str) else dump_json(value)


def lost(resource: ComparedResource) -> Finding:
    """Return the finding of a resource that its cluster no longer has."""
    return Finding(
        kind=IncidentKind.RESOURCE_LOST,
        severity=Severity.CRITICAL,
        key=lost_key(resource),
        title=f"{display_name(resource.kind)} {resource.name} is no longer at its cluster",
        organization_id=resource.organization_id,
        cluster_id=resource.cluster_id,
        resource_id=resource.id,
    )


def orphaned(orphan: Orphan) -> Finding:
    """Return the finding of an object that belongs to no resource."""
    return Finding(
        kind=IncidentKind.ORPHAN,
        severity=Severity.WARNING,
        key=orphan_key(orphan.cluster_id, orphan.uid),
        title=f"{display_name(orphan.kind)} {orphan.uid} carries the platform's mark and belongs to no resource",
        detail={"kind": orphan.kind, "uid": str(orphan.uid)},
        cluster_id=orphan.cluster_id,
    )


def duplicated(duplicate: Duplicate) -> Finding:
    """Return the finding of a mark that several objects carry."""
    return Finding(
        kind=IncidentKind.DUPLICATE,
        severity=Severity.CRITICAL,
        key=f"{IncidentKind.DUPLICATE}:{duplicate.uid}",
        title=f"several objects carry the mark {duplicate.uid}: {', '.join(duplicate.references)}"
        f" on {', '.join(duplicate.clusters)}",
        detail={"clusters": duplicate.clusters, "kinds": duplicate.kinds, "references": duplicate.references},
        resource_id=duplicate.uid,
    )


def shared(pair: SharedProvider) -> Finding:
    """Return the finding of two clusters that serve one provider."""
    objects = "the same object" if pair.objects == 1 else f"the same {pair.objects} objects"
    return Finding(
        kind=IncidentKind.SHARED_PROVIDER,
        severity=Severity.WARNING,
        key=f"{IncidentKind.SHARED_PROVIDER}:{pair.cluster_id}:{pair.other_cluster_id}",
        title=f"clusters {pair.cluster} and {pair.other_cluster} list {objects}: both serve one provider",
        detail={
            "other_cluster_id": str(pair.other_cluster_id),
            "other_cluster": pair.other_cluster,
            "kinds": pair.kinds,
        },
        cluster_id=pair.cluster_id,
    )


def kind_broken(broken: BrokenKind) -> Finding:
    """Return the finding of a kind that could not say what an observed object means."""
    whose = f"plugin {broken.plugin}" if broken.plugin else "the platform"
    return Finding(
        kind=IncidentKind.KIND_BROKEN,
        severity=Severity.WARNING,
        key=f"{IncidentKind.KIND_BROKEN}:{broken.kind}",
        title=f"{whose} cannot say the status of {display_name(broken.kind)} {broken.resource_id}: {broken.reason}",
        detail={"kind": broken.kind, "plugin": broken.plugin, "uid": str(broken.resource_id), "reason": broken.reason},
    )


def drift_record(difference: Difference) -> AuditRecord:
    """Return the record of a new difference, with what is done about it."""
    return _record(AuditAction.DRIFT_FOUND, difference, {**values(difference), "done": difference.policy})


def existence_records(lost: Iterable[ComparedResource], found: Iterable[ComparedResource]) -> list[AuditRecord]:
    """Return the records of resources that their cluster no longer has, and of those that it has again."""
    return [
        *(_record(AuditAction.DRIFT_FOUND, each, _existence("alert", observed=False)) for each in lost),
        *(_record(AuditAction.DRIFT_FOUND, each, _existence("returned", observed=True)) for each in found),
    ]


def adopted_record(difference: Difference) -> AuditRecord:
    """Return the record of a difference whose observed value has become what is desired."""
    return _record(AuditAction.DRIFT_ADOPTED, difference, values(difference))


def values(difference: Difference) -> dict[str, object]:
    """Return the field with its desired and observed value."""
    return {difference.field: {"desired": difference.desired, "observed": difference.observed}}


def _existence(done: str, *, observed: bool) -> dict[str, object]:
    return {"existence": {"desired": True, "observed": observed}, "done": done}


def _record(action: AuditAction, resource: ComparedResource, detail: Mapping[str, object]) -> AuditRecord:
    return AuditRecord(
        action=action,
        actor=ACTOR,
        outcome="accepted",
        organization_id=resource.organization_id,
        project_id=resource.project_id,
        subject_id=resource.id,
        subject_name=resource.name,
        detail={"kind": resource.kind, **detail},
    )
