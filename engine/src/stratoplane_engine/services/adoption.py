# SPDX-License-Identifier: Apache-2.0
"""Foreign objects become resources: an operator gives one to a project, which pays for it from then on."""

from dataclasses import dataclass, replace
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.drivers import Feature
from stratoplane.errors import ResourceNotFoundError, StateConflictError
from stratoplane.kinds import ResourceRequest, display_name, invalid
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import foreign_objects as rows
from stratoplane_engine.db.changes import read_change
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.foreign_objects import AdoptableObject, ForeignKey
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.change import ChangeResult
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.changes.create import create
from stratoplane_engine.services.changes.replay import stored, transact
from stratoplane_engine.services.changes.request import ChangeRequest, CreationSource


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptionDraft:
    """Which foreign object becomes a resource of which project.

    Attributes:
        reference: the provider's own id, as it is listed.
        name: of the new resource; the object is renamed to it.
    """

    cluster_id: UUID
    kind: str
    reference: str
    project_id: UUID
    name: str


def adopt_foreign_object(
    database: Database, plugins: Plugins, context: RequestContext, draft: AdoptionDraft
) -> ChangeResult:
    """Accept that a foreign object becomes a resource of a project: with its quota, its rules and its audit trail.

    The object is marked and renamed by a job; if that fails, it is as foreign as before, and never deleted.

    Raises:
        ResourceNotFoundError: no such object is known, or there is no such project.
        StateConflictError: it is being adopted already.
        InvalidSpecError: the platform could not have made such an object.
        QuotaExceededError, NameTakenError, FeatureUnsupportedError, NoClusterError: as for a new resource.
    """
    require(context, Permission.PLATFORM_WRITE)
    found = _find(database, draft)
    if found.organization_id is None:
        raise ResourceNotFoundError(f"there is no project {draft.project_id}; list the projects")
    wanted = _request(database.kinds, draft, found)
    inside = replace(context, organization_id=found.organization_id)
    if found.job_id is not None:
        if (answer := stored(database, inside, read_change)) is not None:
            return answer
        raise StateConflictError(f"job {found.job_id} adopts {draft.reference} already; wait for its end")
    source = CreationSource(
        verb="adopt",
        audited=AuditAction.FOREIGN_OBJECT_ADOPT_ACCEPTED,
        given={"reference": draft.reference},
        features=frozenset({Feature.IMPORT.value}),
    )
    request = ChangeRequest(
        context=inside, project_id=draft.project_id, kind=database.kinds[draft.kind], plugins=plugins
    )
    return transact(database, inside, lambda connection: create(connection, request, wanted, source), read_change)


def _find(database: Database, draft: AdoptionDraft) -> AdoptableObject:
    key = ForeignKey(cluster_id=draft.cluster_id, kind=draft.kind, reference=draft.reference)
    with database.system_reads() as connection:
        found = rows.get(connection, key, draft.project_id)
    if found is None:
        noun = display_name(draft.kind)
        raise ResourceNotFoundError(
            f"cluster {draft.cluster_id} shows no foreign {noun} {draft.reference!r}; list what there is"
        )
    return found


def _request(kinds: Kinds, draft: AdoptionDraft, found: AdoptableObject) -> ResourceRequest:
    """Return the request that would have made the object."""
    kind = kinds.get(draft.kind)
    try:
        wanted = None if kind is None else kind.adopted(found.status, draft.name, found.cluster)
    except (KeyError, TypeError) as error:
        noun = display_name(draft.kind)
        detail = f"the driver does not show all that a {noun} must have: {error} is missing"
        raise invalid("/reference", detail) from error
    if wanted is None:
        detail = f"objects of kind {draft.kind} cannot be adopted; these can: {', '.join(kinds.adoptable)}"
        raise invalid("/kind", detail)
    request: ResourceRequest = wanted
    return request
