# SPDX-License-Identifier: Apache-2.0
"""Differences between what is desired and what is there, policies for them, and objects of nobody; for operators."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from stratoplane.audit import AuditAction, AuditRecord
from stratoplane.errors import InvalidSpecError, ResourceNotFoundError, Violation
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, comparison, drift
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.drift.fields import BY_FIELD, COMPARABLE
from stratoplane_engine.kinds import wire_form
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import cursors

EVERY_DRIVER: Final = "*"
_SORT: Final = "-created_at"
_BY_PLACE: Final = "cluster"
_Document = dict[str, Any]


def list_drift(
    database: Database, context: RequestContext, page: Page, *, only_open: bool, resource_id: UUID | None
) -> Listing[Mapping[str, object]]:
    """Return one page of differences, newest first: those that last, or all there have been."""
    require(context, Permission.PLATFORM_READ)
    last = cursors.decode(_SORT, page.cursor)
    after = UUID(last) if last else None
    with database.system() as connection:
        found = drift.page(connection, only_open=only_open, resource_id=resource_id, after=after, limit=page.limit + 1)
    shown = found[: page.limit]
    following = cursors.encode(_SORT, str(shown[-1]["id"])) if len(found) > page.limit else None
    return Listing(items=tuple(map(wire_form.drift, shown)), next=following)


def list_policies(database: Database, context: RequestContext) -> Sequence[_Document]:
    """Return the policy of every field of every kind: the platform's own, and what operators have set instead."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        rows = drift.policies(connection)
    own = {(row["kind"], row["field"], row["driver"]): row["policy"] for row in rows}
    found = []
    for each in COMPARABLE:
        general = own.pop((each.kind, each.field, EVERY_DRIVER), None)
        found.append(
            _policy(each.kind, each.field, EVERY_DRIVER, general or each.policies[0].value, set_=bool(general))
        )
        found += [
            _policy(each.kind, each.field, driver, policy, set_=True)
            for (kind, field, driver), policy in sorted(own.items())
            if (kind, field) == (each.kind, each.field)
        ]
    return found


def _policy(kind: str, field: str, driver: str, policy: str, *, set_: bool) -> _Document:
    allowed = [each.value for each in BY_FIELD[kind, field].policies]
    return {"kind": kind, "field": field, "driver": driver, "policy": policy, "is_set": set_, "allowed": allowed}


def set_policy(
    database: Database, context: RequestContext, *, kind: str, field: str, driver: str, policy: str
) -> _Document:
    """Set what is done about differences of a field, for one driver or (``*``) for all that have no line of their own.

    Raises:
        InvalidSpecError: the field is not compared, or the policy makes no sense for it.
    """
    require(context, Permission.PLATFORM_WRITE)
    _check(kind, field, policy)
    with database.system() as connection:
        drift.set_policy(connection, kind=kind, field=field, driver=driver, policy=policy)
        _record(connection, context, {"kind": kind, "field": field, "driver": driver, "policy": policy})
    return _policy(kind, field, driver, policy, set_=True)


def _check(kind: str, field: str, policy: str) -> None:
    comparable = BY_FIELD.get((kind, field))
    if comparable is None:
        fields = ", ".join(each.field for each in COMPARABLE if each.kind == kind) or "no field at all"
        raise _refused("/field", f"of {kind} these are compared: {fields}")
    if policy not in comparable.policies:
        raise _refused("/policy", f"{field} of {kind} takes {', '.join(comparable.policies)}")


def _refused(pointer: str, detail: str) -> InvalidSpecError:
    return InvalidSpecError(detail, [Violation(pointer=pointer, detail=detail)])


def reset_policy(database: Database, context: RequestContext, *, kind: str, field: str, driver: str) -> None:
    """Return to the platform's own policy.

    Raises:
        ResourceNotFoundError: nothing was set.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        if not drift.reset_policy(connection, kind=kind, field=field, driver=driver):
            raise ResourceNotFoundError(f"no policy is set for {field} of {kind} on {driver}; list the policies")
        _record(connection, context, {"kind": kind, "field": field, "driver": driver, "policy": None})


def list_orphans(database: Database, context: RequestContext, page: Page) -> Listing[Mapping[str, object]]:
    """Return one page of the objects that carry our mark and belong to no resource, by cluster and mark."""
    require(context, Permission.PLATFORM_READ)
    after = _place(cursors.decode(_BY_PLACE, page.cursor))
    with database.system() as connection:
        found = comparison.orphans(connection, limit=page.limit + 1, after=after)
    shown = found[: page.limit]
    following = None
    if len(found) > page.limit:
        following = cursors.encode(_BY_PLACE, f"{shown[-1]['cluster_id']}/{shown[-1]['uid']}")
    return Listing(items=tuple(map(wire_form.orphan, shown)), next=following)


def _place(key: str | None) -> tuple[UUID, UUID] | None:
    if key is None:
        return None
    try:
        cluster, uid = map(UUID, key.split("/"))
    except ValueError as error:
        raise cursors.foreign() from error
    return cluster, uid


def _record(connection: Connection, context: RequestContext, detail: _Document) -> None:
    record = AuditRecord(
        action=AuditAction.DRIFT_POLICY_SET,
        actor=context.actor.name,
        occurred_at=datetime.now(UTC),
        request_id=context.request_id,
        subject_name=f"{detail['kind']} {detail['field']}",
        detail=detail,
    )
    audit.write(connection, record)
