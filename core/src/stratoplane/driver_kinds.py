# SPDX-License-Identifier: Apache-2.0
"""Kinds of objects that drivers keep: which class of a contract has their verbs, with which values.

The built-in kinds and those of plugins are rows of the same table. A distribution that adds a kind offers one
:class:`DriverKind` through an entry point of the group :data:`KIND_GROUP`; an agent whose settings enable the kind
carries out its verbs and lists its objects like those of a built-in one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol
from uuid import UUID

from stratoplane.compute import ComputeDriver, ConsoleOps, MachineSpec, MachineStatus, RebootOps, ResizeOps
from stratoplane.drivers import Ability, Driver, Interface
from stratoplane.foreign import Adoption, ImportOps
from stratoplane.network import NetworkDriver, NetworkSpec, NetworkStatus
from stratoplane.resources import PowerState
from stratoplane.storage import BucketOps, BucketSpec, BucketStatus, StorageDriver, VolumeSpec, VolumeStatus

KIND_GROUP: Final = "stratoplane.driver_kinds"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED_INTERFACES: Final = frozenset({"driver_kinds", "plugins"})
_NOTHING: Final = type(None)


class ObjectSpec(Protocol):
    """An object as it should be: a frozen dataclass that :mod:`stratoplane.wire` can read."""

    @property
    def uid(self) -> UUID:
        """Return our id of the object, its identity at the provider."""


class ObjectStatus(Protocol):
    """An object as it is: a frozen dataclass that :mod:`stratoplane.wire` can write."""

    @property
    def uid(self) -> UUID:
        """Return our id of the object."""

    def drift(self, spec: Any) -> frozenset[str]:  # the kind's own specification, which no protocol can name
        """Return the names of the fields in which the object differs from ``spec``."""


class WrongAnswerError(Exception):
    """A driver returned something that its contract does not allow: a bug of the driver."""


class Effect(Enum):
    """What a verb does to the object, which decides how the agent resolves an uncertain result."""

    READS = auto()
    """Nothing: an uncertain reading is repeated."""
    APPLIES = auto()
    """Afterwards the object is as its specification says, which observation can tell."""
    REMOVES = auto()
    """Afterwards the object is absent, which observation can tell."""
    UNOBSERVABLE = auto()
    """Observation cannot tell whether it took effect: an uncertain result stays uncertain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverVerb:
    """One verb of a kind and the driver method that carries it out.

    Attributes:
        name: the verb as operations name it (``create``, ``resize``, ``console_log`` ...).
        method: name of the driver's method.
        ability: the class of the contract that declares ``method``: the kind's driver class, or an
            :class:`~stratoplane.drivers.Ability` that drivers may lack.
        takes: dataclass that ``method`` is called with (it has a ``uid``); None if it is called with the uid alone.
        answers: what ``method`` may return besides Wait: the kind's status class, ``str`` for text, NoneType.
    """

    name: str
    method: str
    ability: type[object]
    effect: Effect
    takes: type[ObjectSpec] | None
    answers: tuple[type[object], ...]

    @property
    def feature(self) -> str:
        """Name of the optional ability that is needed, empty for what every driver of the kind can do."""
        return str(self.ability.feature) if issubclass(self.ability, Ability) else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindMethods:
    """Names of the driver methods for the verbs of every kind, where one driver class keeps several kinds."""

    observe: str = "observe"
    create: str = "create"
    update: str = "update"
    delete: str = "delete"
    list_all: str = "list"


def _always_complete(_status: Any, _spec: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverKind:
    """A kind of object that drivers keep.

    Attributes:
        name: the kind as resources and operations name it: lower case letters, digits and underscores. For a kind of a
            plugin it is also the entry point's name.
        interface: name of the driver interface; drivers are entry points of the group ``stratoplane.<interface>``.
        driver: abstract class with ``observe``, ``create``, ``update``, ``delete`` and ``list``. Either a subclass of
            :class:`~stratoplane.drivers.Driver`, which makes it the contract of ``interface``, or an
            :class:`~stratoplane.drivers.Ability` of drivers of an interface that another kind brought.
        spec: dataclass of the specification, which ``create`` and ``update`` take.
        status: dataclass of the status, with ``uid`` and ``drift``.
        methods: names of the five methods, if they are not those of the verbs.
        more_verbs: verbs beside the four that every kind has.
        is_complete: tells whether an object without drift (first argument the status, second the specification) is
            ready, for kinds that have something to wait for that is not part of the specification.
    """

    name: str
    interface: str
    driver: type[object]
    spec: type[ObjectSpec]
    status: type[ObjectStatus]
    methods: KindMethods = KindMethods()
    more_verbs: tuple[DriverVerb, ...] = ()
    is_complete: Callable[[Any, Any], bool] = _always_complete

    @property
    def is_primary(self) -> bool:
        """Whether the kind's driver class is the contract of its interface, and not an ability of its drivers."""
        return issubclass(self.driver, Driver)

    def checked(self, answer: object, method: str) -> ObjectStatus:
        """Return what a driver's ``method`` answered as a status of this kind. Raises WrongAnswerError."""
        if not isinstance(answer, self.status):
            raise WrongAnswerError(f"{method} returned {type(answer).__name__}, not {self.status.__name__}")
        return answer

    @property
    def verbs(self) -> tuple[DriverVerb, ...]:
        """Every verb of the kind; adoption is one of the kind that the interface's contract is about."""
        return (
            self._verb("observe", self.methods.observe, Effect.READS, None, (self.status, _NOTHING)),
            self._verb("create", self.methods.create, Effect.APPLIES, self.spec, (self.status,)),
            self._verb("update", self.methods.update, Effect.APPLIES, self.spec, (self.status,)),
            self._verb("delete", self.methods.delete, Effect.REMOVES, None, (_NOTHING,)),
            *(self._adoption if self.is_primary else ()),
            *self.more_verbs,
        )

    @property
    def _adoption(self) -> tuple[DriverVerb, ...]:
        """The verbs that make a foreign object ours, and foreign again."""
        return (
            DriverVerb(
                name="adopt",
                method="adopt",
                ability=ImportOps,
                effect=Effect.APPLIES,
                takes=Adoption,
                answers=(self.status,),
            ),
            DriverVerb(
                name="release",
                method="release",
                ability=ImportOps,
                effect=Effect.REMOVES,
                takes=None,
                answers=(_NOTHING,),
            ),
        )

    def _verb(
        self, name: str, method: str, effect: Effect, takes: type[ObjectSpec] | None, answers: tuple[type[object], ...]
    ) -> DriverVerb:
        return DriverVerb(name=name, method=method, ability=self.driver, effect=effect, takes=takes, answers=answers)


class DriverKinds:
    """The kinds that a program knows, by their names, and the contract of each interface."""

    def __init__(self, kinds: Iterable[DriverKind]) -> None:
        """Build the table. The kinds must not contradict one another, see :func:`kind_problem`."""
        self._kinds: Final[Mapping[str, DriverKind]] = {kind.name: kind for kind in kinds}
        self._verbs: Final[Mapping[tuple[str, str], DriverVerb]] = {
            (kind.name, verb.name): verb for kind in self for verb in kind.verbs
        }

    def __iter__(self) -> Iterator[DriverKind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> DriverKind | None:
        """Return the kind of this name, None if it is unknown."""
        return self._kinds.get(name)

    def verb(self, kind: str, name: str) -> DriverVerb | None:
        """Return a kind's verb, None if the kind or the verb is unknown."""
        return self._verbs.get((kind, name))

    def contract_of(self, interface: str) -> type[Driver] | None:
        """Return the class that drivers of an interface must inherit, None if no kind brings the interface."""
        for kind in self:
            if kind.interface == interface and issubclass(kind.driver, Driver):
                return kind.driver
        return None

    def with_kind(self, kind: DriverKind) -> "DriverKinds":
        """Return a table that has ``kind``, too."""
        return DriverKinds([*self, kind])


def kind_problem(candidate: object, name: str, known: DriverKinds) -> str:
    """Return why the object behind the entry point ``name`` cannot join the kinds ``known``, empty if it can."""
    if not isinstance(candidate, DriverKind):
        return f"{candidate!r} is not a {DriverKind.__module__}.{DriverKind.__qualname__}"
    if candidate.name != name:
        return f"the entry point is named {name}, but its kind {candidate.name}"
    if known.get(name) is not None:
        return f"the kind {name} already exists"
    return _interface_problem(candidate, known) or _methods_problem(candidate)


def _interface_problem(kind: DriverKind, known: DriverKinds) -> str:
    for text in (kind.name, kind.interface):
        if not _NAME.fullmatch(text) or text in _RESERVED_INTERFACES:
            return f"{text!r} cannot name a kind or an interface: use lower case letters, digits and underscores"
    contract = known.contract_of(kind.interface)
    if issubclass(kind.driver, Driver):
        if contract is not None:
            taken = f"{contract.__module__}.{contract.__qualname__}"
            return f"the interface {kind.interface} has a contract already: {taken}"
        if getattr(kind.driver, "interface", "") != kind.interface:
            return f"{kind.driver.__qualname__}.interface must be {kind.interface!r}"
        return ""
    if not issubclass(kind.driver, Ability):
        return f"{kind.driver.__qualname__} must inherit stratoplane.drivers.Driver or stratoplane.drivers.Ability"
    return "" if contract else f"no kind enabled before this one brings the interface {kind.interface}"


def _methods_problem(kind: DriverKind) -> str:
    wanted = [(verb.ability, verb.method) for verb in kind.verbs] + [(kind.driver, kind.methods.list_all)]
    missing = [f"{ability.__qualname__}.{method}" for ability, method in wanted if not hasattr(ability, method)]
    return f"missing methods: {', '.join(missing)}" if missing else ""


def _has_its_addresses(status: MachineStatus, spec: MachineSpec) -> bool:
    """Tell whether every card of a running machine has an address; a stopped machine need not have any."""
    if spec.power is not PowerState.RUNNING:
        return True
    return {each.mac.lower() for each in spec.interfaces} <= {each.mac.lower() for each in status.addresses}


VIRTUAL_MACHINE: Final = DriverKind(
    name="virtual_machine",
    interface=Interface.COMPUTE,
    driver=ComputeDriver,
    spec=MachineSpec,
    status=MachineStatus,
    is_complete=_has_its_addresses,
    more_verbs=(
        # A status does not show the size of the root disk, so observation cannot tell whether a resize is through.
        DriverVerb(
            name="resize",
            method="resize",
            ability=ResizeOps,
            effect=Effect.UNOBSERVABLE,
            takes=MachineSpec,
            answers=(MachineStatus,),
        ),
        DriverVerb(
            name="reboot",
            method="reboot",
            ability=RebootOps,
            effect=Effect.UNOBSERVABLE,
            takes=None,
            answers=(_NOTHING,),
        ),
        DriverVerb(
            name="console_log",
            method="console_log",
            ability=ConsoleOps,
            effect=Effect.READS,
            takes=None,
            answers=(str,),
        ),
    ),
)
NETWORK: Final = DriverKind(
    name="network", interface=Interface.NETWORK, driver=NetworkDriver, spec=NetworkSpec, status=NetworkStatus
)
VOLUME: Final = DriverKind(
    name="volume", interface=Interface.STORAGE, driver=StorageDriver, spec=VolumeSpec, status=VolumeStatus
)
BUCKET: Final = DriverKind(
    name="bucket",
    interface=Interface.STORAGE,
    driver=BucketOps,
    spec=BucketSpec,
    status=BucketStatus,
    methods=KindMethods(
        observe="observe_bucket",
        create="create_bucket",
        update="update_bucket",
        delete="delete_bucket",
        list_all="list_buckets",
    ),
)
BUILT_IN_KINDS: Final = DriverKinds((VIRTUAL_MACHINE, NETWORK, VOLUME, BUCKET))
"""The kinds of the platform itself; they need no entry point and are always enabled."""
