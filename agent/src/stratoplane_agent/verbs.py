# SPDX-License-Identifier: Apache-2.0
"""Which driver method carries out which operation: one row for each kind and verb."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

from stratoplane.compute import (
    ComputeDriver,
    ConsoleOps,
    MachineSpec,
    MachineStatus,
    RebootOps,
    ResizeOps,
)
from stratoplane.drivers import Ability, Interface
from stratoplane.errors import InvalidSpecError, Violation
from stratoplane.foreign import Adoption, ImportOps
from stratoplane.messages import Operation
from stratoplane.network import NetworkDriver, NetworkSpec, NetworkStatus
from stratoplane.storage import BucketOps, BucketSpec, BucketStatus, StorageDriver, VolumeSpec, VolumeStatus
from stratoplane.wire import from_json


class Effect(Enum):
    """What a verb does to the object, and so how a doubtful ending is cleared up."""

    NONE = auto()
    """It only reads: a doubtful reading had no effect."""
    MAKES = auto()
    """Afterwards the object is as its specification says."""
    REMOVES = auto()
    """Afterwards the object is absent."""
    BLIND = auto()
    """Observation does not show whether it happened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of object: whose drivers keep it, by which class, with which values and methods.

    Attributes:
        keeper: the class of the contract that has the methods; a driver that is no instance lacks the ability.
    """

    name: str
    interface: Interface
    keeper: type[Any]
    spec: type[Any]
    status: type[Any]
    observe: str = "observe"
    listing: str = "list"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """One row of the table.

    Attributes:
        ability: the class of the contract that has ``method``.
        takes: class of what ``method`` wants, the specification or an adoption; None if it wants the uid.
        answers: types of the method's answer when it is no Wait.
    """

    kind: Kind
    name: str
    ability: type[Any]
    method: str
    effect: Effect
    takes: type[Any] | None
    answers: tuple[type[Any], ...]

    @property
    def feature(self) -> str:
        """Name of the optional ability that is needed, empty for what every driver can do."""
        return str(self.ability.feature.value) if issubclass(self.ability, Ability) else ""

    def argument(self, operation: Operation) -> Any:  # a specification or a uid
        """Return what the method is called with. Raises InvalidSpecError."""
        if self.takes is None:
            return operation.uid
        spec = from_json(self.takes, operation.spec)
        if spec.uid != operation.uid:
            detail = f"/uid: the specification is of {spec.uid}, the operation of {operation.uid}"
            raise InvalidSpecError(detail, [Violation(pointer="/uid", detail=detail)])
        return spec


MACHINE: Final = Kind(
    name="virtual_machine",
    interface=Interface.COMPUTE,
    keeper=ComputeDriver,
    spec=MachineSpec,
    status=MachineStatus,
)
NETWORK: Final = Kind(
    name="network", interface=Interface.NETWORK, keeper=NetworkDriver, spec=NetworkSpec, status=NetworkStatus
)
VOLUME: Final = Kind(
    name="volume", interface=Interface.STORAGE, keeper=StorageDriver, spec=VolumeSpec, status=VolumeStatus
)
BUCKET: Final = Kind(
    name="bucket",
    interface=Interface.STORAGE,
    keeper=BucketOps,
    spec=BucketSpec,
    status=BucketStatus,
    observe="observe_bucket",
    listing="list_buckets",
)
KINDS: Final = (MACHINE, NETWORK, VOLUME, BUCKET)
_NOTHING: Final = type(None)


def _row(
    kind: Kind,
    name: str,
    effect: Effect,
    *answers: type[Any],
    method: str = "",
    ability: type[Any] | None = None,
    takes: type[Any] | None = None,
) -> Verb:
    return Verb(
        kind=kind,
        name=name,
        ability=ability or kind.keeper,
        method=method or name,
        effect=effect,
        takes=takes or (kind.spec if kind.status in answers and effect is not Effect.NONE else None),
        answers=answers,
    )


def _four(kind: Kind, suffix: str = "") -> tuple[Verb, ...]:
    """Return the verbs that every kind has."""
    return (
        _row(kind, "observe", Effect.NONE, kind.status, _NOTHING, method=f"observe{suffix}"),
        _row(kind, "create", Effect.MAKES, kind.status, method=f"create{suffix}"),
        _row(kind, "update", Effect.MAKES, kind.status, method=f"update{suffix}"),
        _row(kind, "delete", Effect.REMOVES, _NOTHING, method=f"delete{suffix}"),
    )


def _import(kind: Kind) -> tuple[Verb, ...]:
    """Return the verbs by which a foreign object becomes ours and foreign again."""
    return (
        _row(kind, "adopt", Effect.MAKES, kind.status, ability=ImportOps, takes=Adoption),
        _row(kind, "release", Effect.REMOVES, _NOTHING, ability=ImportOps),
    )


_ROWS: Final = (
    *_four(MACHINE),
    *_four(NETWORK),
    *_four(VOLUME),
    *_four(BUCKET, "_bucket"),
    *_import(MACHINE),
    *_import(NETWORK),
    *_import(VOLUME),
    # A status does not show the size of the root disk, so observation cannot tell whether a resize is through.
    _row(MACHINE, "resize", Effect.BLIND, MachineStatus, ability=ResizeOps),
    _row(MACHINE, "reboot", Effect.BLIND, _NOTHING, ability=RebootOps),
    _row(MACHINE, "console_log", Effect.NONE, str, ability=ConsoleOps),
)
VERBS: Final[Mapping[tuple[str, str], Verb]] = MappingProxyType({(row.kind.name, row.name): row for row in _ROWS})
