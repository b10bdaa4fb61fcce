# SPDX-License-Identifier: Apache-2.0
"""Orphans, for operators: objects of ours without a resource, which a job deletes or makes a resource again."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceNotFoundError, StateConflictError
from stratoplane.ids import new_id
from stratoplane.kinds import Recovery, ResourceRequest, display_name, invalid
from stratoplane.quota import UNLIMITED
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, comparison, installation, jobs, organizations, quota
from stratoplane_engine.db import orphans as rows
from stratoplane_engine.db.changes import keep_answer, read_change, read_job_result
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.db.orphans import OrphanRecord
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.change import ChangeResult, JobResult
from stratoplane_engine.model.drift import NewJob, Orphan
from stratoplane_engine.model.identity import OwnerDraft
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.bootstrap import PROVIDER_ORGANIZATION
from stratoplane_engine.services.changes.create import create
from stratoplane_engine.services.changes.replay import stored, transact
from stratoplane_engine.services.changes.request import ChangeRequest, CreationSource
from stratoplane_engine.services.changes.rows import KeyTakenError, answer_row
from stratoplane_engine.services.jobs import existing
from stratoplane_engine.services.listings import Order
from stratoplane_engine.workflows.catalogue import step_names

HOME: Final = "orphans"
"""Project of the provider's organization that has the jobs about objects of which nothing was ever on record."""
_Place = tuple[UUID, UUID]


def _read_place(text: str) -> _Place:
    cluster, uid = map(UUID, text.split("/"))
    return cluster, uid


_BY_PLACE: Final[Order[Orphan, _Place]] = Order(
    name="cluster",
    key=lambda orphan: (orphan.cluster_id, orphan.uid),
    read=_read_place,
    write=lambda place: f"{place[0]}/{place[1]}",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrphanDeletion:
    """Which orphan is deleted; ``name`` confirms it and must be the one that is listed."""

    cluster_id: UUID
    uid: UUID
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrphanAdoption:
    """Which orphan becomes a resource of which project.

    Attributes:
        name: of the resource; the object is renamed to it where its driver can.
        flavor, image: id or name of what it was made from, for kinds of which no driver shows it.
    """

    cluster_id: UUID
    uid: UUID
    project_id: UUID
    name: str
    flavor: str = ""
    image: str = ""


def list_orphans(database: Database, context: RequestContext, page: Page) -> Listing[Orphan]:
    """Return one page of orphans, by cluster and mark.

    Raises:
        PermissionDeniedError: the caller is not an operator of the platform.
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    after = _BY_PLACE.begin(page)
    with database.system_reads() as connection:
        found = rows.page(connection, limit=page.limit + 1, after=after)
    return _BY_PLACE.listing(found, page)


def delete_orphan(database: Database, context: RequestContext, wanted: OrphanDeletion) -> JobResult:
    """Accept that a job deletes an orphan at its provider, and return the job.

    The job belongs to the project of the deleted resource that the object was, or to the provider's project ``orphans``
    when nothing is on record. An object that is gone by then is as good as deleted.

    Raises:
        ResourceNotFoundError: the cluster lists no such orphan; the caller lists what there is.
        InvalidSpecError: the name is not that of the object, or its kind is not enabled.
        StateConflictError: a job works on it, or a resource on another cluster has the same mark.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system_reads() as connection:
        provider = installation.organization_by_name(connection, PROVIDER_ORGANIZATION)
        found = rows.get(connection, wanted.cluster_id, wanted.uid)
    owner = found.organization_id if found is not None and found.organization_id is not None else provider
    if owner is None:
        raise StateConflictError("the installation has no provider's organization; run 'stratoplane-server migrate'")
    inside = replace(context, organization_id=owner)
    if not context.dry_run and (kept := stored(database, inside, read_job_result)) is not None:
        return kept
    orphan = _checked(database.kinds, wanted.cluster_id, wanted.uid, found)
    if wanted.name != (orphan.name or str(orphan.uid)):
        raise invalid("/name", f"the object is called {orphan.name or orphan.uid!s}, not {wanted.name}; look again")
    return transact(database, inside, lambda connection: _delete(connection, inside, orphan), read_job_result)


def _delete(connection: Connection, context: RequestContext, orphan: OrphanRecord) -> JobResult:
    project_id = orphan.project_id or _home(connection, context)
    rows.record_deleted(connection, orphan, context.organization_id, project_id)
    _hold(connection, context, orphan)
    kind = f"{orphan.kind}.clear"
    job_id, name = new_id(), orphan.name or str(orphan.uid)
    work = NewJob(
        id=job_id,
        organization_id=context.organization_id,
        project_id=project_id,
        resource_id=orphan.uid,
        resource_kind=orphan.kind,
        resource_name=name,
        cluster_id=orphan.cluster_id,
        kind=kind,
        input={},
        actor=context.actor.name,
        priority=0,
        steps=step_names(kind, connection.kinds),
    )
    comparison.insert_jobs(connection, [work])
    detail = {"kind": orphan.kind, "cluster": orphan.cluster, "job_id": str(job_id)}
    action = AuditAction.ORPHAN_DELETE_ACCEPTED
    audit.write(connection, record(context, action, orphan.uid, name, project_id=project_id, detail=detail))
    result = JobResult(job=existing(jobs.get_any(connection, job_id), job_id))
    if (kept := answer_row(context, datetime.now(UTC), result)) is not None:
        keep_answer(connection, kept)
    return result


def _home(connection: Connection, context: RequestContext) -> UUID:
    """Return the provider's project for orphans, which the first of them makes."""
    present = rows.home(connection, context.organization_id, HOME)
    if present is not None:
        return present
    try:
        draft = OwnerDraft(name=HOME, display_name="Objects without a resource that were deleted")
        made = organizations.insert_project(connection, new_id(), context.organization_id, draft)
    except UniqueViolation as error:
        raise KeyTakenError from error
    limits = dict.fromkeys(connection.kinds.quota_keys, UNLIMITED)
    quota.set_limits(connection, context.organization_id, made.id, limits)
    audit.write(connection, record(context, AuditAction.PROJECT_CREATED, made.id, made.name, project_id=made.id))
    return made.id


def adopt_orphan(database: Database, plugins: Plugins, context: RequestContext, wanted: OrphanAdoption) -> ChangeResult:
    """Accept that an orphan becomes a resource of a project under its own id, with its quota and its rules.

    If the job fails, the object is an orphan as before; it is never deleted and never made again.

    Raises:
        ResourceNotFoundError: the cluster lists no such orphan, or there is no such project.
        StateConflictError: a job works on it, a resource on another cluster has the same mark, or the deleted record
            of its id is another project's.
        InvalidSpecError: the kind cannot be recovered, or what the driver shows is not enough or does not fit.
        QuotaExceededError, NameTakenError, NoClusterError: as for a new resource.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system_reads() as connection:
        owner = organizations.project(connection, wanted.project_id)
        found = rows.get(connection, wanted.cluster_id, wanted.uid)
    if owner is None:
        raise ResourceNotFoundError(f"there is no project {wanted.project_id}; list the projects")
    inside = replace(context, organization_id=owner.organization_id)
    if not context.dry_run and (kept := stored(database, inside, read_change)) is not None:
        return kept
    orphan = _checked(database.kinds, wanted.cluster_id, wanted.uid, found)
    _check_record(orphan, wanted)
    asked = _request(database.kinds, orphan, wanted)
    source = CreationSource(
        verb="recover",
        audited=AuditAction.ORPHAN_ADOPT_ACCEPTED,
        uid=orphan.uid,
        generation=orphan.generation,
        observed=orphan.status,
    )
    kind = database.kinds[orphan.kind]
    request = ChangeRequest(context=inside, project_id=wanted.project_id, kind=kind, plugins=plugins)

    def work(connection: Connection) -> ChangeResult:
        if orphan.generation:
            _hold(connection, inside, orphan)
        return create(connection, request, asked, source)

    return transact(database, inside, work, read_change)


def _checked(kinds: Kinds, cluster_id: UUID, uid: UUID, found: OrphanRecord | None) -> OrphanRecord:
    if found is None:
        raise ResourceNotFoundError(f"cluster {cluster_id} lists no orphan {uid}; list the orphans")
    noun = display_name(found.kind)
    if found.kind not in kinds or kinds[found.kind].interface is None:
        raise invalid("/uid", f"the kind {noun} is not enabled; enable its plugin first")
    if found.is_live:
        where = f"the mark of {noun} {uid} is that of a resource on cluster {found.home}"
        raise StateConflictError(f"{where}: what is done by the mark could reach that one; look at the provider")
    if found.job_id is not None:
        raise StateConflictError(f"job {found.job_id} works on {noun} {uid} already; wait for its end")
    return found


def _check_record(orphan: OrphanRecord, wanted: OrphanAdoption) -> None:
    """Refuse what the deleted record of the same id does not allow: an id is that of one resource for ever."""
    if orphan.others:
        noun = f"{display_name(orphan.kind)} {orphan.uid}"
        raise StateConflictError(
            f"{noun} is several objects ({', '.join(orphan.others)} too); leave one at the provider"
        )
    here = (wanted.project_id, orphan.cluster_id, orphan.kind)
    if orphan.generation and (orphan.project_id, orphan.home_id, orphan.home_kind) != here:
        noun = f"{display_name(orphan.kind)} {orphan.uid}"
        where = f"{noun} is on record as deleted in project {orphan.project_id}"
        raise StateConflictError(f"{where}; adopt it into that project, or delete it")


def _request(kinds: Kinds, orphan: OrphanRecord, wanted: OrphanAdoption) -> ResourceRequest:
    said = Recovery(name=wanted.name, cluster=orphan.cluster, flavor=wanted.flavor, image=wanted.image)
    noun = display_name(orphan.kind)
    try:
        asked = kinds[orphan.kind].recovered(orphan.status, said)
    except (KeyError, TypeError) as error:
        detail = f"the driver does not show all that a {noun} must have: {error} is missing"
        raise invalid("/uid", detail) from error
    if asked is None:
        raise invalid(
            "/uid", f"a {noun} cannot be adopted, since its kind cannot tell what it was made from; delete it"
        )
    request: ResourceRequest = asked
    return request


def _hold(connection: Connection, context: RequestContext, orphan: OrphanRecord) -> None:
    noun = f"{display_name(orphan.kind)} {orphan.uid}"
    if not rows.hold(connection, context.organization_id, orphan.uid):
        raise StateConflictError(f"{noun} was adopted or is being deleted; list the orphans again")
    if (job := rows.job_of(connection, orphan.uid)) is not None:
        raise StateConflictError(f"job {job} works on {noun} already; wait for its end")
