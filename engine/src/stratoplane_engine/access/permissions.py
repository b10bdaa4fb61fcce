# SPDX-License-Identifier: Apache-2.0
"""Permissions, the built-in roles, and the rule that decides whether a grant covers a request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from stratoplane_engine.model.identity import Scope


class Permission(StrEnum):
    """What a role can allow. Every route names one, or says that it is public."""

    RESOURCE_READ = "resource:read"
    RESOURCE_WRITE = "resource:write"
    CONSOLE_READ = "console:read"
    JOB_READ = "job:read"
    AUDIT_READ = "audit:read"
    QUOTA_READ = "quota:read"
    PROJECT_READ = "project:read"
    PROJECT_WRITE = "project:write"
    USER_READ = "user:read"
    USER_WRITE = "user:write"
    ROLE_GRANT = "role:grant"
    SELF = "self"
    CATALOGUE_READ = "catalogue:read"
    PLATFORM_READ = "platform:read"
    PLATFORM_WRITE = "platform:write"


_KNOWN: Final = frozenset(Permission)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One role binding, opened: its permissions and where they count."""

    scope: Scope
    organization_id: UUID
    permissions: frozenset[Permission]
    project_id: UUID | None = None


def allows(grant: Grant, permission: Permission, organization_id: UUID | None, project_id: UUID | None) -> bool:
    """Tell whether ``grant`` covers ``permission`` in the organization or project asked about.

    A platform grant counts everywhere, an organization's in it and its projects, a project's there only.
    """
    if permission not in grant.permissions:
        return False
    if grant.scope is Scope.PLATFORM:
        return True
    if organization_id is None or grant.organization_id != organization_id:
        return False
    return grant.scope is Scope.ORGANIZATION or (project_id is not None and grant.project_id == project_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltinRole:
    """A role that every installation has."""

    name: str
    description: str
    scope: Scope
    permissions: frozenset[Permission]


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of these names; those of a newer version are left out."""
    return frozenset(Permission(each) for each in names if each in _KNOWN)


_P = Permission
_READ: Final = frozenset({_P.RESOURCE_READ, _P.JOB_READ, _P.QUOTA_READ, _P.PROJECT_READ, _P.CATALOGUE_READ, _P.SELF})
_WRITE: Final = _READ | {_P.RESOURCE_WRITE, _P.CONSOLE_READ}
_ADMIN: Final = _WRITE | {_P.PROJECT_WRITE, _P.USER_READ, _P.USER_WRITE, _P.ROLE_GRANT, _P.AUDIT_READ}

BUILTIN_ROLES: Final[Mapping[str, BuiltinRole]] = MappingProxyType(
    {
        role.name: role
        for role in (
            BuiltinRole(
                name="platform-admin",
                description="Everything, everywhere: the provider's operators.",
                scope=Scope.PLATFORM,
                permissions=frozenset(Permission),
            ),
            BuiltinRole(
                name="platform-reader",
                description="Look at everything, change nothing.",
                scope=Scope.PLATFORM,
                permissions=_READ | {_P.PLATFORM_READ, _P.AUDIT_READ, _P.USER_READ},
            ),
            BuiltinRole(
                name="organization-admin",
                description="Projects, users, roles and every resource of one organization.",
                scope=Scope.ORGANIZATION,
                permissions=_ADMIN,
            ),
            BuiltinRole(
                name="organization-reader",
                description="Look at every resource of one organization.",
                scope=Scope.ORGANIZATION,
                permissions=_READ | {_P.AUDIT_READ, _P.USER_READ},
            ),
            BuiltinRole(
                name="project-member",
                description="Make, change and delete resources of one project.",
                scope=Scope.PROJECT,
                permissions=_WRITE,
            ),
            BuiltinRole(
                name="project-reader",
                description="Look at one project.",
                scope=Scope.PROJECT,
                permissions=_READ,
            ),
        )
    }
)
