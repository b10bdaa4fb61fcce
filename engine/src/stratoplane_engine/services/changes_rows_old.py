# SPDX-License-Identifier: Apache-2.0
"""The parts of an acceptance: quota lines, placement claim, job, steps, audit and idempotency rows.

Times are the database's, so that the answer is known before the one writing statement runs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import (
    IdempotencyMismatchError,
    InUseError,
    InvalidSpecError,
    NameTakenError,
    QuotaExceededError,
    ResourceNotFoundError,
    StratoplaneError,
    Violation,
)
from stratoplane.ids import new_id
from stratoplane.quota import Amount, QuotaKey
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.db.changes import Acceptance, RefusedError, accept
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.change import Accepted
from stratoplane_engine.workflows.catalogue import step_names

JOB_DEADLINE: Final = timedelta(hours=1)
IDEMPOTENCY_KEPT: Final = timedelta(days=7)
_CLAIMS: Final = {
    "vcpus": QuotaKey.VCPUS,
    "memory_mib": QuotaKey.MEMORY_MIB,
    "storage_gib": QuotaKey.STORAGE_GIB,
}


class KeyTakenError(Exception):
    """Another request with the same idempotency key was committed in between; its answer is to be replayed."""


class NoRoomError(Exception):
    """The chosen cluster filled up a moment ago; another look may find another cluster."""


def larger(present: Amount, wanted: Amount) -> Amount:
    """Return what a resource holds while it goes from ``present`` to ``wanted``: what it may still have counts."""
    return {key: max(present.get(key, 0), wanted.get(key, 0)) for key in sorted(present.keys() | wanted.keys())}


def quota_lines(organization_id: UUID, project_id: UUID, change: Amount) -> list[dict[str, Any]]:
    """Return what changes in the quotas of the organization and the project."""
    return [
        {"scope_id": scope, "key": str(key), "amount": amount}
        for scope in (organization_id, project_id)
        for key, amount in change.items()
        if amount
    ]


def claim(cluster_id: UUID | None, change: Amount, *, even_nothing: bool = False) -> dict[str, Any] | None:
    """Return what changes in the cluster's claims, None when nothing does.

    A claim of nothing still makes sure that the cluster is not deleted meanwhile; new resources make one.
    """
    if cluster_id is None:
        return None
    amounts = {name: change.get(key, 0) for name, key in _CLAIMS.items()}
    return {"cluster_id": cluster_id, **amounts} if even_nothing or any(amounts.values()) else None


def job_row(
    context: RequestContext, resource: Mapping[str, Any], kind: str, now: datetime, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a new job of workflow ``kind`` for ``resource``; ``given`` is its input."""
    return {
        "id": new_id(),
        "organization_id": resource["organization_id"],
        "project_id": resource["project_id"],
        "resource_id": resource["id"],
        "resource_kind": resource["kind"],
        "resource_name": resource["name"],
        "cluster_id": resource["cluster_id"],
        "kind": kind,
        "state": "PENDING",
        "input": given,
        "deadline_at": now + JOB_DEADLINE,
        "actor": context.actor.name,
        "request_id": context.request_id,
        "trace_parent": context.trace_parent,
        "created_at": now,
    }


def step_rows(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a new job's steps."""
    return [
        {
            "organization_id": job["organization_id"],
            "job_id": job["id"],
            "position": position,
            "name": name,
            "state": "PENDING",
        }
        for position, name in enumerate(step_names(job["kind"]))
    ]


def audit_row(
    context: RequestContext, action: AuditAction, resource: Mapping[str, Any], now: datetime, detail: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the audit event of an accepted change."""
    return {
        "id": new_id(),
        "organization_id": resource["organization_id"],
        "project_id": resource["project_id"],
        "action": action.value,
        "outcome": "accepted",
        "actor": context.actor.name,
        "subject_id": resource["id"],
        "subject_name": resource["name"],
        "request_id": context.request_id,
        "trace_id": wire_form.trace_id(context.trace_parent),
        "detail": {"kind": resource["kind"], **detail},
        "occurred_at": now,
    }


def replay(context: RequestContext, stored: Mapping[str, Any] | None) -> Accepted | None:
    """Return the stored answer to the caller's idempotency key, None when the key is new.

    Raises:
        IdempotencyMismatchError: the key came with another request before.
    """
    if stored is None or context.idempotency is None or context.dry_run:
        return None
    if stored["fingerprint"] != context.idempotency.fingerprint:
        detail = f"idempotency key {context.idempotency.key!r} was used with another request; make a new key"
        raise IdempotencyMismatchError(detail)
    answer = stored["answer"]
    return Accepted(resource=answer["resource"], job=answer["job"], replayed=True)


def idempotency_row(context: RequestContext, now: datetime, accepted: Accepted) -> dict[str, Any] | None:
    """Return the row that keeps the answer for the caller's key."""
    if context.idempotency is None or context.dry_run:
        return None
    return {
        "organization_id": context.organization_id,
        "actor_id": context.actor.id,
        "key": context.idempotency.key,
        "fingerprint": context.idempotency.fingerprint,
        "answer": {"resource": accepted.resource, "job": accepted.job},
        "expires_at": now + IDEMPOTENCY_KEPT,
    }


def write(connection: Connection, context: RequestContext, acceptance: Acceptance, *, new: bool) -> None:
    """Run the writing statement and turn what stands in its way into the error that the caller understands.

    Raises:
        QuotaExceededError: no room; NameTakenError, InUseError: taken; the transaction is lost.
        InvalidSpecError: what is to be used was deleted or failed a moment ago.
        KeyTakenError, NoRoomError: another request was quicker; the caller begins again.
    """
    try:
        accept(connection, context.organization_id, acceptance, new=new, commit=not context.dry_run)
    except IntegrityError as error:
        raise _taken(error, acceptance.resource) from error
    except RefusedError as refused:
        raise _refusal(context, acceptance, refused) from refused


def _refusal(context: RequestContext, acceptance: Acceptance, refused: RefusedError) -> Exception:
    if refused.gone:
        return _gone(acceptance.links, refused.gone)
    if refused.short:
        return _over_quota(context, refused.short[0])
    return NoRoomError() if refused.no_room else KeyTakenError()


def _gone(links: Sequence[Mapping[str, Any]], gone: frozenset[UUID]) -> InvalidSpecError:
    pointers = [link["pointer"] for link in links if link["target_id"] in gone]
    detail = f"what {', '.join(pointers)} names was deleted or failed a moment ago; choose another"
    return InvalidSpecError(detail, [Violation(pointer=pointer, detail=detail) for pointer in pointers])


def _taken(error: IntegrityError, resource: Mapping[str, Any]) -> Exception:
    constraint = error.diag.constraint_name
    words = resource["kind"].replace("_", " ")
    if constraint == "resource_name_key":
        return NameTakenError(f"this project has a {words} named {resource['name']!r} already; choose another name")
    if constraint == "resource_link_volume_key":
        return InUseError("another machine took one of the volumes a moment ago; detach it there first")
    return error


def _over_quota(context: RequestContext, line: Mapping[str, Any]) -> StratoplaneError:
    key, limit, used, wanted = line["key"], line["limit"], line["used"], line["amount"]
    scope = "organization" if UUID(line["scope_id"]) == context.organization_id else "project"
    if limit is None:
        return ResourceNotFoundError(f"the {scope} was deleted a moment ago; list what there is")
    detail = (
        f"the {scope}'s quota of {key} is {limit}: {used} used, {wanted} more wanted;"
        " delete something or ask an operator for more"
    )
    return QuotaExceededError(detail, key=key, scope=scope, limit=limit, used=used, wanted=wanted)
