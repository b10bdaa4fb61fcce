# SPDX-License-Identifier: Apache-2.0
"""A tenant's own organization: projects, users, roles, quotas."""

from typing import Final
from uuid import UUID

from flask import Response

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint, Feature
from stratoplane_api.gateway import context, database
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.schemas.platform import Quotas
from stratoplane_api.schemas.strict import list_of
from stratoplane_api.views import collections
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import organizations, projects, quota, role_bindings, users

PROJECTS: Final = collections.Noun(
    name="project",
    plural="projects",
    path="/projects",
    key="project_id",
    answer=schemas.Project,
    example=examples.PROJECT,
    read=Permission.PROJECT_READ,
    write=Permission.PROJECT_WRITE,
)
USERS: Final = collections.Noun(
    name="user",
    plural="users",
    path="/users",
    key="user_id",
    answer=schemas.User,
    example=examples.USER,
    read=Permission.USER_READ,
    write=Permission.USER_WRITE,
)
ROLE_BINDINGS: Final = collections.Noun(
    name="role_binding",
    plural="role_bindings",
    path="/role-bindings",
    answer=schemas.RoleBinding,
    example=examples.ROLE_BINDING,
    read=Permission.USER_READ,
    write=Permission.ROLE_GRANT,
    versioned=False,
)


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_organization(routes)
    collections.serve_list(routes, PROJECTS, projects.list_projects)
    collections.serve_create(
        routes, PROJECTS, schemas.ProjectCreate, {"name": "shop", "labels": {"env": "prod"}}, projects.create_project
    )
    collections.serve_get(routes, PROJECTS, projects.get_project)
    collections.serve_update(
        routes, PROJECTS, schemas.ProjectUpdate, {"display_name": "The shop"}, projects.update_project
    )
    collections.serve_delete(routes, PROJECTS, projects.delete_project)
    collections.serve_list(routes, USERS, users.list_users)
    collections.serve_create(routes, USERS, schemas.UserCreate, examples.USER_CREATE, users.create_user)
    collections.serve_get(routes, USERS, users.get_user)
    collections.serve_delete(routes, USERS, users.delete_user)
    serve_roles(routes, "list_roles")
    collections.serve_list(routes, ROLE_BINDINGS, role_bindings.list_role_bindings)
    collections.serve_create(
        routes,
        ROLE_BINDINGS,
        schemas.RoleBindingCreate,
        examples.ROLE_BINDING_CREATE,
        role_bindings.create_role_binding,
    )
    collections.serve_delete(routes, ROLE_BINDINGS, role_bindings.delete_role_binding)
    _serve_quotas(routes)


def _serve_organization(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="get_own_organization",
            method="GET",
            path="/organization",
            access=Permission.SELF,
            summary="Show your organization",
            tag="Organizations",
            answer=schemas.Organization,
            features=frozenset({Feature.VERSIONED}),
            example=examples.ORGANIZATION,
        )
    )
    def get_organization() -> Response:
        return answers.item(organizations.get_own_organization(database(), context()))


def serve_roles(routes: Routes, operation_id: str) -> None:
    """Add the operation that lists roles, which is the same for tenants and operators."""

    @routes.add(
        Endpoint(
            id=operation_id,
            method="GET",
            path="/roles",
            access=Permission.SELF,
            summary="List roles",
            description="There are few: they come on one page.",
            tag="Roles",
            answer=list_of(schemas.Role),
            example={"items": [examples.ROLE], "next": None},
        )
    )
    def list_roles() -> Response:
        return answers.page(role_bindings.list_roles(database(), context()))


def _serve_quotas(routes: Routes) -> None:
    @routes.add(
        Endpoint(
            id="get_quotas",
            method="GET",
            path="/projects/<id:project_id>/quotas",
            access=Permission.QUOTA_READ,
            summary="Show the limits of a project and its organization, and what is used",
            tag="Quotas",
            answer=Quotas,
            example=examples.QUOTAS,
        )
    )
    def get_quotas(project_id: UUID) -> Response:
        return answers.content(quota.get_quotas(database(), context(), project_id))
