# SPDX-License-Identifier: Apache-2.0
"""What a change writes: the resource with its quota, claim, links, job, audit event and kept answer.

Times are the database's, so that the answer is known before the one writing statement runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import (
    InUseError,
    InvalidSpecError,
    NameTakenError,
    QuotaExceededError,
    ResourceNotFoundError,
    StateConflictError,
    StratoplaneError,
    Violation,
)
from stratoplane.ids import new_id
from stratoplane.kinds import AnyKind, Spec, display_name
from stratoplane.quota import Amount
from stratoplane.spec_changes import Interruption
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.accounting import ClaimChange, claim_change, quota_changes
from stratoplane_engine.db.changes import (
    AnswerRow,
    ChangeRows,
    LinkRow,
    Refusal,
    RefusedError,
    ShortQuota,
    keep_answer,
    try_change,
    write_change,
)
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.model.audit import AuditEvent
from stratoplane_engine.model.change import ChangePlan, ChangeResult, JobResult
from stratoplane_engine.model.job import Job, JobStep
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.model.trace import trace_id
from stratoplane_engine.workflows.catalogue import step_names

JOB_DEADLINE: Final = timedelta(hours=1)
IDEMPOTENCY_KEPT: Final = timedelta(days=7)


class KeyTakenError(Exception):
    """Another request with the same idempotency key was committed in between; its answer is to be replayed."""


class NoRoomError(Exception):
    """The chosen cluster filled up a moment ago; another look may find another cluster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change that was decided on.

    Attributes:
        resource: as it is from now on; its ``updated_at`` is the time of the change.
        audited: what the audit trail calls it, with ``detail``.
        quota: what it takes more of quotas and cluster; negative gives back.
        verb: last part of the name of the job's workflow, None when there is nothing left to do; ``given`` is its
            input.
        steps: those of the workflow that the job has; all of them unless they are named.
        interruption: what it does to a resource that runs, None if nothing.
        links_of: the kind whose links are written with it, None for a change that leaves them.
    """

    resource: Resource[Spec]
    audited: AuditAction
    detail: Mapping[str, object] = field(default_factory=dict)
    quota: Amount = field(default_factory=dict)
    verb: str | None = None
    given: Mapping[str, object] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    interruption: Interruption | None = None
    links_of: AnyKind | None = None


def create_rows(context: RequestContext, kinds: Kinds, change: Change) -> tuple[ChangeRows, ChangeResult]:
    """Return what a new resource writes, and the answer to the request."""
    rows, answer = change_rows(context, kinds, change)
    cluster_id = change.resource.cluster_id
    claim = None if cluster_id is None else claim_change(cluster_id, change.quota)
    return replace(rows, is_new=True, claim=claim), answer


def change_rows(context: RequestContext, kinds: Kinds, change: Change) -> tuple[ChangeRows, ChangeResult]:
    """Return what a change of a resource writes, and the answer to the request."""
    resource = change.resource
    job = None if change.verb is None else _new_job(context, kinds, change, change.verb)
    steps = () if job is None else tuple(step.name for step in job.steps)
    plan = ChangePlan(
        cluster=resource.cluster,
        quota=change.quota,
        job_kind=None if job is None else job.kind,
        steps=steps,
        interruption=change.interruption,
    )
    answer = ChangeResult(resource=resource, job=job, plan=plan)
    rows = ChangeRows(
        resource=resource,
        audit=_audit_event(context, change),
        quota=quota_changes(resource.organization_id, resource.project_id, change.quota),
        claim=_claim(resource.cluster_id, change.quota),
        links=() if change.links_of is None else _link_rows(resource, change.links_of),
        job=job,
        answer=answer_row(context, resource.updated_at, answer),
    )
    return rows, answer


def write_rows(connection: Connection, context: RequestContext, rows: ChangeRows) -> None:
    """Run the writing statement and turn what stands in its way into the error that the caller understands.

    The transaction ends with it; a dry run leaves it open, and whoever began it takes it back.

    Raises:
        QuotaExceededError: no room; NameTakenError, InUseError: taken; the transaction is lost.
        InvalidSpecError: what is to be used was deleted or failed a moment ago.
        KeyTakenError, NoRoomError: another request was quicker; the caller begins again.
    """
    write = try_change if context.dry_run else write_change
    try:
        write(connection, rows)
    except IntegrityError as error:
        raise _taken(error, rows.resource) from error
    except RefusedError as refused:
        raise _refusal(context, rows, refused.refusal) from refused


def unchanged(connection: Connection, context: RequestContext, now: datetime, answer: ChangeResult) -> ChangeResult:
    """Keep the answer to a request that there is nothing to do for, so that its key gets the same one for ever."""
    if (kept := answer_row(context, now, answer)) is not None:
        keep_answer(connection, kept)
    return answer


def answer_row(context: RequestContext, now: datetime, answer: ChangeResult | JobResult) -> AnswerRow | None:
    """Return the row that keeps the answer for the caller's key; None without a key, and for a dry run."""
    if context.idempotency is None or context.dry_run:
        return None
    return AnswerRow(
        organization_id=context.organization_id,
        actor_id=context.actor.id,
        key=context.idempotency.key,
        fingerprint=context.idempotency.fingerprint,
        answer=answer,
        expires_at=now + IDEMPOTENCY_KEPT,
    )


def _new_job(context: RequestContext, kinds: Kinds, change: Change, verb: str) -> Job:
    resource, workflow = change.resource, f"{change.resource.kind}.{verb}"
    names = change.steps or step_names(workflow, kinds)
    steps = (JobStep(position=position, name=name) for position, name in enumerate(names))
    return Job(
        id=new_id(),
        organization_id=resource.organization_id,
        project_id=resource.project_id,
        resource_id=resource.id,
        resource_kind=resource.kind,
        resource_name=resource.name,
        cluster_id=resource.cluster_id,
        kind=workflow,
        input=change.given,
        steps=tuple(steps),
        actor=context.actor.name,
        request_id=context.request_id,
        trace_parent=context.trace_parent,
        created_at=resource.updated_at,
        deadline_at=resource.updated_at + JOB_DEADLINE,
        next_run_at=resource.updated_at,
    )


def _audit_event(context: RequestContext, change: Change) -> AuditEvent:
    resource = change.resource
    return AuditEvent(
        id=new_id(),
        organization_id=resource.organization_id,
        project_id=resource.project_id,
        action=change.audited.value,
        outcome="accepted",
        actor=context.actor.name,
        subject_id=resource.id,
        subject_name=resource.name,
        request_id=context.request_id,
        trace_id=trace_id(context.trace_parent),
        detail={"kind": resource.kind, **change.detail},
        occurred_at=resource.updated_at,
    )


def _claim(cluster_id: UUID | None, quota: Amount) -> ClaimChange | None:
    claim = None if cluster_id is None else claim_change(cluster_id, quota)
    return None if claim is None or claim.is_nothing else claim


def _link_rows(resource: Resource[Spec], kind: AnyKind) -> tuple[LinkRow, ...]:
    return tuple(
        LinkRow(
            organization_id=resource.organization_id,
            source_id=resource.id,
            target_id=link.target_id,
            role=link.role,
            position=link.position,
            pointer=link.pointer,
        )
        for link in kind.uses(resource.spec)
    )


def _refusal(context: RequestContext, rows: ChangeRows, refusal: Refusal) -> Exception:
    if refusal.gone:
        return _gone(rows.links, refusal.gone)
    if refusal.short:
        return _over_quota(context, refusal.short[0])
    return NoRoomError() if refusal.no_room else KeyTakenError()


def _gone(links: Sequence[LinkRow], gone: Sequence[UUID]) -> InvalidSpecError:
    pointers = [link.pointer for link in links if link.target_id in gone]
    detail = f"what {', '.join(pointers)} names was deleted or failed a moment ago; choose another"
    return InvalidSpecError(detail, [Violation(pointer=pointer, detail=detail) for pointer in pointers])


def _taken(error: IntegrityError, resource: Resource[Spec]) -> Exception:
    constraint = error.diag.constraint_name
    if constraint == "resource_name_key":
        noun = display_name(resource.kind)
        return NameTakenError(f"this project has a {noun} named {resource.name!r} already; choose another name")
    if constraint == "resource_pkey":
        noun = display_name(resource.kind)
        return StateConflictError(f"{noun} {resource.id} was adopted or is being deleted; list the orphans again")
    if constraint == "resource_link_volume_key":
        return InUseError("another machine took one of the volumes a moment ago; detach it there first")
    return error


def _over_quota(context: RequestContext, line: ShortQuota) -> StratoplaneError:
    scope = "organization" if line.scope_id == context.organization_id else "project"
    if line.limit is None or line.used is None:
        return ResourceNotFoundError(f"the {scope} was deleted a moment ago; list what there is")
    detail = (
        f"the {scope}'s quota of {line.key} is {line.limit}: {line.used} used, {line.amount} more wanted;"
        " delete something or ask an operator for more"
    )
    return QuotaExceededError(detail, key=line.key, scope=scope, limit=line.limit, used=line.used, wanted=line.amount)
