# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a resource beside a change: each is a job."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.drivers import Feature
from stratoplane.errors import StateConflictError
from stratoplane.kinds import Draft
from stratoplane.resources import ResourceStatus
from stratoplane.spec_changes import Interruption
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db.changes import read_change
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.services.changes.replay import replayed_change, transact
from stratoplane_engine.services.changes.request import ChangeRequest, existing
from stratoplane_engine.services.changes.rows import Change, change_rows, write_rows
from stratoplane_engine.services.placement import Placement, check_cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """An action of a resource.

    Attributes:
        verb: last part of its workflow's name.
        states: those in which it makes sense.
        feature: the ability that the cluster needs.
        permission: what the caller needs in the project.
        interruption: what it does to a resource that runs, None if nothing.
    """

    verb: str
    states: frozenset[ResourceStatus]
    feature: Feature
    permission: Permission = Permission.RESOURCE_WRITE
    interruption: Interruption | None = None


REBOOT: Final = Action(
    verb="reboot",
    states=frozenset({ResourceStatus.RUNNING}),
    feature=Feature.REBOOT,
    interruption=Interruption.RESTART,
)
READ_CONSOLE: Final = Action(
    verb="read_console",
    states=frozenset({ResourceStatus.RUNNING, ResourceStatus.STOPPED, ResourceStatus.UPDATING}),
    feature=Feature.CONSOLE_LOG,
    permission=Permission.CONSOLE_READ,
)


def act(database: Database, request: ChangeRequest, resource_id: UUID, action: Action) -> ChangeResult:
    """Accept an action on a resource.

    Raises:
        StateConflictError: the resource's state forbids it.
        FeatureUnsupportedError: its cluster lacks the ability.
        ResourceNotFoundError, ResourceDeletedError: it is not there, or no longer.
    """
    request.require(action.permission)
    return transact(
        database, request.context, lambda connection: _act(connection, request, resource_id, action), read_change
    )


def _act(connection: Connection, request: ChangeRequest, resource_id: UUID, action: Action) -> ChangeResult:
    found = request.resolve(connection, resource_id=resource_id)
    if (answer := replayed_change(request.context, found.stored, connection.kinds)) is not None:
        return answer
    resource = existing(found.resource, request.kind.name, resource_id)
    if resource.status not in action.states or resource.cluster_id is None:
        allowed, asked = " or ".join(sorted(action.states)), action.verb.replace("_", " ")
        detail = f"{request.noun} {resource.name} is {resource.status}; {asked} needs it to be {allowed}"
        raise StateConflictError(detail)
    needed = Draft(spec=resource.spec, features=frozenset({action.feature.value}))
    placement = Placement(kind=request.kind, draft=needed, targets=found.references.targets)
    check_cluster(placement, found.clusters, resource.cluster_id)
    change = Change(
        resource=replace(resource, version=resource.version + 1, updated_at=found.now),
        audited=AuditAction.RESOURCE_ACTION_ACCEPTED,
        detail={"action": action.verb},
        verb=action.verb,
        interruption=action.interruption,
    )
    rows, answer = change_rows(request.context, connection.kinds, change)
    write_rows(connection, request.context, rows)
    return answer
