# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users, roles and tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stratoplane_client.decode import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Versioned(Record):
    """What has an id, a version and times."""

    id: str
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Pass it as ``if_match`` so that a concurrent change is not overwritten."""
        return f'"{self.id}.{self.version}"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization(Versioned):
    """A tenant."""

    name: str = ""
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Project(Organization):
    """A project: resources with their own roles and quotas."""

    organization_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class User(Versioned):
    """A person or program that logs in."""

    username: str = ""
    display_name: str = ""
    enabled: bool = True
    organization_id: str = ""

    @property
    def name(self) -> str:
        """The username."""
        return self.username


@dataclass(frozen=True, kw_only=True, slots=True)
class Token(Record):
    """A credential without its secret; ``kind`` is ``session`` or ``api``."""

    id: str
    name: str = ""
    kind: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken(Token):
    """A token with its secret, which is shown this once."""

    token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Session(Record):
    """What a login gives."""

    user: User
    token: str = field(repr=False)
    token_id: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant(Record):
    """What one role binding allows, and where; ``scope`` is ``PLATFORM``, ``ORGANIZATION`` or ``PROJECT``."""

    scope: str = ""
    organization_id: str | None = None
    project_id: str | None = None
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Me(Record):
    """Who the token stands for."""

    user: User
    organization: Organization
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Role(Record):
    """A named set of permissions."""

    id: str
    name: str = ""
    description: str = ""
    scope: str = ""
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleBinding(Record):
    """A role granted to a user, and its scope."""

    id: str
    user_id: str = ""
    username: str = ""
    role: str = ""
    scope: str = ""
    organization_id: str | None = None
    project_id: str | None = None
    created_at: datetime | None = None
