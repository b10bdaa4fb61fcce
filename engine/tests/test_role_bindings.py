# SPDX-License-Identifier: Apache-2.0
"""Roles given and taken: nobody gives or takes more than they hold in the same scope."""

import uuid
from dataclasses import replace

import pytest

from stratoplane.errors import (
    InvalidSpecError,
    NameTakenError,
    PermissionDeniedError,
    ResourceNotFoundError,
)
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import identity as rows
from stratoplane_engine.db import installation
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import audit, bootstrap, projects, role_bindings, users


@pytest.fixture
def add_user(database):
    """``add_user(organization_id)``: the id of a new user, as text."""

    def add(organization_id):
        with database.system() as connection:
            made = users.insert_user(connection, organization_id, f"user-{uuid.uuid4().hex}", "", "")
        return str(made["id"])

    return add


def bind(database, context, user_id, role, project_id=None, **more):
    body = {"user_id": user_id, "role": role} | ({"project_id": str(project_id)} if project_id else {})
    return role_bindings.create_role_binding(database, context, body, **more)


def roles_of(database, context, user_id):
    items = role_bindings.list_role_bindings(database, context, Page(limit=200)).items
    return {(each["role"], each["project_id"]) for each in items if each["user_id"] == user_id}


def test_a_role_is_given_shown_and_taken(database, tenant, add_user):
    user = add_user(tenant.organization_id)
    made = bind(database, tenant.context, user, "project-member", tenant.project_id)

    assert (made["role"], made["scope"], made["project_id"]) == ("project-member", "PROJECT", str(tenant.project_id))
    assert roles_of(database, tenant.context, user) == {("project-member", str(tenant.project_id))}

    role_bindings.delete_role_binding(database, tenant.context, uuid.UUID(made["id"]))

    assert roles_of(database, tenant.context, user) == set()
    events = audit.list_audit_events(database, tenant.context, Page(), subject_id=uuid.UUID(made["id"])).items
    assert [each["action"] for each in events] == [
        "identity:role-binding:deleted",
        "identity:role-binding:created",
    ]


def test_the_same_role_is_not_given_twice(database, tenant, add_user):
    user = add_user(tenant.organization_id)
    bind(database, tenant.context, user, "organization-reader")

    with pytest.raises(NameTakenError, match="already"):
        bind(database, tenant.context, user, "organization-reader")


@pytest.mark.parametrize("role", ["platform-admin", "platform-reader"])
def test_an_administrator_of_an_organization_gives_no_role_of_the_platform(database, tenant, add_user, role):
    user = add_user(tenant.organization_id)

    with pytest.raises(PermissionDeniedError, match="nobody grants more than they hold"):
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
        role_bindings.delete_role_binding(database, tenant.context, uuid.UUID(foreign["id"]))


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
    project = projects.create_project(database, tenant.context, {"name": "short"})
    bind(database, tenant.context, user, "project-member", project["id"])
    projects.delete_project(database, tenant.context, uuid.UUID(project["id"]))

    assert roles_of(database, tenant.context, user) == set()
    with pytest.raises(ResourceNotFoundError):
        bind(database, tenant.context, user, "project-member", project["id"])


def test_operators_give_any_role_anywhere(database, tenant, operator, add_user):
    user = add_user(tenant.organization_id)
    made = bind(database, operator, user, "organization-admin", anywhere=True)

    assert made["organization_id"] == str(tenant.organization_id)
    with pytest.raises(PermissionDeniedError):
        bind(database, tenant.context, user, "organization-reader", anywhere=True)


@pytest.fixture
def root(database, operator, add_user):
    """A user with the whole platform, at home in the provider's organization; and that organization's id."""
    with database.system() as connection:
        home = installation.organization_by_name(connection, bootstrap.PROVIDER_ORGANIZATION)
    user = add_user(home)
    return user, bind(database, operator, user, "platform-admin", anywhere=True), home


def test_an_administrator_of_the_provider_takes_no_role_of_the_platform(database, root, context_of):
    user, binding, home = root
    lesser = context_of(home, "organization-admin")

    with pytest.raises(PermissionDeniedError):
        role_bindings.delete_role_binding(database, lesser, uuid.UUID(binding["id"]))
    assert ("platform-admin", None) in roles_of(database, lesser, user)


def test_an_administrator_of_the_provider_deletes_nobody_who_holds_more(database, root, context_of):
    user, _, home = root
    lesser = context_of(home, "organization-admin")

    with pytest.raises(PermissionDeniedError):
        users.delete_user(database, lesser, uuid.UUID(user))
    assert users.get_user(database, lesser, uuid.UUID(user))["enabled"]


def test_a_role_of_a_newer_version_can_be_met(database, tenant, add_user):
    """During an upgrade, a role may have a permission that this process does not know yet: nobody can grant it."""
    name = f"newer-{uuid.uuid4().hex[:8]}"
    role = {"id": str(uuid.uuid4()), "name": name, "description": "", "scope": "ORGANIZATION"}
    with database.system() as connection:
        rows.sync_roles(connection, [role | {"permissions": ["self", "future:write"]}])

    with pytest.raises(PermissionDeniedError):
        bind(database, tenant.context, add_user(tenant.organization_id), name)


def test_a_grant_in_one_project_gives_none_in_another(database, tenant, add_user):
    """Who may grant in a project only, hands on what it holds there and nowhere else."""
    second = projects.create_project(database, tenant.context, {"name": "second"})
    (home,) = (each for each in tenant.context.actor.grants if Permission.ROLE_GRANT in each.permissions)
    local = replace(home, scope="PROJECT", project_id=tenant.project_id)
    actor = replace(tenant.context.actor, grants=(local,))
    context = replace(tenant.context, actor=actor)
    user = add_user(tenant.organization_id)

    assert bind(database, context, user, "project-member", tenant.project_id)["role"] == "project-member"
    with pytest.raises(PermissionDeniedError):
        bind(database, context, user, "project-member", second["id"])
    with pytest.raises(PermissionDeniedError):
        bind(database, context, user, "organization-reader")
