# SPDX-License-Identifier: Apache-2.0
"""Who wants to change a resource of which kind, and what was found for the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from stratoplane.audit import AuditAction
from stratoplane.errors import ResourceDeletedError, ResourceNotFoundError
from stratoplane.hookspecs import AdmissionRequest
from stratoplane.kinds import AnyKind, Observed, References, Spec, display_name
from stratoplane.wire import to_json
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.references import Lookup, Resolution, resolve_references
from stratoplane_engine.model.cluster import PlacementCluster
from stratoplane_engine.model.resource import Resource
from stratoplane_engine.plugins import Plugins
from stratoplane_engine.services.placement import candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRequest:
    """Who asks, for which kind of resource in which project, and the plugins that have a say."""

    context: RequestContext
    project_id: UUID
    kind: AnyKind
    plugins: Plugins

    @property
    def noun(self) -> str:
        """The kind's name as people read it."""
        return display_name(self.kind.name)

    def require(self, permission: Permission = Permission.RESOURCE_WRITE) -> None:
        """Go on only if the caller has the permission in the project. Raises as :func:`.authorization.require`."""
        require(self.context, permission, organization_id=self.context.organization_id, project_id=self.project_id)

    def resolve(
        self, connection: Connection, references: References | None = None, resource_id: UUID | None = None
    ) -> Resolution:
        """Look up what the request names, behind the lock of the resource that it changes.

        Raises:
            ResourceNotFoundError: there is no such project.
        """
        key = self.context.idempotency.key if self.context.idempotency and not self.context.dry_run else ""
        lookup = Lookup(
            organization_id=self.context.organization_id,
            project_id=self.project_id,
            actor_id=self.context.actor.id,
            kind=self.kind.name,
            interface=self.kind.interface or "",
            references=references or References(),
            idempotency_key=key,
            resource_id=resource_id,
        )
        found = resolve_references(connection, lookup)
        if found.project_name is None:
            raise ResourceNotFoundError(f"there is no project {self.project_id}; list the projects")
        return found

    def admit(self, action: str, resource: Resource[Spec], *, previous_name: str | None = None) -> AdmissionRequest:
        """Ask the plugins whether the resource may become what it is here, and return what they were asked.

        Raises:
            AdmissionRefusedError: with every plugin's violations.
        """
        request = AdmissionRequest(
            action=action,
            kind=resource.kind,
            name=resource.name,
            previous_name=previous_name,
            organization_id=resource.organization_id,
            project_id=resource.project_id,
            actor=self.context.actor.name,
            spec=to_json(resource.spec),
            labels=resource.labels,
        )
        self.plugins.admit(request)
        return request

    def place(self, admission: AdmissionRequest, clusters: Sequence[PlacementCluster]) -> PlacementCluster:
        """Return the cluster that a plugin chooses, or else the first one.

        Raises:
            AdmissionRefusedError: a plugin broke or chose what is not among them.
        """
        chosen = self.plugins.place(admission, [candidate(each) for each in clusters])
        return next((each for each in clusters if each.id == chosen), clusters[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class CreationSource:
    """Where a new resource's object comes from.

    Attributes:
        verb: last part of the workflow's name.
        audited: what the audit trail calls it.
        given: the job's input.
        features: abilities that the cluster must have for it.
        uid: the object's id, None for a new one.
        generation: of the deleted record that the object already has, 0 without one.
        observed: the object as its driver shows it, where it is there before the resource; what cannot be corrected
            of it must be as desired.
    """

    verb: str
    audited: AuditAction
    given: Mapping[str, object] = field(default_factory=dict)
    features: frozenset[str] = frozenset()
    uid: UUID | None = None
    generation: int = 0
    observed: Observed | None = None


DRIVER_CREATED: Final = CreationSource(verb="create", audited=AuditAction.RESOURCE_CREATE_ACCEPTED)
"""The cluster's driver makes it."""


def existing(found: Resource[Spec] | None, kind: str, resource_id: UUID) -> Resource[Spec]:
    """Return the resource that was found, if it is there and not deleted.

    Raises:
        ResourceNotFoundError: the project has none with the id; ResourceDeletedError: it had one.
    """
    noun = display_name(kind)
    if found is None:
        raise ResourceNotFoundError(f"this project has no {noun} {resource_id}; list its {noun}s")
    if found.deleted_at is not None:
        when = found.deleted_at.isoformat().replace("+00:00", "Z")
        raise ResourceDeletedError(f"{noun} {found.name} was deleted at {when}; create another one")
    return found
