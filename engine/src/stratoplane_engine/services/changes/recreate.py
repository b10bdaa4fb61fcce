# SPDX-License-Identifier: Apache-2.0
"""Creating once more what a failed job could not make."""

from dataclasses import replace
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import StateConflictError
from stratoplane.kinds import Draft
from stratoplane.quota import difference
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services.changes.request import ChangeRequest, existing
from stratoplane_engine.services.changes.rows import Change, change_rows, write_rows
from stratoplane_engine.services.placement import Placement, check_cluster, check_image


def recreate(connection: Connection, request: ChangeRequest, resource_id: UUID) -> ChangeResult:
    """Write another create of a failed resource, from the same spec and on the same cluster.

    Raises:
        StateConflictError: it has not failed.
        QuotaExceededError, NoClusterError, FeatureUnsupportedError: it does not fit any more.
        InvalidSpecError: its cluster does not have the image any more.
    """
    kind = request.kind
    found = request.resolve(connection, resource_id=resource_id)
    resource = existing(found.resource, kind.name, resource_id)
    if resource.status is not ResourceStatus.FAILED or resource.cluster_id is None:
        detail = f"{request.noun} {resource.name} is {resource.status}; only what has failed is created again"
        raise StateConflictError(detail)
    request.admit("create", resource)
    placement = Placement(kind=kind, draft=Draft(spec=resource.spec), targets=found.references.targets)
    check_image(check_cluster(placement, found.clusters, resource.cluster_id))
    usage = kind.quota_usage(resource.spec)
    change = Change(
        resource=replace(
            resource,
            version=resource.version + 1,
            updated_at=found.now,
            detail="",
            quota_usage=usage,
            status=ResourceStatus.PENDING,
        ),
        audited=AuditAction.RESOURCE_CREATE_ACCEPTED,
        detail={"retry": True, "quota_usage": usage, "cluster": resource.cluster},
        quota=difference(resource.quota_usage, usage),
        verb="create",
        links_of=kind,
    )
    rows, answer = change_rows(request.context, connection.kinds, change)
    write_rows(connection, request.context, rows)
    return answer
