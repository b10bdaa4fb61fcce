# SPDX-License-Identifier: Apache-2.0
"""Foreign objects become resources: an operator gives one to a project, which pays for it from then on."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.drivers import Feature
from stratoplane.errors import InvalidSpecError, ResourceNotFoundError, StateConflictError, Violation
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import foreign_objects as rows
from stratoplane_engine.db.connection import Database
from stratoplane_engine.kinds.catalogue import KINDS
from stratoplane_engine.kinds.draft import Json
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services import changes_old as changes
from stratoplane_engine.services.resources import stored, transact

ADOPTABLE = tuple(kind.name for kind in KINDS.values() if kind.adopted)
"""The kinds whose objects can be adopted."""


def adopt(
    database: Database,
    plugins: Plugins,
    context: RequestContext,
    *,
    cluster_id: UUID,
    kind: str,
    reference: str,
    project_id: UUID,
    name: str,
) -> Accepted:
    """Accept that a foreign object becomes a resource of a project: with its quota, its rules and its audit trail.

    The object is marked and renamed by a job; if that fails, it is as foreign as before, and never deleted.

    Args:
        reference: the provider's own id, as it is listed.
        name: of the new resource.

    Raises:
        ResourceNotFoundError: no such object is known, or there is no such project.
        StateConflictError: it is being adopted already.
        InvalidSpecError: the platform could not have made such an object.
        QuotaExceededError, NameTakenError, FeatureUnsupportedError, NoClusterError: as for a new resource.
    """
    require(context, Permission.PLATFORM_WRITE)
    found = _find(database, cluster_id=cluster_id, kind=kind, reference=reference, project_id=project_id)
    body = {**_members(kind, found["status"]), "name": name, "cluster": found["cluster"]}
    origin = changes.Origin(
        verb="adopt",
        audited=AuditAction.FOREIGN_OBJECT_ADOPT_ACCEPTED,
        given={"reference": reference},
        features=frozenset({Feature.IMPORT.value}),
    )
    inside = replace(context, organization_id=found["organization_id"])
    if found["job_id"] is not None:
        if (answer := stored(database, inside)) is not None:
            return answer
        raise StateConflictError(f"job {found['job_id']} adopts {reference} already; wait for its end")
    return transact(
        database,
        inside,
        lambda connection: changes.create(connection, plugins, inside, project_id, kind, body, origin=origin),
    )


def _find(database: Database, *, cluster_id: UUID, kind: str, reference: str, project_id: UUID) -> dict[str, Any]:
    with database.system() as connection:
        found = rows.get(connection, cluster_id=cluster_id, kind=kind, reference=reference, project_id=project_id)
    if found is None:
        words = kind.replace("_", " ")
        raise ResourceNotFoundError(f"cluster {cluster_id} shows no foreign {words} {reference!r}; list what there is")
    if found["organization_id"] is None:
        raise ResourceNotFoundError(f"there is no project {project_id}; list the projects")
    return found


def _members(kind: str, observed: Json) -> Json:
    adopted = KINDS[kind].adopted
    if adopted is None:
        detail = f"objects of kind {kind} cannot be adopted; these can: {', '.join(ADOPTABLE)}"
        raise InvalidSpecError(detail, [Violation(pointer="/kind", detail=detail)])
    try:
        return adopted(observed)
    except (KeyError, TypeError) as error:
        detail = f"the driver does not show all that a {kind.replace('_', ' ')} must have: {error} is missing"
        raise InvalidSpecError(detail, [Violation(pointer="/reference", detail=detail)]) from error
