# SPDX-License-Identifier: Apache-2.0
"""A tenant's own organization: projects, users, roles, quotas."""

from uuid import UUID

from flask import Response, request

from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.declarations import UNVERSIONED, Body, change, creation, deletion, listing, reading
from stratoplane_api.gateway import context, database, gateway, page
from stratoplane_api.namespaces import TENANT
from stratoplane_api.presentation import identity as presentation
from stratoplane_api.presentation import organizations as owners
from stratoplane_api.presentation import quota as quota_presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.views.nouns import ORGANIZATION, PROJECT, QUOTAS, ROLE_BINDING, USER, listing_roles
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.identity import OwnerDraft, OwnerPatch, RoleBindingDraft, UserDraft
from stratoplane_engine.services import organizations, projects, quota, role_bindings, users


@TENANT.add(
    reading(
        "get_own_organization",
        "/organization",
        noun=ORGANIZATION,
        access=Permission.SELF,
        summary="Show your organization",
    )
)
def get_own_organization() -> Response:
    return answers.item(owners.organization(organizations.get_own_organization(database(), context())))


@TENANT.add(
    listing(
        "list_projects",
        "/projects",
        noun=PROJECT,
        access=Permission.PROJECT_READ,
        summary="List projects",
    )
)
def list_projects() -> Response:
    return answers.page_of(projects.list_projects(database(), context(), page()), owners.project)


@TENANT.add(
    creation(
        "create_project",
        "/projects",
        noun=PROJECT,
        access=Permission.PROJECT_WRITE,
        summary="Create a project",
        body=schemas.ProjectCreate,
        body_example={"name": "shop", "labels": {"env": "prod"}},
    )
)
def create_project(body: Body) -> Response:
    made = projects.create_project(database(), context(), from_json(OwnerDraft, body))
    return answers.created(owners.project(made), f"{request.path}/{made.id}")


@TENANT.add(
    reading(
        "get_project",
        "/projects/<id:project_id>",
        noun=PROJECT,
        access=Permission.PROJECT_READ,
        summary="Show a project",
    )
)
def get_project(project_id: UUID) -> Response:
    return answers.item(owners.project(projects.get_project(database(), context(), project_id)))


@TENANT.add(
    change(
        "update_project",
        "/projects/<id:project_id>",
        noun=PROJECT,
        access=Permission.PROJECT_WRITE,
        summary="Change a project",
        body=schemas.ProjectUpdate,
        body_example={"display_name": "The shop"},
    )
)
def update_project(project_id: UUID, body: Body) -> Response:
    changed = projects.update_project(database(), context(), project_id, from_json(OwnerPatch, body))
    return answers.item(owners.project(changed))


@TENANT.add(
    deletion(
        "delete_project",
        "/projects/<id:project_id>",
        noun=PROJECT,
        access=Permission.PROJECT_WRITE,
        summary="Delete a project",
        changes_access=True,
    )
)
def delete_project(project_id: UUID) -> Response:
    projects.delete_project(database(), context(), project_id)
    return answers.empty()


@TENANT.add(
    listing(
        "list_users",
        "/users",
        noun=USER,
        access=Permission.USER_READ,
        summary="List users",
    )
)
def list_users() -> Response:
    return answers.page_of(users.list_users(database(), context(), page()), presentation.user)


@TENANT.add(
    creation(
        "create_user",
        "/users",
        noun=USER,
        access=Permission.USER_WRITE,
        summary="Create a user",
        body=schemas.UserCreate,
        body_example=examples.USER_CREATE,
    )
)
def create_user(body: Body) -> Response:
    made = users.create_user(database(), gateway().passwords, context(), from_json(UserDraft, body))
    return answers.created(presentation.user(made), f"{request.path}/{made.id}")


@TENANT.add(
    reading(
        "get_user",
        "/users/<id:user_id>",
        noun=USER,
        access=Permission.USER_READ,
        summary="Show a user",
    )
)
def get_user(user_id: UUID) -> Response:
    return answers.item(presentation.user(users.get_user(database(), context(), user_id)))


@TENANT.add(
    deletion(
        "delete_user",
        "/users/<id:user_id>",
        noun=USER,
        access=Permission.USER_WRITE,
        summary="Delete a user",
        changes_access=True,
    )
)
def delete_user(user_id: UUID) -> Response:
    users.delete_user(database(), context(), user_id)
    return answers.empty()


@TENANT.add(listing_roles("list_roles"))
def list_roles() -> Response:
    return answers.page_of(role_bindings.list_roles(database()), presentation.role)


@TENANT.add(
    listing(
        "list_role_bindings",
        "/role-bindings",
        noun=ROLE_BINDING,
        access=Permission.USER_READ,
        summary="List role bindings",
    )
)
def list_role_bindings() -> Response:
    found = role_bindings.list_role_bindings(database(), context(), page())
    return answers.page_of(found, presentation.role_binding)


@TENANT.add(
    creation(
        "create_role_binding",
        "/role-bindings",
        noun=ROLE_BINDING,
        access=Permission.ROLE_GRANT,
        summary="Create a role binding",
        body=schemas.RoleBindingCreate,
        body_example=examples.ROLE_BINDING_CREATE,
        features=UNVERSIONED,
        changes_access=True,
    )
)
def create_role_binding(body: Body) -> Response:
    made = role_bindings.create_role_binding(database(), context(), from_json(RoleBindingDraft, body))
    return answers.created(presentation.role_binding(made), f"{request.path}/{made.id}")


@TENANT.add(
    deletion(
        "delete_role_binding",
        "/role-bindings/<id:id>",
        noun=ROLE_BINDING,
        access=Permission.ROLE_GRANT,
        summary="Delete a role binding",
        features=UNVERSIONED,
        changes_access=True,
    )
)
def delete_role_binding(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    role_bindings.delete_role_binding(database(), context(), id)
    return answers.empty()


@TENANT.add(
    reading(
        "get_quotas",
        "/projects/<id:project_id>/quotas",
        noun=QUOTAS,
        access=Permission.QUOTA_READ,
        summary="Show limits and usage of a project and its organization",
        features=UNVERSIONED,
    )
)
def get_quotas(project_id: UUID) -> Response:
    return answers.content(quota_presentation.quotas(quota.get_quotas(database(), context(), project_id)))
