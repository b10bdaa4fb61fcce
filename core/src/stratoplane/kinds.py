# SPDX-License-Identifier: Apache-2.0
"""Kinds of resources: what each may be asked for, what it takes of a quota, what it uses, and how a driver makes it.

A kind is a class; the built-in ones stand in the engine, a plugin adds its own by the hook ``stratoplane_kinds``.
Requests, the desired state (*spec*) and what is resolved between them are frozen dataclasses, so that the same class
is checked by the type checker, stored as JSON and read back. Everything here is pure: no database and no network.
"""

import abc
import functools
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar
from uuid import UUID

from stratoplane.compared_fields import ComparedField
from stratoplane.compute import ImageReference
from stratoplane.errors import InvalidSpecError, ResourceNotFoundError, Violation
from stratoplane.quota import UNLIMITED, Amount
from stratoplane.resources import CHANGEABLE, READY, ResourceStatus
from stratoplane.spec_changes import RENAME, SpecChange
from stratoplane.wire import from_json

Observed = Mapping[str, object]
"""What a driver reported of an object: JSON values, opaque but for the members that its kind reads."""


_S = ResourceStatus
_OF_JOBS = (_S.PENDING, _S.UPDATING, _S.DELETING, _S.FAILED, _S.LOST)


class Spec:
    """The desired state of a resource as it is stored, references resolved. Subclasses are frozen dataclasses.

    Members are JSON values, ids, enumerations, and tuples or further dataclasses of these.
    """

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceRequest:
    """What every create has. Subclasses add the kind's own members.

    Attributes:
        cluster: name of the cluster that the resource shall be on; empty to let the platform choose.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourcePatch:
    """What every change may have; None leaves a member as it is. Subclasses add the kind's own members."""

    name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """What a request points at, by id or name; all of it is looked up in one statement.

    Attributes:
        cidr: a range that no network of the project has yet; asking for one keeps other such requests of the project
            waiting until this transaction ends.
    """

    flavor: str = ""
    image: str = ""
    key_pair: str = ""
    cluster: str = ""
    resource_ids: tuple[UUID, ...] = ()
    cidr: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlavorReference:
    """A flavor as a request finds it."""

    id: UUID
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundImage:
    """An image as a request finds it.

    Attributes:
        reference: what a spec keeps of it: all that a driver needs, so that a later change of the image cannot matter.
        minimum_disk_gib: the smallest disk that it fits on, in GiB.
    """

    reference: ImageReference
    minimum_disk_gib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A resource that a request points at.

    Attributes:
        user_id: the resource that has it exclusively (a machine with a volume), None for nobody.
        cards: how many network cards of machines are on it, for a network.
    """

    id: UUID
    kind: str
    name: str
    status: ResourceStatus
    project_id: UUID
    cluster_id: UUID | None
    spec: Spec
    user_id: UUID | None = None
    cards: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedRange:
    """A network's name and range."""

    name: str
    cidr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedReferences:
    """Everything that the references led to; what was not found is absent.

    Attributes:
        resource_id: the resource that is changed, None for a new one.
        overlapping: a network whose range overlaps with the wanted one.
    """

    project_id: UUID
    resource_id: UUID | None = None
    flavor: FlavorReference | None = None
    image: FoundImage | None = None
    key_pair: Target | None = None
    overlapping: NamedRange | None = None
    targets: Mapping[UUID, Target] = field(default_factory=dict)

    def target(self, identifier: UUID, kind: str, pointer: str) -> Target:
        """Return the usable resource of ``kind`` that the member at ``pointer`` names.

        Raises:
            ResourceNotFoundError: there is none in this project; the caller lists what there is.
            InvalidSpecError: it is being deleted, failed or is lost.
        """
        found = self.targets.get(identifier)
        noun = display_name(kind)
        if found is None or found.kind != kind or found.project_id != self.project_id:
            raise ResourceNotFoundError(f"{pointer[1:]}: this project has no {noun} {identifier}; list its {noun}s")
        if found.status is not ResourceStatus.PENDING and found.status not in READY:
            raise invalid(pointer, f"{noun} {found.name} is {found.status}; choose one that is ready")
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One "uses" of a resource; ``pointer`` is the request's member that asks for it."""

    target_id: UUID
    role: str
    position: int
    pointer: str


SpecT = TypeVar("SpecT", bound=Spec)
RequestT = TypeVar("RequestT", bound=ResourceRequest)
PatchT = TypeVar("PatchT", bound=ResourcePatch)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft(Generic[SpecT]):
    """The desired state of a resource and what the cluster must have for it.

    Attributes:
        features: abilities that the cluster must have.
        pinned: clusters that the linked resources are on.
    """

    spec: SpecT
    features: frozenset[str] = frozenset()
    pinned: frozenset[UUID] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceSnapshot(Generic[SpecT]):
    """A resource as a workflow sees it: at the moment when its job was claimed.

    Attributes:
        quota_usage: what it takes of the quotas of its project and organization at present.
        generation: grows with every change of the spec; ``observed_generation`` is the one last seen at the provider.
    """

    id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    name: str
    status: ResourceStatus
    cluster_id: UUID | None
    spec: SpecT
    observed: Observed
    quota_usage: Amount
    generation: int
    observed_generation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """What an operator says of an object whose record is lost, beside what its driver shows.

    Attributes:
        name: of the resource, as it is to be called.
        cluster: name of the cluster that has the object.
        flavor, image: id or name of what the object was made from, where no driver shows it; empty if not given.
    """

    name: str
    cluster: str
    flavor: str = ""
    image: str = ""


class Kind(abc.ABC, Generic[SpecT, RequestT, PatchT]):
    """One kind of resource: a subclass says everything that the engine does not know of it.

    Attributes:
        name: stored with every resource and part of its workflows' names, as ``virtual_machine``.
        interface: the driver interface that makes it; None for what only the platform knows.
        quota_key: counts the resources of this kind. What a resource takes is counted in it and in the keys of
            :class:`stratoplane.quota.QuotaKey`.
        default_limit: of an organization for ``quota_key``; unlimited unless the kind says otherwise.
        spec: class of the desired state; ``request`` of a create, ``patch`` of a change. ``metadata`` of their fields
            may hold ``description``, ``least`` and ``most`` (of a number, or of the length of text and lists) and
            ``pattern`` (of text); the API checks requests by them and documents them. A member that both have is
            checked in a change as in a create: its rules stand in ``request``.
        view: dataclass of the members that people see of a resource beside those that every resource has; the spec's
            members unless the kind names others.
        compared: the fields that the reconciler compares.
        changes: what can be asked of an existing resource beside another name. A member of ``patch`` that none of them
            is about, and that the spec has under the same name, is changed by a job named ``set_`` and the member.
        stable: every status that :meth:`status` returns.
    """

    name: ClassVar[str]
    interface: ClassVar[str | None]
    quota_key: ClassVar[str]
    default_limit: ClassVar[int] = UNLIMITED
    spec: ClassVar[type[Spec]]
    request: ClassVar[type[ResourceRequest]]
    patch: ClassVar[type[ResourcePatch]]
    view: ClassVar[type[Any] | None] = None  # any dataclass
    compared: ClassVar[tuple[ComparedField, ...]] = ()
    changes: ClassVar[tuple[SpecChange, ...]] = ()
    stable: ClassVar[tuple[ResourceStatus, ...]] = (ResourceStatus.ACTIVE,)

    @abc.abstractmethod
    def references(self, wanted: RequestT | PatchT) -> References:
        """Return what a request points at. Raises InvalidSpecError."""

    @abc.abstractmethod
    def draft(self, wanted: RequestT, found: ResolvedReferences) -> Draft[SpecT]:
        """Return the draft of a new resource.

        Raises:
            InvalidSpecError, ResourceNotFoundError, InUseError: what the request names is wrong, absent or taken.
        """

    @abc.abstractmethod
    def redraft(self, present: SpecT, change: PatchT, found: ResolvedReferences) -> Draft[SpecT]:
        """Return the draft after a change of ``present``. Raises as :meth:`draft`."""

    @abc.abstractmethod
    def quota_usage(self, spec: SpecT) -> Amount:
        """Return what a resource with this spec takes of the quotas of its project and organization."""

    def driver_spec(self, resource: ResourceSnapshot[SpecT]) -> object:  # noqa: ARG002  # for subclasses
        """Return the driver's specification of a resource: a dataclass of the driver contract.

        Every kind with an ``interface`` has it.
        """
        raise TypeError(f"no driver makes a {display_name(self.name)}")

    def uses(self, spec: SpecT) -> tuple[Link, ...]:  # noqa: ARG002  # for subclasses
        """Return what a resource with this spec uses; nothing by default."""
        return ()

    def status(self, observed: Observed) -> ResourceStatus:  # noqa: ARG002  # for subclasses
        """Return the stable status that an observed state means, one of ``stable``; ACTIVE by default."""
        return ResourceStatus.ACTIVE

    def runs(self, spec: SpecT, status: ResourceStatus) -> bool:  # noqa: ARG002  # for subclasses
        """Tell whether a resource is, or is about to be, in use, so that a change can interrupt it."""
        return status in CHANGEABLE

    def adopted(self, observed: Observed, name: str, cluster: str) -> RequestT | None:  # noqa: ARG002  # for subclasses
        """Return the request that would have made the object that a driver shows; None if the kind is not adopted.

        Raises:
            InvalidSpecError: the platform could not have made such an object.
            KeyError, TypeError: the driver does not show all that the request needs.
        """
        return None

    def recovered(self, observed: Observed, wanted: Recovery) -> RequestT | None:
        """Return the request that would have made an object of ours whose record is lost; None if it takes more.

        The same as for a foreign object by default, so that what can be adopted can be recovered. Raises as
        :meth:`adopted`.
        """
        return self.adopted(observed, wanted.name, wanted.cluster)

    def shown(self, spec: SpecT, observed: Observed) -> Mapping[str, object]:
        """Return the members of ``view`` for people: each from the spec if it has one of the name, else as observed."""
        found = {name: getattr(spec, name) for name in (each.name for each in fields(self.spec))}  # type: ignore[arg-type]  # every spec is a dataclass
        if self.view is None:
            return found
        given = {**observed, **found}
        return {each.name: given[each.name] if each.name in given else _default(each) for each in fields(self.view)}

    @functools.cached_property
    def all_changes(self) -> tuple[SpecChange, ...]:
        """Everything that can be asked of an existing resource by its own name."""
        about = {member for change in self.changes for member in change.members}
        asked = [each.name for each in fields(self.patch) if each.name not in ResourcePatch.__dataclass_fields__]
        plain = {each.name for each in fields(self.spec)} - about  # type: ignore[arg-type]  # every spec is a dataclass
        return (
            RENAME,
            *self.changes,
            *(SpecChange(verb=f"set_{name}", members=(name,)) for name in asked if name in plain),
        )

    @property
    def plural(self) -> str:
        """The name for several, as in the names of operations and, with hyphens, in paths."""
        return f"{self.name}s"

    @property
    def listed_statuses(self) -> tuple[ResourceStatus, ...]:
        """Every status in which a list can show a resource of the kind; without a driver, there are no jobs."""
        return self.stable if self.interface is None else (*_OF_JOBS, *self.stable)

    @property
    def is_adoptable(self) -> bool:
        """Whether foreign objects of this kind can become resources."""
        return type(self).adopted is not Kind.adopted

    def read_request(self, body: Mapping[str, object]) -> RequestT:
        """Return the request that the members of ``body`` make. Raises InvalidSpecError."""
        return from_json(self.request, body)  # type: ignore[return-value]  # the class says which request it takes

    def read_patch(self, body: Mapping[str, object]) -> PatchT:
        """Return the change that the members of ``body`` make. Raises InvalidSpecError."""
        return from_json(self.patch, body)  # type: ignore[return-value]  # the class says which change it takes


AnyKind: TypeAlias = Kind[Any, Any, Any]
"""A kind whatever its spec is: what a registry holds. A kind takes only its own requests, so no bound would do."""


def _default(member: Field[object]) -> object:
    if member.default_factory is not MISSING:
        return member.default_factory()
    return None if member.default is MISSING else member.default


def display_name(kind: str) -> str:
    """Return a kind's name as people read it: ``virtual machine``."""
    return kind.replace("_", " ")


def invalid(pointer: str, detail: str) -> InvalidSpecError:
    """Return the error for one wrong member."""
    return InvalidSpecError(detail, [Violation(pointer=pointer, detail=detail)])
