# SPDX-License-Identifier: Apache-2.0
"""The calls for operators: organizations and their users, clusters, flavors, images, quotas, jobs, findings."""

from collections.abc import Mapping
from typing import Final

from stratoplane_client.decode import decode
from stratoplane_client.drift import DriftPolicies
from stratoplane_client.foreign_objects import ForeignObjects
from stratoplane_client.incidents import Incidents
from stratoplane_client.models.drift import Drift
from stratoplane_client.models.identity import Organization, Project, User
from stratoplane_client.models.jobs import AuditCheckpoint
from stratoplane_client.models.platform import Agent, Cluster, Flavor, Image, JoinToken, Plugin, Provider, Quotas
from stratoplane_client.organization import AuditEvents, RoleBindings, Roles
from stratoplane_client.orphans import Orphans
from stratoplane_client.reading import Reading, Writing, find, given, segment
from stratoplane_client.transport import Call, Transport
from stratoplane_client.upkeep import AllJobs, Leaks

OPS: Final = "/api/ops/v1"
Labels = Mapping[str, str]


class Organizations(Writing[Organization]):
    """Tenants."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/organizations", Organization)

    def find(self, wanted: str) -> Organization:
        """Return the one whose id or name is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "organization", wanted)

    def create(self, *, name: str, display_name: str | None = None, labels: Labels | None = None) -> Organization:
        """Create an organization. Raises NameTakenError."""
        return self._create({"name": name, "display_name": display_name, "labels": labels})

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        display_name: str | None = None,
        labels: Labels | None = None,
        if_match: str | None = None,
    ) -> Organization:
        """Change what is given; the rest stays."""
        return self._update(identifier, {"name": name, "display_name": display_name, "labels": labels}, if_match)


class AllUsers(Writing[User]):
    """Users of every organization."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/users", User)

    def find(self, wanted: str) -> User:
        """Return the one whose id or username is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "user", wanted)

    def create(self, *, organization_id: str, username: str, password: str, display_name: str | None = None) -> User:
        """Create a user whose home is an organization. Raises NameTakenError."""
        return self._create(
            {
                "organization_id": organization_id,
                "username": username,
                "password": password,
                "display_name": display_name,
            }
        )


class AllProjects(Reading[Project]):
    """Projects of every organization."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/projects", Project)
        self._organizations = Organizations(transport)

    def find(self, wanted: str) -> Project:
        """Return the one named ``organization/project``, or with this id. Raises NameUnknownError."""
        organization, slash, name = wanted.partition("/")
        if not slash:
            return find(self.list, None, "project", wanted)
        home = self._organizations.find(organization).id
        return find(lambda: self.list(organization_id=home), None, "project", name)


class Clusters(Writing[Cluster]):
    """Clusters that resources are placed on, each served by one agent."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/clusters", Cluster)

    def find(self, wanted: str) -> Cluster:
        """Return the one whose id or name is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "cluster", wanted)

    def create(self, *, name: str, description: str | None = None, labels: Labels | None = None) -> Cluster:
        """Create a cluster; it has no agent yet. Raises NameTakenError."""
        return self._create({"name": name, "description": description, "labels": labels})

    def update(
        self,
        identifier: str,
        *,
        description: str | None = None,
        labels: Labels | None = None,
        state: str | None = None,
        if_match: str | None = None,
    ) -> Cluster:
        """Change what is given; ``state`` is ``ENABLED``, ``DRAINING`` or ``DISABLED``."""
        return self._update(identifier, {"description": description, "labels": labels, "state": state}, if_match)

    def create_join_token(
        self, identifier: str, *, expires_in: int | None = None, replace: bool | None = None
    ) -> JoinToken:
        """Create a token with which one agent can enrol for the cluster, once, within ``expires_in`` seconds.

        With ``replace`` that agent takes the place of the one that the cluster has, which is revoked then.
        """
        path = f"{self._path}/{segment(identifier)}/join-tokens"
        call = Call(method="POST", path=path, body=given({"expires_in": expires_in, "replace": replace}))
        return decode(JoinToken, self._transport.send(call).body)


class Agents(Reading[Agent]):
    """Agents that run the drivers of clusters."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/agents", Agent)

    def revoke(self, identifier: str) -> Agent:
        """End the access of an agent by its id: its next request is refused. Raises NotFoundError."""
        call = Call(method="POST", path=f"{self._path}/{segment(identifier)}/revoke")
        return decode(Agent, self._transport.send(call).body)


class AllFlavors(Writing[Flavor]):
    """Sizes of machines."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/flavors", Flavor)

    def find(self, wanted: str) -> Flavor:
        """Return the one whose id or name is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "flavor", wanted)

    def create(self, *, name: str, vcpus: int, memory_mib: int, disk_gib: int) -> Flavor:
        """Create a flavor. Raises NameTakenError."""
        return self._create({"name": name, "vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib})

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        vcpus: int | None = None,
        memory_mib: int | None = None,
        disk_gib: int | None = None,
        if_match: str | None = None,
    ) -> Flavor:
        """Change what is given; existing machines keep their size."""
        body = {"name": name, "vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib}
        return self._update(identifier, body, if_match)


class AllImages(Writing[Image]):
    """Disk images to create machines and volumes from."""

    def __init__(self, transport: Transport) -> None:
        """Keep where they are."""
        super().__init__(transport, f"{OPS}/images", Image)

    def find(self, wanted: str) -> Image:
        """Return the one whose id or name is ``wanted``. Raises NameUnknownError, NotFoundError."""
        return find(self.list, self.get, "image", wanted)

    def create(
        self,
        *,
        name: str,
        source: str,
        format: str | None = None,  # noqa: A002  # the API's word
        sha256: str | None = None,
        description: str | None = None,
        minimum_disk_gib: int | None = None,
    ) -> Image:
        """Create an image.

        Args:
            name: of the image.
            source: its file name in the drivers' image folder, or the provider's own id.
            format: ``qcow2`` or ``raw``.
            sha256: digest of the file.
            description: for people.
            minimum_disk_gib: the smallest disk that it fits on.

        Raises:
            NameTakenError: an image of that name exists.
        """
        body = {
            "name": name,
            "source": source,
            "format": format,
            "sha256": sha256,
            "description": description,
            "minimum_disk_gib": minimum_disk_gib,
        }
        return self._create(body)

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        description: str | None = None,
        minimum_disk_gib: int | None = None,
        if_match: str | None = None,
    ) -> Image:
        """Change what is given; the rest stays."""
        body = {"name": name, "description": description, "minimum_disk_gib": minimum_disk_gib}
        return self._update(identifier, body, if_match)


class Limits:
    """Quotas of every organization and project."""

    def __init__(self, transport: Transport) -> None:
        """Keep how to call."""
        self._transport = transport

    def of_organization(self, identifier: str) -> Quotas:
        """Return limits and usage of an organization."""
        return self._call("GET", "organizations", identifier)

    def of_project(self, identifier: str) -> Quotas:
        """Return limits and usage of a project and its organization."""
        return self._call("GET", "projects", identifier)

    def set_organization(self, identifier: str, limits: Mapping[str, int]) -> Quotas:
        """Set limits of an organization by key, -1 for none; keys that are left out stay."""
        return self._call("PUT", "organizations", identifier, dict(limits))

    def set_project(self, identifier: str, limits: Mapping[str, int]) -> Quotas:
        """Set limits of a project by key, -1 for none; keys that are left out stay."""
        return self._call("PUT", "projects", identifier, dict(limits))

    def _call(self, method: str, owners: str, identifier: str, body: object = None) -> Quotas:
        call = Call(method=method, path=f"{OPS}/{owners}/{segment(identifier)}/quotas", body=body)
        return decode(Quotas, self._transport.send(call).body)


class Operator:
    """The operators' part of the API. A tenant's token gets AccessDeniedError on all of it."""

    def __init__(self, transport: Transport) -> None:
        """Make the groups of calls."""
        self.organizations: Final = Organizations(transport)
        self.projects: Final = AllProjects(transport)
        self.users: Final = AllUsers(transport)
        self.roles: Final = Roles(transport, OPS)
        self.role_bindings: Final = RoleBindings(transport, OPS)
        self.clusters: Final = Clusters(transport)
        self.agents: Final = Agents(transport)
        self.providers: Final = Reading(transport, f"{OPS}/providers", Provider)
        self.flavors: Final = AllFlavors(transport)
        self.images: Final = AllImages(transport)
        self.quotas: Final = Limits(transport)
        self.jobs: Final = AllJobs(transport, f"{OPS}/jobs")
        self.foreign_objects: Final = ForeignObjects(transport, f"{OPS}/foreign-objects")
        self.drift: Final = Reading(transport, f"{OPS}/drift", Drift)
        self.drift_policies: Final = DriftPolicies(transport, f"{OPS}/drift-policies")
        self.orphans: Final = Orphans(transport, f"{OPS}/orphans")
        self.incidents: Final = Incidents(transport, f"{OPS}/incidents")
        self.leaks: Final = Leaks(transport, f"{OPS}/leaks")
        self.audit_events: Final = AuditEvents(transport, OPS)
        self.audit_checkpoints: Final = Reading(transport, f"{OPS}/audit-checkpoints", AuditCheckpoint)
        self.plugins: Final = Reading(transport, f"{OPS}/plugins", Plugin, page_size=None)
