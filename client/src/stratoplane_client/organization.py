# SPDX-License-Identifier: Apache-2.0
"""The calls for a tenant's organization: projects, users, roles, the audit trail; and the caller's own tokens."""

from collections.abc import Mapping
from typing import Final

from stratoplane_client.decode import decode
from stratoplane_client.models.identity import NewToken, Project, Role, RoleBinding, Token, User
from stratoplane_client.models.jobs import AuditEvent
from stratoplane_client.reading import Changing, Reading, Writing, find, given
from stratoplane_client.transport import Transport

TENANT: Final = "/api/tenant/v1"
COMMON: Final = "/api/common/v1"
Labels = Mapping[str, str]


class Projects(Writing[Project]):
    """Projects of the organization that the caller can see."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{TENANT}/projects", Project)

    def find(self, wanted: str) -> Project:
        """Return the one whose id or name is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "project", wanted)

    def create(self, *, name: str, display_name: str | None = None, labels: Labels | None = None) -> Project:
        """Create a project. Raises NameTakenError when the organization has one of that name."""
        return self._create({"name": name, "display_name": display_name, "labels": labels})

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        display_name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
    ) -> Project:
        """Change what is given; the rest stays."""
        return self._update(identifier, {"name": name, "display_name": display_name, "labels": labels}, if_match)


class Users(Writing[User]):
    """Users of the organization."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{TENANT}/users", User)

    def find(self, wanted: str) -> User:
        """Return the one whose id or username is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "user", wanted)

    def create(self, *, username: str, password: str, display_name: str | None = None) -> User:
        """Create a user. Raises NameTakenError when the platform has one of that name."""
        return self._create({"username": username, "password": password, "display_name": display_name})


class Roles(Reading[Role]):
    """Roles that can be granted."""

    def __init__(self, transport: Transport, namespace: str = TENANT) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{namespace}/roles", Role, page_size=None)


class RoleBindings(Changing[RoleBinding]):
    """Roles granted to users, and their scope."""

    def __init__(self, transport: Transport, namespace: str = TENANT) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{namespace}/role-bindings", RoleBinding)

    def create(self, *, user_id: str, role: str, project_id: str | None = None) -> RoleBinding:
        """Grant a role to a user, in a project if the role's scope is a project."""
        return self._create({"user_id": user_id, "role": role, "project_id": project_id})


class Tokens(Changing[Token]):
    """The caller's own tokens."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{COMMON}/tokens", Token)

    def create(self, *, name: str, expires_in: int | None = None) -> NewToken:
        """Create a token for a program; its secret is in the answer and never shown again.

        Args:
            name: to recognise it by.
            expires_in: seconds that it lives, None for no end.
        """
        return decode(NewToken, self._send("POST", body=given({"name": name, "expires_in": expires_in})).body)


class AuditEvents(Reading[AuditEvent]):
    """What happened, newest first; ``list(subject_id=...)`` for one object."""

    def __init__(self, transport: Transport, owner: str = TENANT) -> None:
        """Keep where they are: below a namespace, or a project of it."""
        super().__init__(transport, f"{owner}/audit-events", AuditEvent)
