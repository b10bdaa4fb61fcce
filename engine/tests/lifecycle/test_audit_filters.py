# SPDX-License-Identifier: Apache-2.0
"""The audit trail is narrowed to who did what and when; lists run in both directions of the name."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from stratoplane_engine.model.audit import AuditFilter
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services.audit import list_audit_events
from stratoplane_engine.services.resources import list_resources

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def subjects(tenant: "TenantWorld", wanted: AuditFilter) -> list[str]:
    found = list_audit_events(tenant.database, tenant.context(), Page(limit=50), wanted)
    return [each.subject_name for each in found.items]


def test_events_are_listed_by_actor_action_and_time(tenant: "TenantWorld") -> None:
    tenant.create("volume", name="first", size_gib=1)
    other = replace(tenant.context(), actor=replace(tenant.actor, name="user:bob"))
    tenant.create("volume", name="second", size_gib=1, context=other)
    second, first = list_audit_events(tenant.database, tenant.context(), Page(limit=50)).items
    assert subjects(tenant, AuditFilter(actor="user:bob")) == ["second"]
    assert subjects(tenant, AuditFilter(action=first.action)) == ["second", "first"]
    assert subjects(tenant, AuditFilter(action="nothing")) == []
    assert subjects(tenant, AuditFilter(since=second.occurred_at)) == ["second"]
    assert subjects(tenant, AuditFilter(until=second.occurred_at)) == ["first"]
    assert subjects(tenant, AuditFilter(since=second.occurred_at + timedelta(days=1))) == []


def test_a_list_runs_backwards_by_name_page_after_page(tenant: "TenantWorld") -> None:
    for name in ("a", "c", "b"):
        tenant.create("volume", name=name, size_gib=1)
    kind, seen, cursor = tenant.database.kinds["volume"], [], ""
    while True:
        page = Page(limit=2, sort="-name", cursor=cursor)
        found = list_resources(tenant.database, tenant.context(), tenant.project_id, kind, page)
        seen += [each.name for each in found.items]
        if found.next is None:
            break
        cursor = found.next
    assert seen == ["c", "b", "a"]
