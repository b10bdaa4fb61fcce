# SPDX-License-Identifier: Apache-2.0
"""Drift, for operators: differences between desired and observed state, and the policies for them."""

from collections.abc import Iterator, Mapping
from typing import Final

from stratoplane.audit import AuditAction
from stratoplane.compared_fields import ComparedField, DriftPolicy
from stratoplane.errors import ResourceNotFoundError
from stratoplane.kinds import invalid
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit, drift
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.catalogue import Kinds
from stratoplane_engine.kinds.compared import compared_field, compared_kinds
from stratoplane_engine.model.drift import Drift, DriftFilter, PolicyKey, PolicyLine, PolicySetting
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services.audit_records import platform_record
from stratoplane_engine.services.listings import newest_first

EVERY_DRIVER: Final = "*"

_BY_TIME: Final = newest_first(Drift)


def list_drift(database: Database, context: RequestContext, page: Page, wanted: DriftFilter) -> Listing[Drift]:
    """Return one page of differences, newest first: those that last, or all there have been.

    Raises:
        PermissionDeniedError: the caller is not an operator of the platform.
        InvalidSpecError: the cursor is not one of this list.
    """
    require(context, Permission.PLATFORM_READ)
    before = _BY_TIME.begin(page)
    with database.system_reads() as connection:
        found = drift.list_drift(connection, wanted, before=before, limit=page.limit + 1)
    return _BY_TIME.listing(found, page)


def list_policies(database: Database, context: RequestContext) -> tuple[PolicyLine, ...]:
    """Return the policy of every field of every kind: the platform's own, and what operators have set instead."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        settings = drift.policies(connection)
    own = {(each.kind, each.field, each.driver): each.policy for each in settings}
    kinds = compared_kinds(database.kinds)
    return tuple(line for kind in kinds for field in kind.fields for line in _lines(kind.name, field, own))


def _lines(kind: str, field: ComparedField, own: Mapping[tuple[str, str, str], DriftPolicy]) -> Iterator[PolicyLine]:
    everywhere = own.get((kind, field.name, EVERY_DRIVER))
    yield PolicyLine(
        kind=kind,
        field=field.name,
        driver=EVERY_DRIVER,
        policy=everywhere or field.policies[0],
        is_set=everywhere is not None,
        allowed=field.policies,
    )
    for (other_kind, other_field, driver), policy in sorted(own.items()):
        if (other_kind, other_field) == (kind, field.name) and driver != EVERY_DRIVER:
            yield _line(PolicySetting(kind=kind, field=field.name, driver=driver, policy=policy), field)


def _line(setting: PolicySetting, field: ComparedField) -> PolicyLine:
    return PolicyLine(
        kind=setting.kind,
        field=setting.field,
        driver=setting.driver,
        policy=setting.policy,
        is_set=True,
        allowed=field.policies,
    )


def set_policy(database: Database, context: RequestContext, setting: PolicySetting) -> PolicyLine:
    """Set the drift policy of a field.

    Args:
        database: where policies are.
        context: who asks.
        setting: for one driver, or (``*``) for all that have no policy of their own.

    Raises:
        InvalidSpecError: the field is not compared, or cannot have this policy.
    """
    require(context, Permission.PLATFORM_WRITE)
    field = _checked(database.kinds, setting)
    with database.system() as connection:
        drift.set_policy(connection, setting)
        key = PolicyKey(kind=setting.kind, field=setting.field, driver=setting.driver)
        _record(connection, context, key, setting.policy)
    return _line(setting, field)


def _checked(kinds: Kinds, setting: PolicySetting) -> ComparedField:
    field = compared_field(kinds, setting.kind, setting.field)
    if field is None:
        names = [each.name for each in kinds[setting.kind].compared] if setting.kind in kinds else []
        raise invalid("/field", f"of {setting.kind} these fields are compared: {', '.join(names) or 'none'}")
    if setting.policy not in field.policies:
        raise invalid("/policy", f"{setting.field} of {setting.kind} can have {', '.join(field.policies)}")
    return field


def reset_policy(database: Database, context: RequestContext, key: PolicyKey) -> None:
    """Reset a field to the platform's default policy.

    Raises:
        ResourceNotFoundError: nothing was set; the caller lists the policies.
    """
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        if not drift.reset_policy(connection, key):
            raise ResourceNotFoundError(
                f"no policy is set for {key.field} of {key.kind} on {key.driver}; list the policies"
            )
        _record(connection, context, key, None)


def _record(connection: Connection, context: RequestContext, key: PolicyKey, policy: DriftPolicy | None) -> None:
    detail = {"kind": key.kind, "field": key.field, "driver": key.driver, "policy": policy}
    record = platform_record(context, AuditAction.DRIFT_POLICY_SET, None, f"{key.kind} {key.field}", detail=detail)
    audit.write(connection, record)
