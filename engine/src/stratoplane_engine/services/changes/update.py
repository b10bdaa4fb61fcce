# SPDX-License-Identifier: Apache-2.0
"""Changing a resource of any kind."""

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import StateConflictError
from stratoplane.kinds import AnyKind, Draft, ResourcePatch, Spec, display_name
from stratoplane.quota import difference
from stratoplane.resources import CHANGEABLE, ResourceStatus
from stratoplane.wire import to_json
from stratoplane_engine.accounting import larger
from stratoplane_engine.db.changes import read_change
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.compared import unlike_asked
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.drift import FieldDifference
from stratoplane_engine.model.resource import Desired, Resource
from stratoplane_engine.services.changes.replay import replayed_change, transact
from stratoplane_engine.services.changes.request import ChangeRequest, existing
from stratoplane_engine.services.changes.rows import Change, change_rows, unchanged, write_rows
from stratoplane_engine.services.placement import Placement, check_cluster
from stratoplane_engine.services.versions import check_version
from stratoplane_engine.workflows.asked import asked_of_observed

_INSTEAD: Final = {
    ResourceStatus.FAILED: "retry the job that failed to create or delete it, or delete it",
    ResourceStatus.LOST: "wait until it is found again at its provider, or delete it",
    ResourceStatus.DELETING: "cancel the job that deletes it, if you want to keep it",
}
"""What can be done with what cannot be changed."""


def update_resource(
    database: Database, request: ChangeRequest, resource_id: UUID, patch: ResourcePatch
) -> ChangeResult:
    """Accept a change of name, labels or the kind's own members; without a difference nothing happens.

    Args:
        patch: of the kind's class ``patch``, its shape already checked.

    Raises:
        VersionMismatchError: the resource changed since the caller read it.
        StateConflictError: it is being deleted, failed or is lost.
        StratoplaneError: as :func:`stratoplane_engine.services.changes.create.create_resource`.
    """
    request.require()
    return transact(
        database, request.context, lambda connection: _update(connection, request, resource_id, patch), read_change
    )


def _update(connection: Connection, request: ChangeRequest, resource_id: UUID, patch: ResourcePatch) -> ChangeResult:
    kind, context = request.kind, request.context
    found = request.resolve(connection, kind.references(patch), resource_id)
    if (answer := replayed_change(context, found.stored, connection.kinds)) is not None:
        return answer
    resource = existing(found.resource, kind.name, resource_id)
    check_version(context, resource)
    if resource.status not in CHANGEABLE:
        raise unchangeable(resource)
    draft = kind.redraft(resource.spec, patch, found.references)
    after = _patched(resource, patch, draft)
    unlike = unlike_asked(kind, after, patch)
    if not unlike and (after.spec, after.name, after.labels) == (resource.spec, resource.name, resource.labels):
        return unchanged(connection, context, found.now, ChangeResult(resource=resource))
    request.admit("update", after, previous_name=resource.name)
    features: Collection[str] = ()
    if resource.cluster_id is not None:
        placement = Placement(kind=kind, draft=draft, targets=found.references.targets)
        features = check_cluster(placement, found.clusters, resource.cluster_id).features
    after = replace(after, version=resource.version + 1, updated_at=found.now)
    change = _change(request, resource, after, patch)
    if kind.interface is not None and (unlike or (after.spec, after.name) != (resource.spec, resource.name)):
        change = _with_job(kind, resource, change, unlike, features)
    rows, answer = change_rows(context, connection.kinds, change)
    write_rows(connection, context, rows)
    return answer


def unchangeable(resource: Resource[Spec]) -> StateConflictError:
    """Return the refusal of a change that the resource's status forbids; it says what can be done instead."""
    instead = _INSTEAD.get(resource.status, "it cannot be changed any more")
    return StateConflictError(f"{display_name(resource.kind)} {resource.name} is {resource.status}; {instead}")


def _patched(resource: Resource[Spec], patch: ResourcePatch, draft: Draft[Spec]) -> Resource[Spec]:
    return replace(
        resource,
        name=resource.name if patch.name is None else patch.name,
        labels=resource.labels if patch.labels is None else patch.labels,
        spec=draft.spec,
    )


def _change(
    request: ChangeRequest,
    before: Resource[Spec],
    after: Resource[Spec],
    patch: ResourcePatch,
) -> Change:
    """Charge what the resource may have until the change is done."""
    charged = larger(before.quota_usage, request.kind.quota_usage(after.spec))
    quota = difference(before.quota_usage, charged)
    return Change(
        resource=replace(after, quota_usage=charged),
        audited=AuditAction.RESOURCE_UPDATE_ACCEPTED,
        detail={"members": _changed(before, patch), "quota": quota},
        quota=quota,
        links_of=request.kind,
    )


def _with_job(
    kind: AnyKind,
    before: Resource[Spec],
    change: Change,
    unlike: Sequence[FieldDifference],
    features: Collection[str],
) -> Change:
    """Return the change with a job, since the provider must follow.

    It must also where what is asked for was desired before and is observed otherwise: ``unlike``.
    """
    after = change.resource
    wanted = Desired(name=after.name, spec=after.spec)
    found = asked_of_observed(kind, Desired(name=before.name, spec=before.spec), wanted, unlike)
    drift = _drift_input(unlike)
    status = before.status if before.status is ResourceStatus.PENDING else ResourceStatus.UPDATING
    return replace(
        change,
        resource=replace(after, detail="", generation=before.generation + 1, status=status),
        verb=found.verb,
        steps=found.steps(found.verb),
        given={"before": {"spec": to_json(before.spec), "name": before.name}, **({"drift": drift} if drift else {})},
        interruption=found.interruption(kind, wanted, features) if kind.runs(before.spec, before.status) else None,
    )


def _drift_input(unlike: Sequence[FieldDifference]) -> dict[str, object]:
    """Return what a job's input says of the fields that it corrects."""
    return {each.field: {"desired": each.desired, "observed": each.observed} for each in unlike}


def _changed(before: Resource[Spec], patch: ResourcePatch) -> list[str]:
    """Return the members that the patch names, without a name or labels that stay."""
    given = {each.name: getattr(patch, each.name) for each in fields(patch)}
    kept = {"name": before.name, "labels": before.labels}
    return sorted(name for name, value in given.items() if value is not None and value != kept.get(name))
