# SPDX-License-Identifier: Apache-2.0
"""What happens to objects behind the platform's back."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from stratoplane.compute import ImageReference, MachineSpec
from stratoplane.ids import new_id
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane.resources import PowerState
from stratoplane.storage import BucketSpec, VolumeSpec
from stratoplane_mock import buckets, console, machine_table, machines, networks, volumes
from stratoplane_mock.hosts import claim_storage
from stratoplane_mock.ownership import Tenancy
from stratoplane_mock.rules import Fault, Kind
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import Row, Transaction

FOREIGN_INSTALLATION: Final = UUID("f0f0f0f0-f0f0-4f0f-8f0f-f0f0f0f0f0f0")
"""Installation that owns foreign objects."""


def kind_of(transaction: Transaction, uid: UUID) -> Kind | None:
    """Return the kind of the object ``uid``, None if it does not exist."""
    return next((kind for kind in Kind if _row(transaction, kind, uid) is not None), None)


def vanish(transaction: Transaction, kind: Kind, uid: UUID) -> None:
    """Remove an object, whoever uses it."""
    row = _row(transaction, kind, uid)
    if row is None:
        return
    if kind is Kind.MACHINE:
        machine_table.remove(transaction, row)
        return
    if kind is Kind.NETWORK:
        transaction.run("DELETE FROM card WHERE network = ?", str(uid))
    if kind is Kind.VOLUME:
        claim_storage(transaction, -row["size_gib"])
    transaction.run(f"DELETE FROM {kind} WHERE uid = ?", str(uid))  # noqa: S608  # a member of Kind


def switch(transaction: Transaction, uid: UUID, power: PowerState) -> None:
    """Turn a machine on or off, as somebody at the provider's own console does."""
    row = _row(transaction, Kind.MACHINE, uid)
    if row is not None:
        transaction.run(
            "UPDATE machine SET power = ?, power_at = ?, started_at = ? WHERE uid = ?",
            power.value,
            transaction.now,
            transaction.now if power is PowerState.RUNNING else None,
            str(uid),
        )
        console.note(transaction, row, console.Event.BOOT if power is PowerState.RUNNING else console.Event.STOP)


def drift(transaction: Transaction, kind: Kind, uid: UUID) -> None:
    """Flip a machine's power, or turn a network off; other kinds stay unchanged."""
    row = _row(transaction, kind, uid)
    if row is not None and kind is Kind.MACHINE:
        running = machine_table.power_of(row, transaction.now) is PowerState.RUNNING
        switch(transaction, uid, PowerState.STOPPED if running else PowerState.RUNNING)
    if kind is Kind.NETWORK:
        transaction.run("UPDATE network SET active = 0 WHERE uid = ?", str(uid))


def rename(transaction: Transaction, kind: Kind, uid: UUID, name: str) -> None:
    """Rename an object."""
    transaction.run(f"UPDATE {kind} SET name = ? WHERE uid = ?", name, str(uid))  # noqa: S608


def hide(transaction: Transaction, kind: Kind, uid: UUID, seconds: float) -> None:
    """Make an object invisible for a while."""
    until = transaction.now + seconds
    transaction.run(f"UPDATE {kind} SET hidden_until = ? WHERE uid = ?", until, str(uid))  # noqa: S608


def add(transaction: Transaction, kind: Kind, installation: UUID = FOREIGN_INSTALLATION) -> UUID:
    """Add an object with the mark of ``installation`` that its platform does not know, and return its uid."""
    tenancy = Tenancy(installation=str(installation), settings=MockSettings())
    uid, project_id = new_id(), uuid4()
    name = f"stray-{uid.hex[-6:]}"
    if kind is Kind.MACHINE:
        image = ImageReference(uid=new_id(), name="stray", source="stray.qcow2")
        machine = MachineSpec(
            uid=uid, project_id=project_id, name=name, vcpus=1, memory_mib=512, root_gib=1, image=image
        )
        machines.create(transaction, tenancy, machine)
    elif kind is Kind.NETWORK:
        network = NetworkSpec(
            uid=uid,
            project_id=project_id,
            name=name,
            cidr="10.99.0.0/24",
            gateway="10.99.0.1",
            mode=NetworkMode.ISOLATED,
        )
        networks.create(transaction, tenancy, network)
    elif kind is Kind.VOLUME:
        volumes.create(transaction, tenancy, VolumeSpec(uid=uid, project_id=project_id, name=name, size_gib=1))
    else:
        buckets.create(transaction, tenancy, BucketSpec(uid=uid, project_id=project_id, name=name))
    return uid


def _add_orphan(transaction: Transaction, kind: Kind, uid: UUID) -> None:
    row = _row(transaction, kind, uid)
    if row is not None:
        add(transaction, kind, UUID(row["installation"]))


def _row(transaction: Transaction, kind: Kind, uid: UUID) -> Row | None:
    return transaction.row(f"SELECT * FROM {kind} WHERE uid = ?", str(uid))  # noqa: S608


Disturbance = Callable[[Transaction, Kind, UUID, float], object]

BY_FAULT: Final[Mapping[Fault, Disturbance]] = MappingProxyType(
    {
        Fault.VANISH: lambda transaction, kind, uid, _seconds: vanish(transaction, kind, uid),
        Fault.DRIFT: lambda transaction, kind, uid, _seconds: drift(transaction, kind, uid),
        Fault.RENAME: lambda transaction, kind, uid, _seconds: rename(
            transaction, kind, uid, f"drifted-{uid.hex[-6:]}"
        ),
        Fault.HIDE: hide,
        Fault.FOREIGN: lambda transaction, kind, _uid, _seconds: add(transaction, kind),
        Fault.ORPHAN: lambda transaction, kind, uid, _seconds: _add_orphan(transaction, kind, uid),
    }
)
"""What each fault that follows the reply does with the object of the call."""
