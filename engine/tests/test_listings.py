# SPDX-License-Identifier: Apache-2.0
"""Pages of lists: every row once, whatever the size of the page, and no cursor breaks anything."""

import base64
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratoplane.errors import InvalidSpecError
from stratoplane_engine.model.audit import AuditFilter
from stratoplane_engine.model.identity import OwnerDraft, OwnerPatch, RoleBindingDraft, UserDraft
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import (
    audit,
    catalogue,
    clusters,
    identity,
    organizations,
    projects,
    role_bindings,
    users,
)

TENANT_LISTS = (
    projects.list_projects,
    users.list_users,
    role_bindings.list_role_bindings,
    audit.list_audit_events,
    identity.list_tokens,
    lambda database, context, page: clusters.list_cluster_names(database, page),
    lambda database, context, page: catalogue.list_flavors(database, page),
)
OPERATOR_LISTS = (
    organizations.list_organizations,
    users.list_all_users,
    role_bindings.list_all_role_bindings,
    audit.list_all_audit_events,
    clusters.list_clusters,
    clusters.list_providers,
    lambda database, context, page: catalogue.list_images(database, page),
)


def cursor_of(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_all(service, database, context, limit):
    found, cursor = [], ""
    while True:
        listing = service(database, context, Page(limit=limit, cursor=cursor))
        assert len(listing.items) <= limit
        found.extend(listing.items)
        if listing.next is None:
            return found
        assert len(listing.items) == limit
        cursor = listing.next


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 200])
def test_every_project_comes_once(database, tenant, limit):
    for number in range(3):
        projects.create_project(database, tenant.context, OwnerDraft(name=f"more-{number}"))

    found = read_all(projects.list_projects, database, tenant.context, limit)

    assert [each.name for each in found] == ["first", "more-0", "more-1", "more-2"]


def test_events_come_newest_first(database, tenant):
    for number in range(3):
        projects.update_project(database, tenant.context, tenant.project_id, OwnerPatch(display_name=str(number)))
    found = read_all(audit.list_audit_events, database, tenant.context, 2)
    times = [each.occurred_at for each in found]

    assert times == sorted(times, reverse=True)
    assert [each.action for each in found] == [
        *["identity:project:updated"] * 3,
        "identity:project:created",
        "identity:organization:created",
    ]


def test_events_are_narrowed_to_a_project_or_a_subject(database, tenant):
    second = projects.create_project(database, tenant.context, OwnerDraft(name="second"))
    of_project = audit.list_audit_events(database, tenant.context, Page(), project_id=second.id).items
    of_subject = audit.list_audit_events(
        database, tenant.context, Page(), AuditFilter(subject_id=tenant.organization_id)
    ).items

    assert [each.subject_id for each in of_project] == [second.id]
    assert [each.action for each in of_subject] == ["identity:organization:created"]


@pytest.mark.parametrize("service", TENANT_LISTS)
def test_no_list_shows_what_is_of_another_tenant(database, passwords, tenant, make_tenant, service):
    other = make_tenant()
    draft = UserDraft(username=f"user-{uuid.uuid4().hex}", password="long enough")
    made = users.create_user(database, passwords, other.context, draft)
    binding = RoleBindingDraft(user_id=made.id, role="organization-reader")
    role_bindings.create_role_binding(database, other.context, binding)
    shown = str(read_all(service, database, tenant.context, 50))

    for secret in (other.organization_id, other.project_id, made.id, draft.username):
        assert str(secret) not in shown


@pytest.mark.parametrize("service", TENANT_LISTS + OPERATOR_LISTS)
def test_a_cursor_that_is_none_is_refused(database, operator, service):
    for text in ("created_at|zzz", "-created_at|zzz", "name|x", "|", f"created_at|{'9' * 40}"):
        with pytest.raises(InvalidSpecError) as refused:
            service(database, operator, Page(cursor=cursor_of(text)))
        assert refused.value.violations[0].pointer == "/cursor"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.one_of(st.text(st.characters(max_codepoint=127), max_size=60), st.text(max_size=20).map(cursor_of)))
def test_no_text_as_a_cursor_breaks_a_list(database, operator, cursor):
    for service in (organizations.list_organizations, clusters.list_providers, audit.list_all_audit_events):
        try:
            service(database, operator, Page(cursor=cursor))
        except InvalidSpecError:
            continue
