# SPDX-License-Identifier: Apache-2.0
"""The client: one server, one identity, and groups of calls by noun."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from stratoplane_client.changes import T
from stratoplane_client.connection import Connection, Route
from stratoplane_client.decode import decode
from stratoplane_client.generic import GenericResources
from stratoplane_client.jobs import Jobs
from stratoplane_client.models.identity import Me, Organization, Session
from stratoplane_client.models.platform import ClusterName, Flavor, Health, Image, Quotas, Version
from stratoplane_client.models.resources import Bucket, KeyPair, Network, VirtualMachine, Volume
from stratoplane_client.operators import Operator
from stratoplane_client.organization import (
    COMMON,
    TENANT,
    AuditEvents,
    Projects,
    RoleBindings,
    Roles,
    Tokens,
    Users,
)
from stratoplane_client.platform_kinds import PlatformKind, Reference, id_of, read_kinds
from stratoplane_client.reading import Reading, segment
from stratoplane_client.resources import Buckets, KeyPairs, Networks, VirtualMachines, Volumes, project_collection
from stratoplane_client.retries import RetryPolicy
from stratoplane_client.transport import Attempt, Call, Transport


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Settings of a client.

    Attributes:
        timeout: seconds without data after which a request fails.
        connect_timeout: seconds to make a connection.
        connections: most connections that are kept for concurrent calls.
        ca_file: certificates to trust (PEM) instead of the system's.
        retries: when a failed call is made again.
        trace_id: 32 hexadecimal digits that all calls belong to; a new trace for each call by default.
        user_agent: text before this client's own in ``User-Agent``.
        observe: is called after every attempt of every call.
        sleep: waits; replaced by programs with an event loop of their own.
    """

    timeout: float = 30.0
    connect_timeout: float = 5.0
    connections: int = 8
    ca_file: str | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    trace_id: str | None = None
    user_agent: str = ""
    observe: Callable[[Attempt], None] | None = None
    sleep: Callable[[float], None] = time.sleep


class Client:
    """A Stratoplane server as one user sees it. Threads may share it; use it in ``with`` or call :meth:`close`."""

    def __init__(self, url: str, *, token: str | None = None, options: Options | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server, such as ``https://cloud.example``, without the API's path.
            token: of a login or from :attr:`tokens`; None until :meth:`login`.
            options: how calls are made.

        Raises:
            InvalidSettingError: the URL or the certificate file cannot be used.
        """
        chosen = options or Options()
        route = Route(
            url=url,
            ca_file=chosen.ca_file,
            connect_timeout=chosen.connect_timeout,
            connections=chosen.connections,
        )
        self._transport: Final = Transport(
            Connection(route),
            token=token,
            timeout=chosen.timeout,
            retries=chosen.retries,
            trace_id=chosen.trace_id,
            user_agent=chosen.user_agent,
            observe=chosen.observe,
            sleep=chosen.sleep,
        )
        self.projects: Final = Projects(self._transport)
        self.users: Final = Users(self._transport)
        self.roles: Final = Roles(self._transport)
        self.role_bindings: Final = RoleBindings(self._transport)
        self.tokens: Final = Tokens(self._transport)
        self.flavors: Final = Reading(self._transport, f"{COMMON}/flavors", Flavor)
        self.images: Final = Reading(self._transport, f"{COMMON}/images", Image)
        self.clusters: Final = Reading(self._transport, f"{COMMON}/clusters", ClusterName)
        self.operator: Final = Operator(self._transport)

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._transport.connection.url

    def login(self, username: str, password: str) -> Session:
        """Exchange a user's name and password for a token, which this client uses from now on.

        Raises:
            NotAuthenticatedError: they are wrong, or the user is disabled.
        """
        body = {"username": username, "password": password}
        answer = self._transport.send(Call(method="POST", path=f"{COMMON}/login", body=body))
        session = decode(Session, answer.body)
        self._transport.token = session.token
        return session

    def logout(self) -> None:
        """Revoke the token."""
        self._transport.send(Call(method="POST", path=f"{COMMON}/logout"))
        self._transport.token = None

    def me(self) -> Me:
        """Return who the token stands for and what it may do."""
        return decode(Me, self._get(f"{COMMON}/me"))

    def organization(self) -> Organization:
        """Return the organization that the caller belongs to."""
        return decode(Organization, self._get(f"{TENANT}/organization"))

    def version(self) -> Version:
        """Return which platform this is; needs no token."""
        return decode(Version, self._get(f"{COMMON}/version"))

    def health(self) -> Health:
        """Tell whether requests can be served; needs no token. Raises UnavailableError when they cannot."""
        return decode(Health, self._get(f"{COMMON}/health"))

    def virtual_machines(self, project_id: str) -> VirtualMachines:
        """Return the calls for virtual machines of a project."""
        return VirtualMachines(
            project_collection(self._transport, project_id, "virtual-machines", "virtual_machine", VirtualMachine)
        )

    def networks(self, project_id: str) -> Networks:
        """Return the calls for networks of a project."""
        return Networks(project_collection(self._transport, project_id, "networks", "network", Network))

    def volumes(self, project_id: str) -> Volumes:
        """Return the calls for volumes of a project."""
        return Volumes(project_collection(self._transport, project_id, "volumes", "volume", Volume))

    def buckets(self, project_id: str) -> Buckets:
        """Return the calls for buckets of a project."""
        return Buckets(project_collection(self._transport, project_id, "buckets", "bucket", Bucket))

    def key_pairs(self, project_id: str) -> KeyPairs:
        """Return the calls for key pairs of a project."""
        return KeyPairs(project_collection(self._transport, project_id, "key-pairs", "key_pair", KeyPair))

    def resources(self, project_id: str, path: str, kind: type[T], *, member: str) -> GenericResources[T]:
        """Return the calls for a kind of resource that this package has no class for.

        Args:
            project_id: of the project.
            path: of the collection below the project, such as ``load-balancers``.
            kind: record of one resource: :class:`Resource`, or a frozen dataclass derived from it.
            member: that holds the resource in the answer to a change, such as ``load_balancer``.
        """
        return GenericResources(project_collection(self._transport, project_id, path, member, kind))

    def kinds(self) -> tuple[PlatformKind, ...]:
        """Return the kinds of resources that the platform has, those of plugins among them, with their fields."""
        return read_kinds(self._transport)

    def id_of(self, project_id: str, reference: Reference, wanted: str) -> str | None:
        """Return the id of what a field of a kind names by an id or name, None if there is none of that name."""
        return id_of(self._transport, project_id, reference, wanted)

    def jobs(self, project_id: str) -> Jobs:
        """Return the calls for jobs of a project."""
        return Jobs(self._transport, f"{TENANT}/projects/{segment(project_id)}/jobs")

    def quotas(self, project_id: str) -> Quotas:
        """Return limits and usage of a project and its organization."""
        return decode(Quotas, self._get(f"{TENANT}/projects/{segment(project_id)}/quotas"))

    def audit_events(self, project_id: str | None = None) -> AuditEvents:
        """Return the calls for the audit trail of a project, or of the organization without one."""
        owner = TENANT if project_id is None else f"{TENANT}/projects/{segment(project_id)}"
        return AuditEvents(self._transport, owner)

    def close(self) -> None:
        """Close the connections."""
        self._transport.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, path: str) -> object:
        return self._transport.send(Call(method="GET", path=path)).body
