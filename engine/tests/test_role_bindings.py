# SPDX-License-Identifier: Apache-2.0
"""Roles given and taken: nobody gives or takes more than they hold in the same scope."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from stratoplane.errors import (
    InvalidSpecError,
    NameTakenError,
    PermissionDeniedError,
    ResourceNotFoundError,
    StateConflictError,
)
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db import installation
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.identity import OwnerDraft, Role, RoleBindingDraft, Scope
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import bootstrap, projects, role_bindings, users


@pytest.fixture
def add_user(database):
    """``add_user(organization_id)``: the id of a new user."""

    def add(organization_id):
        with database.system() as connection:
            made = rows.insert_user(
                connection,
                user_id=uuid.uuid4(),
                organization_id=organization_id,
                username=f"user-{uuid.uuid4().hex}",
                display_name="",
                password_hash="",
            )
        return made.id

    return add


def bind(database, context, user_id, role, project_id=None):
    draft = RoleBindingDraft(user_id=user_id, role=role, project_id=project_id)
    return role_bindings.create_role_binding(database, context, draft)


def bind_anywhere(database, context, user_id, role):
    draft = RoleBindingDraft(user_id=user_id, role=role)
    return role_bindings.create_any_role_binding(database, context, draft)


def roles_of(database, context, user_id):
    items = role_bindings.list_role_bindings(database, context, Page(limit=200)).items
    return {(each.role, each.project_id) for each in items if each.user_id == user_id}


def test_a_role_is_given_shown_and_taken(database, tenant, add_user):
    user = add_user(tenant.organization_id)
    made = bind(database, tenant.context, user, "project-member", tenant.project_id)

    assert (made.role, made.scope, made.project_id) == ("project-member", Scope.PROJECT, tenant.project_id)
    assert roles_of(database, tenant.context, user) == {("project-member", tenant.project_id)}

    role_bindings.delete_role_binding(database, tenant.context, made.id)

    assert roles_of(database, tenant.context, user) == set()
    statement = Statement("SELECT e.action FROM audit_event e WHERE e.subject_id = :id ORDER BY e.id")
    with database.system() as connection:
        events = connection.values(str, statement, {"id": made.id})
    assert events == ["identity:role-binding:created", "identity:role-binding:deleted"]


def test_the_same_role_is_not_given_twice(database, tenant, add_user):
    user = add_user(tenant.organization_id)
    bind(database, tenant.context, user, "organization-reader")

    with pytest.raises(NameTakenError, match="already"):
        bind(database, tenant.context, user, "organization-reader")


@pytest.mark.parametrize("role", ["platform-admin", "platform-reader"])
def test_an_administrator_of_an_organization_gives_no_role_of_the_platform(database, tenant, add_user, role):
    user = add_user(tenant.organization_id)

    with pytest.raises(PermissionDeniedError, match="nobody grants or revokes more than they hold"):
        bind(database, tenant.context, user, role)
    assert roles_of(database, tenant.context, user) == set()


@pytest.mark.parametrize("role", ["organization-reader", "project-member", "project-reader"])
def test_who_may_not_grant_gives_nothing(database, tenant, add_user, context_of, role):
    context = context_of(tenant.organization_id, role, project_id=tenant.project_id)
    user = add_user(tenant.organization_id)

    with pytest.raises(PermissionDeniedError):
        bind(database, context, user, "project-reader", tenant.project_id)


def test_users_and_projects_of_others_do_not_exist(database, tenant, make_tenant, add_user):
    other = make_tenant()
    stranger, own = add_user(other.organization_id), add_user(tenant.organization_id)

    with pytest.raises(ResourceNotFoundError):
        bind(database, tenant.context, stranger, "organization-reader")
    with pytest.raises(ResourceNotFoundError):
        bind(database, tenant.context, own, "project-member", other.project_id)
    foreign = bind(database, other.context, stranger, "organization-reader")
    with pytest.raises(ResourceNotFoundError):
        role_bindings.delete_role_binding(database, tenant.context, foreign.id)


@pytest.mark.parametrize(("role", "named"), [("project-member", False), ("organization-reader", True)])
def test_a_project_is_named_when_the_role_counts_in_one(database, tenant, add_user, role, named):
    user = add_user(tenant.organization_id)

    with pytest.raises(InvalidSpecError) as refused:
        bind(database, tenant.context, user, role, tenant.project_id if named else None)
    assert [each.pointer for each in refused.value.violations] == ["/project_id"]


def test_an_unknown_role_is_named(database, tenant, add_user):
    with pytest.raises(ResourceNotFoundError, match="'emperor'"):
        bind(database, tenant.context, add_user(tenant.organization_id), "emperor")


def test_roles_in_a_project_end_with_it(database, tenant, add_user):
    user = add_user(tenant.organization_id)
    project = projects.create_project(database, tenant.context, OwnerDraft(name="short"))
    bind(database, tenant.context, user, "project-member", project.id)
    projects.delete_project(database, tenant.context, project.id)

    assert roles_of(database, tenant.context, user) == set()
    with pytest.raises(ResourceNotFoundError):
        bind(database, tenant.context, user, "project-member", project.id)


def test_operators_give_any_role_anywhere(database, tenant, operator, add_user):
    user = add_user(tenant.organization_id)
    made = bind_anywhere(database, operator, user, "organization-admin")

    assert made.organization_id == tenant.organization_id
    with pytest.raises(PermissionDeniedError):
        bind_anywhere(database, tenant.context, user, "organization-reader")


@pytest.fixture
def root(database, operator, add_user):
    """A user with the whole platform, at home in the provider's organization; and that organization's id."""
    with database.system() as connection:
        home = installation.organization_by_name(connection, bootstrap.PROVIDER_ORGANIZATION)
    user = add_user(home)
    return user, bind_anywhere(database, operator, user, "platform-admin"), home


def test_an_administrator_of_the_provider_takes_no_role_of_the_platform(database, root, context_of):
    user, binding, home = root
    lesser = context_of(home, "organization-admin")

    with pytest.raises(PermissionDeniedError):
        role_bindings.delete_role_binding(database, lesser, binding.id)
    assert ("platform-admin", None) in roles_of(database, lesser, user)


def test_an_administrator_of_the_provider_deletes_nobody_who_holds_more(database, root, context_of):
    user, _, home = root
    lesser = context_of(home, "organization-admin")

    with pytest.raises(PermissionDeniedError):
        users.delete_user(database, lesser, user)
    assert users.get_user(database, lesser, user).enabled


def test_a_role_of_a_newer_version_can_be_met(database, tenant, add_user):
    """During an upgrade, a role may have a permission that this process does not know yet: nobody can grant it."""
    name = f"newer-{uuid.uuid4().hex[:8]}"
    permissions = frozenset({"self", "future:write"})
    role = Role(id=uuid.uuid4(), name=name, description="", scope=Scope.ORGANIZATION, permissions=permissions)
    with database.system() as connection:
        rows.sync_roles(connection, [role])

    with pytest.raises(PermissionDeniedError):
        bind(database, tenant.context, add_user(tenant.organization_id), name)


def test_a_grant_in_one_project_gives_none_in_another(database, tenant, add_user):
    """Who may grant in a project only, hands on what it holds there and nowhere else."""
    second = projects.create_project(database, tenant.context, OwnerDraft(name="second"))
    (home,) = (each for each in tenant.context.actor.grants if Permission.ROLE_GRANT in each.permissions)
    local = replace(home, scope=Scope.PROJECT, project_id=tenant.project_id)
    actor = replace(tenant.context.actor, grants=(local,))
    context = replace(tenant.context, actor=actor)
    user = add_user(tenant.organization_id)

    assert bind(database, context, user, "project-member", tenant.project_id).role == "project-member"
    with pytest.raises(PermissionDeniedError):
        bind(database, context, user, "project-member", second.id)
    with pytest.raises(PermissionDeniedError):
        bind(database, context, user, "organization-reader")


@pytest.fixture
def administrators(database, make_tenant, add_user, context_of, operator):
    """Return an organization's id and, of its two administrators, each with its binding."""
    home = make_tenant().organization_id

    def make():
        user = add_user(home)
        context = context_of(home, "organization-admin")
        context = replace(context, actor=replace(context.actor, id=user))
        return context, bind_anywhere(database, operator, user, "organization-admin")

    return home, make(), make()


def test_the_last_administrator_of_an_organization_stays(database, administrators, operator):
    _, (first, own), (second, other) = administrators
    role_bindings.delete_role_binding(database, first, own.id)
    with pytest.raises(StateConflictError, match="is the last administrator of the organization; give another"):
        role_bindings.delete_role_binding(database, second, other.id)
    with pytest.raises(StateConflictError, match="you cannot delete yourself"):
        users.delete_user(database, second, other.user_id)
    role_bindings.delete_any_role_binding(database, operator, other.id)


def take_role(database, who, binding):
    role_bindings.delete_role_binding(database, who, binding.id)


def delete_user_of(database, who, binding):
    users.delete_user(database, who, binding.user_id)


@pytest.mark.parametrize("end", [take_role, delete_user_of])
def test_administrators_who_end_each_other_at_once_leave_one(database, administrators, end):
    home, (first, own), (second, other) = administrators
    calls = [(first, other), (second, own)]
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(end, database, who, each) for who, each in calls]
        refused = [task.exception() for task in tasks if task.exception()]
    assert [type(each) for each in refused] == [StateConflictError]
    with database.system() as connection:
        assert len(rows.administrators(connection, home, Permission.ROLE_GRANT)) == 1


def test_the_last_administrator_of_the_platform_stays(fresh_database, passwords, context_of):
    bootstrap.bootstrap(fresh_database)
    user_id = bootstrap.create_administrator(fresh_database, passwords, "root", "a long password")
    with fresh_database.system() as connection:
        home = installation.organization_by_name(connection, bootstrap.PROVIDER_ORGANIZATION)
        (binding,) = rows.bindings(connection, user_id=user_id, after=None, limit=9)
    root = context_of(home, "platform-admin")
    root = replace(root, actor=replace(root.actor, id=user_id))
    with pytest.raises(StateConflictError, match="root is the last administrator of the platform"):
        role_bindings.delete_any_role_binding(fresh_database, root, binding.id)
    with pytest.raises(StateConflictError, match="root is the last administrator of the platform"):
        role_bindings.delete_role_binding(fresh_database, root, binding.id)
