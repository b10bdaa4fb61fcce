# SPDX-License-Identifier: Apache-2.0
"""What operators do with tenants: organizations, users, roles, quotas."""

import functools
from typing import Final
from uuid import UUID

from flask import Response

from stratoplane_api import answers
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.gateway import context, database
from stratoplane_api.routes import Routes
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.schemas.platform import Quotas, QuotaUpdate
from stratoplane_api.service_types import GetService, Json, UpdateService
from stratoplane_api.views import collections
from stratoplane_api.views.organization import serve_roles
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.services import organizations, quota, role_bindings, users

_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE

ORGANIZATIONS: Final = collections.Noun(
    name="organization",
    plural="organizations",
    path="/organizations",
    answer=schemas.Organization,
    example=examples.ORGANIZATION,
    read=_READ,
    write=_WRITE,
)
USERS: Final = collections.Noun(
    name="user",
    plural="users",
    path="/users",
    key="user_id",
    answer=schemas.User,
    example=examples.USER,
    read=_READ,
    write=_WRITE,
)
ROLE_BINDINGS: Final = collections.Noun(
    name="role_binding",
    plural="role_bindings",
    path="/role-bindings",
    answer=schemas.RoleBinding,
    example=examples.ROLE_BINDING,
    read=_READ,
    write=Permission.ROLE_GRANT,
    versioned=False,
)


def serve(routes: Routes) -> None:
    """Add the operations to ``routes``."""
    _serve_organizations(routes)
    _serve_users(routes)
    serve_roles(routes, "list_all_roles")
    _serve_role_bindings(routes)
    _serve_quotas(routes)


def _serve_organizations(routes: Routes) -> None:
    example = {"name": "acme", "display_name": "Acme Ltd"}
    collections.serve_list(routes, ORGANIZATIONS, organizations.list_organizations)
    collections.serve_create(
        routes, ORGANIZATIONS, schemas.OrganizationCreate, example, organizations.create_organization
    )
    collections.serve_get(routes, ORGANIZATIONS, organizations.get_organization)
    collections.serve_update(
        routes, ORGANIZATIONS, schemas.OrganizationUpdate, example, organizations.update_organization
    )
    collections.serve_delete(routes, ORGANIZATIONS, organizations.delete_organization)


def _serve_users(routes: Routes) -> None:
    example = {**examples.USER_CREATE, "organization_id": examples.ORGANIZATION_ID}
    collections.serve_list(routes, USERS, users.list_all_users, "list_all_users")
    collections.serve_create(
        routes,
        USERS,
        schemas.OperatorUserCreate,
        example,
        lambda database, context, body: users.create_user(database, context, body, UUID(body["organization_id"])),
        operation_id="create_any_user",
    )
    collections.serve_get(routes, USERS, users.get_any_user, "get_any_user")
    collections.serve_delete(routes, USERS, users.delete_any_user, "delete_any_user")


def _serve_role_bindings(routes: Routes) -> None:
    collections.serve_list(routes, ROLE_BINDINGS, role_bindings.list_all_role_bindings, "list_all_role_bindings")
    collections.serve_create(
        routes,
        ROLE_BINDINGS,
        schemas.RoleBindingCreate,
        examples.ROLE_BINDING_CREATE,
        functools.partial(role_bindings.create_role_binding, anywhere=True),
        operation_id="create_any_role_binding",
    )
    collections.serve_delete(
        routes,
        ROLE_BINDINGS,
        functools.partial(role_bindings.delete_role_binding, anywhere=True),
        "delete_any_role_binding",
    )


def _serve_quotas(routes: Routes) -> None:
    for owner, getter, setter in (
        ("organization", quota.get_organization_quotas, quota.set_organization_limits),
        ("project", quota.get_project_quotas, quota.set_project_limits),
    ):
        _serve_quota_of(routes, owner, getter, setter)


def _serve_quota_of(routes: Routes, owner: str, getter: GetService, setter: UpdateService) -> None:
    path = f"/{owner}s/<id:id>/quotas"

    @routes.add(
        Endpoint(
            id=f"get_{owner}_quotas",
            method="GET",
            path=path,
            access=_READ,
            summary=f"Show the limits of {collections.a(owner)}, and what is used",
            tag="Quotas",
            answer=Quotas,
            example=examples.QUOTAS,
        )
    )
    def get_quotas(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
        return answers.content(getter(database(), context(), id))

    @routes.add(
        Endpoint(
            id=f"set_{owner}_quotas",
            method="PUT",
            path=path,
            access=_WRITE,
            summary=f"Set limits of {collections.a(owner)}",
            description="Keys that are left out stay. A limit below what is used refuses only what is new.",
            tag="Quotas",
            body=QuotaUpdate,
            body_example={"vcpus": 400, "memory_mib": 1_048_576},
            answer=Quotas,
            example=examples.QUOTAS,
        )
    )
    def set_quotas(id: UUID, body: Json) -> Response:  # noqa: A002
        return answers.content(setter(database(), context(), id, body))
