# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users, roles, role bindings, tokens and the login."""

from typing import Final

from stratoplane_api.schemas import members as m
from stratoplane_api.schemas.strict import Answer, Request, changed
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.model.identity import Scope

USERNAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9._@+-]{0,126}[a-z0-9])?$"
_USERNAME: Final = "must be 1 to 128 of a-z, 0-9 and ._@+- and begin and end with a letter or digit"
SHORTEST_PASSWORD: Final = 8
LONGEST_PASSWORD: Final = 256
LONGEST_LIFE: Final = 10 * 365 * 24 * 3600


class Login(Request):
    """A user's name and password."""

    username = m.text(required=True, longest=128)
    password = m.text(required=True, longest=LONGEST_PASSWORD)


class Token(Answer):
    """A credential of a user; the secret is never shown again."""

    id = m.identifier(required=True)
    name = m.text(required=True)
    kind = m.text("`session` from a login, `api` made by its owner.", required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    expires_at = m.timestamp("When the token stops being valid.", required=True, allow_none=True)


class TokenCreate(Request):
    """A token for a program."""

    name = m.name(required=True)
    expires_in = m.whole(
        "Seconds that it lives; without it the token lives until it is deleted.", least=60, most=LONGEST_LIFE
    )


class TokenCreated(Token):
    """A new token with its secret, shown this once."""

    token = m.text("Send it as `Authorization: Bearer <token>`.", required=True)


class Organization(Answer):
    """A tenant."""

    id = m.identifier(required=True)
    name = m.name(required=True)
    display_name = m.text(required=True)
    labels = m.labels(required=True)
    version = m.whole(required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


class OrganizationCreate(Request):
    """A tenant to make."""

    name = m.name(required=True)
    display_name = m.line(load_default="")
    labels = m.labels(load_default=dict)


class OrganizationUpdate(Request):
    """What may change of an organization."""

    name = changed(OrganizationCreate, "name")
    display_name = changed(OrganizationCreate, "display_name")
    labels = changed(OrganizationCreate, "labels")


class Project(Organization):
    """A place for resources, with its own roles and quotas."""

    organization_id = m.identifier(required=True)


class ProjectCreate(OrganizationCreate):
    """A project to make."""


class ProjectUpdate(OrganizationUpdate):
    """What may change of a project."""


class User(Answer):
    """A person or program that logs in."""

    id = m.identifier(required=True)
    username = m.text(required=True)
    display_name = m.text(required=True)
    enabled = m.flag(required=True)
    organization_id = m.identifier(required=True)
    version = m.whole(required=True)
    created_at = m.timestamp("When the object was created.", required=True)
    updated_at = m.timestamp("When the object was last changed.", required=True)


class UserCreate(Request):
    """A user to make."""

    username = m.matching(
        USERNAME_PATTERN, _USERNAME, "Unique on the platform; a mail address serves well.", required=True
    )
    display_name = m.line(load_default="")
    password = m.text(
        "The password; the platform keeps an Argon2id hash of it only.",
        longest=LONGEST_PASSWORD,
        shortest=SHORTEST_PASSWORD,
        required=True,
    )


class OperatorUserCreate(UserCreate):
    """A user to make in any organization."""

    organization_id = m.identifier("Id of the organization that the user belongs to.", required=True)


class Session(Answer):
    """A token, shown this once."""

    token = m.text("Send it as `Authorization: Bearer <token>`.", required=True)
    token_id = m.identifier(required=True)
    expires_at = m.timestamp("When the token stops being valid.", required=True, allow_none=True)
    user = m.one(User, required=True)


class Grant(Answer):
    """What one role binding allows, and where."""

    scope = m.choice(Scope, required=True)
    organization_id = m.identifier(required=True)
    project_id = m.identifier(required=True, allow_none=True)
    permissions = m.strings(Permission, required=True)


class Me(Answer):
    """Who the credential stands for."""

    user = m.one(User, required=True)
    organization = m.one(Organization, required=True)
    grants = m.several(Grant, required=True)


class Role(Answer):
    """A named set of permissions."""

    id = m.identifier(required=True)
    name = m.text(required=True)
    description = m.text(required=True)
    scope = m.choice(Scope, required=True)
    permissions = m.strings(Permission, required=True)


class RoleBinding(Answer):
    """A role given to a user, and where it counts."""

    id = m.identifier(required=True)
    user_id = m.identifier(required=True)
    username = m.text(required=True)
    role = m.text("Name of the role.", required=True)
    scope = m.choice(Scope, required=True)
    organization_id = m.identifier(required=True)
    project_id = m.identifier(required=True, allow_none=True)
    created_at = m.timestamp("When the role was given.", required=True)


class RoleBindingCreate(Request):
    """A role to give."""

    user_id = m.identifier(required=True)
    role = m.reference("Name of the role.", required=True)
    project_id = m.identifier("The project in which the role counts; left out for a role in the whole organization.")
