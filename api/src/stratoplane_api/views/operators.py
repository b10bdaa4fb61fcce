# SPDX-License-Identifier: Apache-2.0
"""What operators do with tenants: organizations, users, roles and quotas."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from flask import Response, g, request

from stratoplane.quota import Amount
from stratoplane.wire import from_json
from stratoplane_api import answers
from stratoplane_api.declarations import UNVERSIONED, Body, change, creation, deletion, listing, reading
from stratoplane_api.endpoints import Endpoint
from stratoplane_api.gateway import context, database, gateway, page
from stratoplane_api.namespaces import OPS
from stratoplane_api.presentation import identity as presentation
from stratoplane_api.presentation import organizations as owners
from stratoplane_api.presentation import quota as quota_presentation
from stratoplane_api.schemas import examples
from stratoplane_api.schemas import identity as schemas
from stratoplane_api.schemas.platform import QuotaUpdate
from stratoplane_api.schemas.queries import ProjectsQuery
from stratoplane_api.views.nouns import ORGANIZATION, PROJECT, QUOTAS, ROLE_BINDING, USER, listing_roles
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.identity import OwnerDraft, OwnerPatch, RoleBindingDraft, UserDraft
from stratoplane_engine.services import organizations, projects, quota, role_bindings, users

_READ: Final = Permission.PLATFORM_READ
_WRITE: Final = Permission.PLATFORM_WRITE


def _setting_quotas(operation_id: str, path: str, summary: str) -> Endpoint:
    return Endpoint(
        id=operation_id,
        method="PUT",
        path=path,
        access=_WRITE,
        summary=summary,
        description="Keys that are left out stay. A limit below what is used refuses only what is new.",
        tag=QUOTAS.tag,
        body=QuotaUpdate,
        body_example={"vcpus": 400, "memory_mib": 1_048_576},
        answer=QUOTAS.answer,
        example=QUOTAS.example,
    )


@OPS.add(
    listing(
        "list_organizations",
        "/organizations",
        noun=ORGANIZATION,
        access=_READ,
        summary="List organizations",
    )
)
def list_organizations() -> Response:
    return answers.page_of(organizations.list_organizations(database(), context(), page()), owners.organization)


@OPS.add(
    creation(
        "create_organization",
        "/organizations",
        noun=ORGANIZATION,
        access=_WRITE,
        summary="Create an organization",
        body=schemas.OrganizationCreate,
        body_example={"name": "acme", "display_name": "Acme Ltd"},
    )
)
def create_organization(body: Body) -> Response:
    made = organizations.create_organization(database(), context(), from_json(OwnerDraft, body))
    return answers.created(owners.organization(made), f"{request.path}/{made.id}")


@OPS.add(
    reading(
        "get_organization",
        "/organizations/<id:id>",
        noun=ORGANIZATION,
        access=_READ,
        summary="Show an organization",
    )
)
def get_organization(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.item(owners.organization(organizations.get_organization(database(), context(), id)))


@OPS.add(
    change(
        "update_organization",
        "/organizations/<id:id>",
        noun=ORGANIZATION,
        access=_WRITE,
        summary="Change an organization",
        body=schemas.OrganizationUpdate,
        body_example={"name": "acme", "display_name": "Acme Ltd"},
    )
)
def update_organization(id: UUID, body: Body) -> Response:  # noqa: A002  # the path parameter's public name
    changed = organizations.update_organization(database(), context(), id, from_json(OwnerPatch, body))
    return answers.item(owners.organization(changed))


@OPS.add(
    deletion(
        "delete_organization",
        "/organizations/<id:id>",
        noun=ORGANIZATION,
        access=_WRITE,
        summary="Delete an organization",
        changes_access=True,
    )
)
def delete_organization(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    organizations.delete_organization(database(), context(), id)
    return answers.empty()


@OPS.add(
    replace(
        listing("list_all_projects", "/projects", noun=PROJECT, access=_READ, summary="List projects"),
        query=ProjectsQuery,
    )
)
def list_all_projects() -> Response:
    wanted = g.query.get("organization_id")
    home = UUID(wanted) if wanted else None
    found = projects.list_all_projects(database(), context(), page(), organization_id=home)
    return answers.page_of(found, owners.project)


@OPS.add(
    listing(
        "list_all_users",
        "/users",
        noun=USER,
        access=_READ,
        summary="List users",
    )
)
def list_all_users() -> Response:
    return answers.page_of(users.list_all_users(database(), context(), page()), presentation.user)


@OPS.add(
    creation(
        "create_any_user",
        "/users",
        noun=USER,
        access=_WRITE,
        summary="Create a user",
        body=schemas.OperatorUserCreate,
        body_example={**examples.USER_CREATE, "organization_id": examples.ORGANIZATION_ID},
    )
)
def create_any_user(body: Body) -> Response:
    home, draft = UUID(str(body["organization_id"])), from_json(UserDraft, body)
    made = users.create_any_user(database(), gateway().passwords, context(), home, draft)
    return answers.created(presentation.user(made), f"{request.path}/{made.id}")


@OPS.add(
    reading(
        "get_any_user",
        "/users/<id:user_id>",
        noun=USER,
        access=_READ,
        summary="Show a user",
    )
)
def get_any_user(user_id: UUID) -> Response:
    return answers.item(presentation.user(users.get_any_user(database(), context(), user_id)))


@OPS.add(
    deletion(
        "delete_any_user",
        "/users/<id:user_id>",
        noun=USER,
        access=_WRITE,
        summary="Delete a user",
        changes_access=True,
    )
)
def delete_any_user(user_id: UUID) -> Response:
    users.delete_any_user(database(), context(), user_id)
    return answers.empty()


@OPS.add(listing_roles("list_all_roles"))
def list_all_roles() -> Response:
    return answers.page_of(role_bindings.list_roles(database()), presentation.role)


@OPS.add(
    listing(
        "list_all_role_bindings",
        "/role-bindings",
        noun=ROLE_BINDING,
        access=_READ,
        summary="List role bindings",
    )
)
def list_all_role_bindings() -> Response:
    found = role_bindings.list_all_role_bindings(database(), context(), page())
    return answers.page_of(found, presentation.role_binding)


@OPS.add(
    creation(
        "create_any_role_binding",
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
def create_any_role_binding(body: Body) -> Response:
    made = role_bindings.create_any_role_binding(database(), context(), from_json(RoleBindingDraft, body))
    return answers.created(presentation.role_binding(made), f"{request.path}/{made.id}")


@OPS.add(
    deletion(
        "delete_any_role_binding",
        "/role-bindings/<id:id>",
        noun=ROLE_BINDING,
        access=Permission.ROLE_GRANT,
        summary="Delete a role binding",
        features=UNVERSIONED,
        changes_access=True,
    )
)
def delete_any_role_binding(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    role_bindings.delete_any_role_binding(database(), context(), id)
    return answers.empty()


@OPS.add(
    reading(
        "get_organization_quotas",
        "/organizations/<id:id>/quotas",
        noun=QUOTAS,
        access=_READ,
        summary="Show limits and usage of an organization",
        features=UNVERSIONED,
    )
)
def get_organization_quotas(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.content(quota_presentation.quotas(quota.get_organization_quotas(database(), context(), id)))


@OPS.add(_setting_quotas("set_organization_quotas", "/organizations/<id:id>/quotas", "Set limits of an organization"))
def set_organization_quotas(id: UUID, body: Amount) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.content(quota_presentation.quotas(quota.set_organization_limits(database(), context(), id, body)))


@OPS.add(
    reading(
        "get_project_quotas",
        "/projects/<id:id>/quotas",
        noun=QUOTAS,
        access=_READ,
        summary="Show limits and usage of a project",
        features=UNVERSIONED,
    )
)
def get_project_quotas(id: UUID) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.content(quota_presentation.quotas(quota.get_project_quotas(database(), context(), id)))


@OPS.add(_setting_quotas("set_project_quotas", "/projects/<id:id>/quotas", "Set limits of a project"))
def set_project_quotas(id: UUID, body: Amount) -> Response:  # noqa: A002  # the path parameter's public name
    return answers.content(quota_presentation.quotas(quota.set_project_limits(database(), context(), id, body)))
