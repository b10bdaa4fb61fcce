# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users, roles, role bindings and tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """Where a role counts."""

    PLATFORM = "PLATFORM"
    ORGANIZATION = "ORGANIZATION"
    PROJECT = "PROJECT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """A tenant."""

    id: UUID
    name: str
    display_name: str
    labels: Mapping[str, str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A place for resources of an organization, with its own roles and quotas."""

    id: UUID
    organization_id: UUID
    name: str
    display_name: str
    labels: Mapping[str, str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnerDraft:
    """An organization or project to make."""

    name: str
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnerPatch:
    """What may change of an organization or project; None leaves a member as it is."""

    name: str | None = None
    display_name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRole:
    """A role that a user holds, and where: one role binding, opened.

    Attributes:
        permissions: as the database has them; a newer version may know more of them than this one.
    """

    role: str
    scope: Scope
    organization_id: UUID
    project_id: UUID | None
    permissions: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person or program that logs in."""

    id: UUID
    organization_id: UUID
    username: str
    display_name: str
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    roles: tuple[HeldRole, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Account(User):
    """A user with the hash that its password is checked against."""

    password_hash: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class UserDraft:
    """A user to make."""

    username: str
    password: str = field(repr=False)
    display_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A named set of permissions."""

    id: UUID
    name: str
    description: str
    scope: Scope
    permissions: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleBinding:
    """A role given to a user, and where it counts; ``permissions`` are those of the role."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    username: str
    role: str
    scope: Scope
    project_id: UUID | None
    created_at: datetime
    permissions: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleBindingDraft:
    """A role to give: the user, the role's name, and the project for a role that counts in one."""

    user_id: UUID
    role: str
    project_id: UUID | None = None


class TokenKind(StrEnum):
    """Where a token comes from."""

    SESSION = "session"
    """From a login with the password."""
    API = "api"
    """Made by its owner for a program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A credential of a user, without its secret."""

    id: UUID
    kind: TokenKind
    name: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A new token with its secret, which is shown this once and never stored."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A login: who it is, and the token."""

    issued: IssuedToken
    user: User
