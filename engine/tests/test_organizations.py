# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users and limits."""

import uuid
from dataclasses import replace

import pytest

from stratoplane.errors import (
    AuthenticationFailedError,
    InUseError,
    NameTakenError,
    PermissionDeniedError,
    ResourceNotFoundError,
    StateConflictError,
    VersionMismatchError,
)
from stratoplane.quota import DEFAULT_LIMITS, UNLIMITED, QuotaKey
from stratoplane_engine.db.connection import Database
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import OwnerDraft, OwnerPatch, UserDraft
from stratoplane_engine.model.listing import Page
from stratoplane_engine.model.quota import QuotaLine
from stratoplane_engine.services import audit, identity, organizations, projects, quota, users
from stratoplane_engine.services.authentication import authenticate

NOWHERE = uuid.UUID(int=7)


def new_name(prefix="it"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def actions(database, subject_id):
    statement = Statement("SELECT e.action FROM audit_event e WHERE e.subject_id = :id ORDER BY e.id")
    with database.system() as connection:
        return [each.split(":")[-1] for each in connection.values(str, statement, {"id": subject_id})]


def limits(lines):
    return {line.key: line.limit for line in lines}


@pytest.fixture
def add_user(database, passwords, tenant):
    """``add_user(context, username)``: a new user of the context's organization, the tenant's by default."""

    def add(context=tenant.context, username=""):
        draft = UserDraft(username=username or new_name(), password="long enough")
        return users.create_user(database, passwords, context, draft)

    return add


def test_an_organization_begins_with_the_default_limits(database, operator):
    made = organizations.create_organization(database, operator, OwnerDraft(name=new_name(), labels={"tier": "gold"}))
    found = quota.get_organization_quotas(database, operator, made.id)

    assert organizations.get_organization(database, operator, made.id) == made
    assert made.labels == {"tier": "gold"}
    assert limits(found.organization) == dict(DEFAULT_LIMITS)
    assert {line.used for line in found.organization} == {0}
    assert found.project == ()


def test_a_project_begins_unlimited_within_its_organization(database, tenant):
    found = quota.get_quotas(database, tenant.context, tenant.project_id)

    assert limits(found.project) == dict.fromkeys(QuotaKey, UNLIMITED)
    assert limits(found.organization) == dict(DEFAULT_LIMITS)


def test_names_are_taken_once(database, operator, tenant, make_tenant):
    mine = organizations.get_own_organization(database, tenant.context)

    with pytest.raises(NameTakenError, match="choose another name"):
        organizations.create_organization(database, operator, OwnerDraft(name=mine.name))
    with pytest.raises(NameTakenError, match="choose another name"):
        projects.create_project(database, tenant.context, OwnerDraft(name="first"))
    assert projects.create_project(database, make_tenant().context, OwnerDraft(name="second")).name == "second"


def test_a_name_is_free_again_after_a_deletion(database, operator):
    name = new_name()
    first = organizations.create_organization(database, operator, OwnerDraft(name=name))
    organizations.delete_organization(database, operator, first.id)

    assert organizations.create_organization(database, operator, OwnerDraft(name=name)).id != first.id


def test_changes_count_versions_and_keep_what_they_do_not_name(database, operator, tenant):
    before = organizations.get_own_organization(database, tenant.context)
    after = organizations.update_organization(
        database, operator, tenant.organization_id, OwnerPatch(display_name="Acme")
    )

    assert (after.display_name, after.name) == ("Acme", before.name)
    assert after.version == before.version + 1
    assert after.updated_at > before.updated_at

    patch = OwnerPatch(labels={"env": "prod"})
    project = projects.update_project(database, tenant.context, tenant.project_id, patch)
    assert (project.labels, project.name, project.version) == ({"env": "prod"}, "first", 2)


def test_a_stale_version_changes_nothing(database, operator, tenant):
    projects.update_project(database, tenant.context, tenant.project_id, OwnerPatch(display_name="newer"))
    for context in (replace(tenant.context, if_version=1), replace(tenant.context, if_version=99)):
        with pytest.raises(VersionMismatchError, match="read it again"):
            projects.update_project(database, context, tenant.project_id, OwnerPatch(display_name="stale"))
        with pytest.raises(VersionMismatchError):
            projects.delete_project(database, context, tenant.project_id)
    with pytest.raises(VersionMismatchError):
        organizations.delete_organization(database, replace(operator, if_version=99), tenant.organization_id)

    assert projects.get_project(database, tenant.context, tenant.project_id).display_name == "newer"


def test_a_project_with_resources_stays(database, tenant):
    with database.system() as connection:
        connection.run(
            Statement(
                "INSERT INTO resource (id, organization_id, project_id, kind, name) VALUES (:id, :home, :project,"
                " 'virtual_machine', 'web-1')"
            ),
            {"id": uuid.uuid4(), "home": tenant.organization_id, "project": tenant.project_id},
        )
    with pytest.raises(InUseError) as refused:
        projects.delete_project(database, tenant.context, tenant.project_id)

    assert refused.value.used_by == ("virtual machine web-1",)
    assert projects.get_project(database, tenant.context, tenant.project_id).name == "first"


def test_an_organization_with_projects_stays(database, operator, tenant):
    with pytest.raises(InUseError) as refused:
        organizations.delete_organization(database, operator, tenant.organization_id)
    assert refused.value.used_by == ("first",)

    projects.delete_project(database, tenant.context, tenant.project_id)
    organizations.delete_organization(database, operator, tenant.organization_id)

    with pytest.raises(ResourceNotFoundError):
        organizations.get_organization(database, operator, tenant.organization_id)


def test_another_tenant_finds_nothing(database, tenant, make_tenant):
    other = make_tenant().context
    for call in (
        lambda: projects.get_project(database, other, tenant.project_id),
        lambda: projects.update_project(database, other, tenant.project_id, OwnerPatch(name="mine")),
        lambda: projects.delete_project(database, other, tenant.project_id),
        lambda: quota.get_quotas(database, other, tenant.project_id),
    ):
        with pytest.raises(ResourceNotFoundError):
            call()

    assert tenant.project_id not in {each.id for each in projects.list_projects(database, other, Page()).items}
    assert users.list_users(database, other, Page()).items == ()


class OneWall(Database):
    """Connections without row-level security: only the queries' own conditions keep tenants apart."""

    def tenant(self, organization_id):
        return self.system()

    def tenant_reads(self, organization_id):
        return self.system_reads()


@pytest.fixture(scope="module")
def one_wall(database_url):
    opened = OneWall(database_url, pool_size=1, application="tests")
    yield opened
    opened.close()


def test_the_first_wall_holds_without_the_second(one_wall, tenant, make_tenant, add_user):
    other = make_tenant().context
    made = add_user()
    for call in (
        lambda: projects.get_project(one_wall, other, tenant.project_id),
        lambda: projects.update_project(one_wall, other, tenant.project_id, OwnerPatch(name="mine")),
        lambda: projects.delete_project(one_wall, other, tenant.project_id),
        lambda: quota.get_quotas(one_wall, other, tenant.project_id),
        lambda: users.get_user(one_wall, other, made.id),
        lambda: users.delete_user(one_wall, other, made.id),
    ):
        with pytest.raises(ResourceNotFoundError):
            call()


def test_members_of_projects_see_these_alone(database, tenant, context_of):
    second = projects.create_project(database, tenant.context, OwnerDraft(name="second"))
    member = context_of(tenant.organization_id, "project-member", project_id=tenant.project_id)

    assert [each.name for each in projects.list_projects(database, member, Page()).items] == ["first"]
    assert {each.name for each in projects.list_projects(database, tenant.context, Page()).items} == {
        "first",
        "second",
    }
    with pytest.raises(PermissionDeniedError):
        projects.get_project(database, member, second.id)
    with pytest.raises(PermissionDeniedError):
        projects.delete_project(database, member, tenant.project_id)


@pytest.mark.parametrize("role", ["organization-admin", "organization-reader", "project-member"])
def test_tenants_are_no_operators(database, tenant, context_of, role):
    context = context_of(tenant.organization_id, role, project_id=tenant.project_id)
    for call in (
        lambda: organizations.create_organization(database, context, OwnerDraft(name=new_name())),
        lambda: organizations.list_organizations(database, context, Page()),
        lambda: organizations.get_organization(database, context, tenant.organization_id),
        lambda: organizations.update_organization(database, context, tenant.organization_id, OwnerPatch(name="mine")),
        lambda: organizations.delete_organization(database, context, tenant.organization_id),
        lambda: users.list_all_users(database, context, Page()),
        lambda: quota.set_organization_limits(database, context, tenant.organization_id, {"vcpus": UNLIMITED}),
        lambda: quota.set_project_limits(database, context, tenant.project_id, {"vcpus": UNLIMITED}),
        lambda: audit.list_all_audit_events(database, context, Page()),
    ):
        with pytest.raises(PermissionDeniedError):
            call()


def test_limits_are_set_by_key(database, operator, tenant):
    organization, project = tenant.organization_id, tenant.project_id
    changed = quota.set_organization_limits(database, operator, organization, {"vcpus": 5})
    assert limits(changed.organization) == {**DEFAULT_LIMITS, QuotaKey.VCPUS: 5}

    changed = quota.set_project_limits(database, operator, project, {"volumes": 3})
    assert limits(changed.project) == {**dict.fromkeys(QuotaKey, UNLIMITED), QuotaKey.VOLUMES: 3}
    assert quota.get_quotas(database, tenant.context, project) == changed
    assert actions(database, organization) == ["created", "set"]


def test_setting_a_limit_leaves_what_is_used(database, operator, tenant):
    with database.system() as connection:
        statement = "UPDATE quota SET used = 9 WHERE scope_id = :id AND key = 'vcpus'"
        connection.run(Statement(statement), {"id": tenant.organization_id})
    changed = quota.set_organization_limits(database, operator, tenant.organization_id, {"vcpus": 1})

    assert QuotaLine(key="vcpus", limit=1, used=9) in changed.organization


def test_unknown_organizations_and_projects_are_told(database, passwords, operator):
    draft = UserDraft(username=new_name(), password="long enough")
    for call in (
        lambda: organizations.get_organization(database, operator, NOWHERE),
        lambda: quota.get_organization_quotas(database, operator, NOWHERE),
        lambda: quota.set_project_limits(database, operator, NOWHERE, {"vcpus": 1}),
        lambda: users.create_any_user(database, passwords, operator, NOWHERE, draft),
    ):
        with pytest.raises(ResourceNotFoundError, match=str(NOWHERE)):
            call()


def test_a_user_is_made_and_can_log_in(database, passwords, tenant, add_user):
    name = f"{new_name()}@example.org"
    made = add_user(username=name)

    assert (made.organization_id, made.username, made.roles) == (tenant.organization_id, name, ())
    assert users.get_user(database, tenant.context, made.id) == made
    assert identity.log_in(database, passwords, name, "long enough").user.id == made.id
    with pytest.raises(NameTakenError):
        add_user(username=name)


def test_a_deleted_user_is_out_at_once(database, passwords, tenant, add_user):
    made = add_user()
    token = identity.log_in(database, passwords, made.username, "long enough").issued.secret
    users.delete_user(database, tenant.context, made.id)

    for call in (
        lambda: authenticate(database, token),
        lambda: identity.log_in(database, passwords, made.username, "long enough"),
    ):
        with pytest.raises(AuthenticationFailedError):
            call()
    with pytest.raises(ResourceNotFoundError):
        users.get_user(database, tenant.context, made.id)
    with pytest.raises(ResourceNotFoundError):
        users.delete_user(database, tenant.context, made.id)
    assert actions(database, made.id) == ["created", "logged-in", "deleted"]


def test_nobody_deletes_himself(database, tenant, add_user):
    made = add_user()
    actor = replace(tenant.context.actor, id=made.id)

    with pytest.raises(StateConflictError, match="another administrator"):
        users.delete_user(database, replace(tenant.context, actor=actor), made.id)


def test_operators_reach_users_anywhere(database, passwords, operator, tenant):
    draft = UserDraft(username=new_name(), password="long enough")
    made = users.create_any_user(database, passwords, operator, tenant.organization_id, draft)

    assert made.organization_id == tenant.organization_id
    assert users.get_any_user(database, operator, made.id) == made
    users.delete_any_user(database, operator, made.id)
    assert actions(database, made.id) == ["created", "deleted"]


def test_an_administrator_makes_no_user_elsewhere(database, passwords, tenant, make_tenant):
    elsewhere, draft = make_tenant().organization_id, UserDraft(username=new_name(), password="long enough")

    with pytest.raises(PermissionDeniedError):
        users.create_any_user(database, passwords, tenant.context, elsewhere, draft)


def test_what_was_done_is_on_record(database, operator, tenant):
    projects.update_project(database, tenant.context, tenant.project_id, OwnerPatch(display_name="x"))
    projects.delete_project(database, tenant.context, tenant.project_id)
    organizations.update_organization(database, operator, tenant.organization_id, OwnerPatch(display_name="x"))

    assert actions(database, tenant.project_id) == ["created", "updated", "deleted"]
    assert actions(database, tenant.organization_id) == ["created", "updated"]
