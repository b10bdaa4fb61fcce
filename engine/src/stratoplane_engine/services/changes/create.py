# SPDX-License-Identifier: Apache-2.0
"""Creating a resource of any kind."""

from dataclasses import replace
from typing import Final

from stratoplane.compared_fields import Comparison, DriftPolicy
from stratoplane.ids import new_id
from stratoplane.kinds import Draft, ResourceRequest, Spec, invalid
from stratoplane.resources import ResourceStatus
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import clusters
from stratoplane_engine.db.changes import read_change
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.references import Resolution
from stratoplane_engine.kinds.compared import differences
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.services.changes.replay import replayed_change, transact
from stratoplane_engine.services.changes.request import DRIVER_CREATED, ChangeRequest, CreationSource
from stratoplane_engine.services.changes.rows import Change, create_rows, write_rows
from stratoplane_engine.services.placement import Placement, closed, eligible_clusters, fixed_cluster

MOST_NAMED: Final = 20
"""Clusters that one refusal names."""


def create_resource(database: Database, request: ChangeRequest, wanted: ResourceRequest) -> ChangeResult:
    """Accept a new resource: everything is written in one transaction, or nothing.

    Args:
        wanted: of the kind's class ``request``, its shape already checked.

    Raises:
        InvalidSpecError, ResourceNotFoundError: something that the request names is wrong or absent.
        QuotaExceededError, NoClusterError, FeatureUnsupportedError: it does not fit anywhere.
        NameTakenError, InUseError: a name or a volume is taken.
        IdempotencyMismatchError: the key belongs to another request.
    """
    request.require()
    return transact(database, request.context, lambda connection: create(connection, request, wanted), read_change)


def create(
    connection: Connection, request: ChangeRequest, wanted: ResourceRequest, source: CreationSource = DRIVER_CREATED
) -> ChangeResult:
    """Write a new resource with its job. Raises as :func:`create_resource`."""
    kind = request.kind
    found = request.resolve(connection, kind.references(wanted))
    if (answer := replayed_change(request.context, found.stored, connection.kinds)) is not None:
        return answer
    draft = kind.draft(wanted, found.references)
    draft = replace(draft, features=draft.features | source.features)
    resource = _new_resource(request, wanted, draft, found, source)
    _check_observed(request, resource, source)
    admission = request.admit("create", resource)
    if kind.interface is not None:
        placement = Placement(kind=kind, draft=draft, targets=found.references.targets, wanted=wanted.cluster)
        cluster = fixed_cluster(placement, found.clusters)
        if cluster is None:
            _check_any_is_open(connection, request, found)
            cluster = request.place(admission, eligible_clusters(placement, found.clusters))
        resource = replace(resource, cluster_id=cluster.id, cluster=cluster.name, status=ResourceStatus.PENDING)
    change = Change(
        resource=resource,
        audited=source.audited,
        detail={"quota_usage": resource.quota_usage, "cluster": resource.cluster, **source.given},
        quota=resource.quota_usage,
        verb=None if kind.interface is None else source.verb,
        given=source.given,
        links_of=kind,
    )
    rows, answer = create_rows(request.context, connection.kinds, change)
    write_rows(connection, request.context, replace(rows, is_new=not source.generation))
    return answer


def _check_any_is_open(connection: Connection, request: ChangeRequest, found: Resolution) -> None:
    """Tell operators of each cluster why it takes nothing new, where none does; tenants are told less."""
    if not found.clusters and request.context.actor.may(Permission.PLATFORM_READ):
        raise closed(clusters.page(connection, after=None, limit=MOST_NAMED))


def _check_observed(request: ChangeRequest, resource: Resource[Spec], source: CreationSource) -> None:
    if source.observed is None:
        return
    for each in differences(request.kind, replace(resource, observed=source.observed)):
        field = next(field for field in request.kind.compared if field.name == each.field)
        if DriftPolicy.CORRECT not in field.policies and field.comparison is not Comparison.NAME:
            detail = f"{each.field} of the object is {each.observed}, not {each.desired}; name what it was made from"
            raise invalid(f"/{field.asked_by or field.name}", detail)


def _new_resource(
    request: ChangeRequest, wanted: ResourceRequest, draft: Draft[Spec], found: Resolution, source: CreationSource
) -> Resource[Spec]:
    return Resource(
        id=source.uid or new_id(),
        generation=source.generation + 1,
        organization_id=request.context.organization_id,
        project_id=request.project_id,
        kind=request.kind.name,
        name=wanted.name,
        status=ResourceStatus.ACTIVE,
        labels=wanted.labels,
        spec=draft.spec,
        observed={},
        quota_usage=request.kind.quota_usage(draft.spec),
        created_at=found.now,
        updated_at=found.now,
    )
