# SPDX-License-Identifier: Apache-2.0
"""Deleting a resource of any kind."""

from dataclasses import replace
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import InUseError
from stratoplane.quota import difference
from stratoplane.resources import ResourceStatus
from stratoplane_engine.db import job_control, jobs
from stratoplane_engine.db.changes import read_change
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services.changes.replay import replayed_change, transact
from stratoplane_engine.services.changes.request import ChangeRequest, existing
from stratoplane_engine.services.changes.rows import Change, change_rows, unchanged, write_rows
from stratoplane_engine.services.versions import check_version


def delete_resource(database: Database, request: ChangeRequest, resource_id: UUID) -> ChangeResult:
    """Accept a deletion; asked again while it runs, the answer is the running job.

    Jobs of the resource that are under way or wait (create, update, actions) are cancelled: none is tried again, and
    a driver call that an agent executes is waited for.

    Raises:
        InUseError: others use the resource.
        VersionMismatchError: the resource changed since the caller read it.
        ResourceNotFoundError, ResourceDeletedError: it is not there, or no longer.
    """
    request.require()
    return transact(database, request.context, lambda connection: delete(connection, request, resource_id), read_change)


def delete(connection: Connection, request: ChangeRequest, resource_id: UUID) -> ChangeResult:
    """Write a deletion with its job. Raises as :func:`delete_resource`."""
    context = request.context
    found = request.resolve(connection, resource_id=resource_id)
    if (answer := replayed_change(context, found.stored, connection.kinds)) is not None:
        return answer
    resource = existing(found.resource, request.kind.name, resource_id)
    if resource.status is ResourceStatus.DELETING:
        answer = ChangeResult(resource=resource, job=jobs.live_job(connection, resource_id))
        return unchanged(connection, context, found.now, answer)
    check_version(context, resource)
    if users := found.users:
        detail = f"{request.noun} {resource.name} is used by {', '.join(users)}; delete or detach those first"
        raise InUseError(detail, used_by=list(users))
    request.admit("delete", resource, previous_name=resource.name)
    deleted = replace(
        resource,
        version=resource.version + 1,
        generation=resource.generation + 1,
        updated_at=found.now,
        detail="",
        status=ResourceStatus.DELETING,
    )
    change = Change(resource=deleted, audited=AuditAction.RESOURCE_DELETE_ACCEPTED, verb="delete")
    if request.kind.interface is None:
        gone = replace(deleted, status=ResourceStatus.DELETED, deleted_at=found.now, quota_usage={})
        change = replace(change, resource=gone, verb=None, quota=difference(resource.quota_usage, {}))
    # What is still to be made or changed is not wanted any more; what was made, the deletion removes.
    job_control.cancel_pointless(connection, resource_id, actor=context.actor.name)
    rows, answer = change_rows(context, connection.kinds, change)
    write_rows(connection, context, rows)
    return answer
