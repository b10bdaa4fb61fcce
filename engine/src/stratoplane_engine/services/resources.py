# SPDX-License-Identifier: Apache-2.0
"""What tenants own: one way to create, change, delete and read every kind."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import NoClusterError, StratoplaneError, UnavailableError
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import resources as rows
from stratoplane_engine.db.changes import stored_answer
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.kinds.draft import Json
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import changes_old as changes
from stratoplane_engine.services import changes_rows_old as acceptance
from stratoplane_engine.services import cursors

_LOOKS: Final = 5


def get(database: Database, context: RequestContext, project_id: UUID, kind: str, resource_id: UUID) -> dict[str, Any]:
    """Return one resource in wire form.

    Raises:
        ResourceNotFoundError: this project has none with the id; ResourceDeletedError: it had one.
    """
    require(context, Permission.RESOURCE_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        return wire_form.resource(changes.existing(connection, context, project_id, kind, resource_id))


def list_resources(
    database: Database, context: RequestContext, project_id: UUID, kind: str, page: Page
) -> Listing[Mapping[str, object]]:
    """Return one page of a project's resources of a kind.

    Raises:
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.RESOURCE_READ, organization_id=context.organization_id, project_id=project_id)
    with database.tenant(context.organization_id) as connection:
        found = rows.page(
            connection,
            organization_id=context.organization_id,
            project_id=project_id,
            kind=kind,
            sort=page.sort,
            after=cursors.decode(page.sort, page.cursor),
            limit=page.limit + 1,
            status=page.status,
            name_contains=page.name_contains,
            labels=page.labels,
            excluded=page.excluded,
        )
    shown = found[: page.limit]
    more = len(found) > page.limit
    last = str(shown[-1]["name" if page.sort == "name" else "id"]) if more else ""
    return Listing(items=tuple(map(wire_form.resource, shown)), next=cursors.encode(page.sort, last) if more else None)


def create(
    database: Database, plugins: Plugins, context: RequestContext, project_id: UUID, kind: str, body: Json
) -> Accepted:
    """Accept a new resource: everything is written in one transaction, or nothing.

    Args:
        body: the request, its shape already checked.

    Raises:
        InvalidSpecError, ResourceNotFoundError: something that the body names is wrong or not there.
        QuotaExceededError, NoClusterError, FeatureUnsupportedError: it does not fit anywhere.
        NameTakenError, InUseError: a name or a volume is taken.
        IdempotencyMismatchError: the key belongs to another request.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)
    return transact(
        database, context, lambda connection: changes.create(connection, plugins, context, project_id, kind, body)
    )


def update(
    database: Database,
    plugins: Plugins,
    context: RequestContext,
    project_id: UUID,
    kind: str,
    resource_id: UUID,
    patch: Json,
) -> Accepted:
    """Accept a change of name, labels or the kind's own members; without a difference nothing happens.

    Raises as :func:`create`, and:
        VersionMismatchError: the resource changed since the caller read it.
        StateConflictError: it is being deleted, failed or is lost.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)

    def change(connection: Connection) -> Accepted:
        return changes.update(connection, plugins, context, project_id, kind, resource_id, patch)

    return transact(database, context, change)


def delete(
    database: Database, plugins: Plugins, context: RequestContext, project_id: UUID, kind: str, resource_id: UUID
) -> Accepted:
    """Accept a deletion; asked again while it runs, the answer is the running job.

    Raises:
        InUseError: others use the resource; VersionMismatchError; ResourceNotFoundError, ResourceDeletedError.
    """
    require(context, Permission.RESOURCE_WRITE, organization_id=context.organization_id, project_id=project_id)

    def remove(connection: Connection) -> Accepted:
        return changes.delete(connection, plugins, context, project_id, kind, resource_id)

    return transact(database, context, remove)


def act(database: Database, context: RequestContext, project_id: UUID, resource_id: UUID, action: str) -> Accepted:
    """Accept one of :data:`stratoplane_engine.services.changes_old.ACTIONS` on a machine.

    Raises:
        StateConflictError: the machine's state forbids it.
    """
    permission = Permission.CONSOLE_READ if action == "read_console" else Permission.RESOURCE_WRITE
    require(context, permission, organization_id=context.organization_id, project_id=project_id)
    return transact(
        database, context, lambda connection: changes.act(connection, context, project_id, resource_id, action)
    )


class _DryRun(Exception):  # noqa: N818  # no error: it takes the transaction back and carries the answer out
    def __init__(self, accepted: Accepted) -> None:
        super().__init__("dry run")
        self.accepted = accepted


def transact(database: Database, context: RequestContext, work: Callable[[Connection], Accepted]) -> Accepted:
    """Run ``work`` in one transaction, again when somebody else was quicker and another look may help.

    A refusal may be the effect of the first request with the same idempotency key, so that its answer comes first.
    """
    for _ in range(_LOOKS):
        try:
            with database.tenant(context.organization_id) as connection:
                accepted = work(connection)
                if context.dry_run:
                    raise _DryRun(accepted)  # noqa: TRY301  # it takes the transaction back on its way out
                return accepted
        except _DryRun as dry:
            return dry.accepted
        except (acceptance.KeyTakenError, acceptance.NoRoomError):
            continue
        except UnavailableError:
            raise
        except StratoplaneError:
            if (answer := stored(database, context)) is not None:
                return answer
            raise
    raise NoClusterError("the cluster has no room left for this; try a smaller size or another cluster")


def stored(database: Database, context: RequestContext) -> Accepted | None:
    """Return the answer that the caller's idempotency key got before, None for a new key or none."""
    if context.idempotency is None:
        return None
    with database.tenant(context.organization_id) as connection:
        key = context.idempotency.key
        return acceptance.replay(context, stored_answer(connection, context.organization_id, context.actor.id, key))
