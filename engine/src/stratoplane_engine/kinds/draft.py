# SPDX-License-Identifier: Apache-2.0
"""What a kind makes of a request: the draft that the accepting transaction writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from stratoplane.drivers import Interface
from stratoplane.errors import InvalidSpecError, ResourceNotFoundError, Violation
from stratoplane.quota import Amount, QuotaKey
from stratoplane.resources import READY, ResourceStatus

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """What a request points at, by id or name; the gathering query looks all of it up at once.

    Attributes:
        cidr: a range that no network of the project has yet; asking for one keeps other such requests of the project
            waiting until this transaction ends.
    """

    flavor: str = ""
    image: str = ""
    key_pair: str = ""
    cluster: str = ""
    resource_ids: tuple[str, ...] = ()
    cidr: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A resource that a request points at, as the gathering query found it."""

    id: UUID
    kind: str
    name: str
    status: ResourceStatus
    project_id: UUID
    cluster_id: UUID | None
    spec: Json
    volume_user_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Everything that the references led to; what was not found is absent.

    Attributes:
        resource_id: the resource that is changed, None for a new one.
        overlapping: ``name`` and ``cidr`` of a network whose range overlaps with the wanted one.
    """

    project_id: UUID
    resource_id: UUID | None = None
    flavor: Json | None = None
    image: Json | None = None
    key_pair: Target | None = None
    overlapping: Json | None = None
    targets: Mapping[UUID, Target] = field(default_factory=dict)

    def target(self, identifier: UUID, kind: str, pointer: str) -> Target:
        """Return the usable resource of ``kind`` that the member at ``pointer`` names.

        Raises:
            ResourceNotFoundError: there is none in this project; the caller lists what there is.
            InvalidSpecError: it is on its way out or failed.
        """
        found = self.targets.get(identifier)
        words = kind.replace("_", " ")
        if found is None or found.kind != kind or found.project_id != self.project_id:
            raise absent(identifier, kind, pointer)
        if found.status is not ResourceStatus.PENDING and found.status not in READY:
            problem = f"{words} {found.name} is {found.status}; choose one that is in use order"
            raise InvalidSpecError(problem, [Violation(pointer=pointer, detail=problem)])
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One "uses" of a resource; ``pointer`` is the request's member that asks for it."""

    target_id: UUID
    role: str
    position: int
    pointer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The desired state of a resource and what it takes.

    Attributes:
        spec: desired state as it is stored, references resolved.
        features: abilities that the cluster must have.
        pinned: clusters that the linked resources are on.
    """

    spec: Json
    features: frozenset[str] = frozenset()
    pinned: frozenset[UUID] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        name: stored with every resource and part of its workflows' names.
        interface: the driver interface that makes it, None for what only the platform knows.
        count: the quota key that counts objects of this kind.
        changeable: members of a PATCH beside ``name`` and ``labels``.
        references: reads what a request points at; the second argument is the present spec, None for a new one.
        draft: makes the draft of a new resource from the request's body.
        redraft: makes the draft after a change, from the present spec and the PATCH.
        quota_usage: what a resource with this spec takes of the quotas of its project and organization.
        uses: what a resource with this spec uses.
        driver_spec: the driver's specification (JSON values) of a resource.
        describe: the kind's own members of the wire form, from spec and observed.
        status: the stable status that an observed state means.
        adopted: the members of a request that would have made the object that a driver shows; None if objects of
            this kind are not adopted.
    """

    name: str
    interface: Interface | None
    count: QuotaKey
    changeable: frozenset[str] = frozenset()
    references: Callable[[Json, Json | None], References]
    draft: Callable[[Json, Gathered], Draft]
    redraft: Callable[[Json, Json, Gathered], Draft]
    quota_usage: Callable[[Json], Amount]
    uses: Callable[[Json], tuple[Link, ...]] = lambda _spec: ()
    driver_spec: "Callable[[ResourceSnapshot], Json]"
    describe: Callable[[Json, Json], Json]
    status: Callable[[Json], ResourceStatus] = lambda _observed: ResourceStatus.ACTIVE
    adopted: Callable[[Json], Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceSnapshot:
    """A resource as a workflow sees it."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    name: str
    status: ResourceStatus
    cluster_id: UUID | None
    spec: Json
    observed: Json
    quota_usage: Json
    generation: int
    observed_generation: int


def invalid(pointer: str, detail: str) -> InvalidSpecError:
    """Return the error for one wrong member."""
    return InvalidSpecError(detail, [Violation(pointer=pointer, detail=detail)])


def absent(identifier: object, kind: str, pointer: str) -> ResourceNotFoundError:
    """Return the error for an id, named at ``pointer``, that no resource of ``kind`` in the project has."""
    words = kind.replace("_", " ")
    return ResourceNotFoundError(f"{pointer[1:]}: this project has no {words} {identifier}; list its {words}s")


def image_reference(image: Json) -> Json:
    """Return what a spec keeps of an image: all that a driver needs, so that a later change of it cannot matter."""
    return {key: str(image[column]) for key, column in _IMAGE_COLUMNS.items()}


_IMAGE_COLUMNS: Final = {"uid": "id", "name": "name", "source": "source", "format": "format", "sha256": "sha256"}
