# SPDX-License-Identifier: Apache-2.0
"""Inspecting and disturbing a region directly, as its operator could."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final
from uuid import UUID

from stratoplane.errors import NotFoundError, PermanentError
from stratoplane.resources import PowerState
from stratoplane_mock import disturbances, hosts
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Transaction

Write = Callable[[Callable[[Transaction], Any]], Any]

_COUNTERS: Final = {
    "virtual processors of the hosts": (
        "SELECT SUM(vcpus_used) AS counter, (SELECT SUM(vcpus) FROM machine) AS counted FROM host"
    ),
    "memory of the hosts": (
        "SELECT SUM(memory_used) AS counter, (SELECT SUM(memory_mib) FROM machine) AS counted FROM host"
    ),
    "storage of the pool": (
        "SELECT storage_used AS counter, COALESCE((SELECT SUM(root_gib) FROM machine), 0)"
        " + COALESCE((SELECT SUM(size_gib) FROM volume), 0) AS counted FROM pool"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionObject:
    """An object of the region as its operator sees it, whoever owns it."""

    kind: Kind
    uid: UUID
    installation: UUID
    project: UUID
    name: str
    facts: Mapping[str, object]


class RegionAdmin:
    """Works without a driver; every method takes effect at once and bypasses the fault plan."""

    def __init__(self, look: Write, write: Write) -> None:
        self._look: Final = look
        self._write: Final = write

    def objects(self, *kinds: Kind) -> list[RegionObject]:
        """Return every object of the given kinds, or of all kinds."""
        found: list[RegionObject] = self._look(
            lambda transaction: [each for kind in kinds or tuple(Kind) for each in _objects(transaction, kind)]
        )
        return found

    def size(self) -> hosts.RegionSize:
        """Return the size of the region."""
        size: hosts.RegionSize = self._look(hosts.size)
        return size

    def used(self) -> dict[str, int]:
        """Return how much of ``vcpus``, ``memory_mib`` and ``storage_gib`` is used."""
        row = self._look(hosts.used)
        return {name: row[name] or 0 for name in ("vcpus", "memory_mib", "storage_gib")}

    def problems(self) -> list[str]:
        """Return where the region's counters differ from its objects, which must never happen."""
        found: list[str] = self._look(_problems)
        return found

    def vanish(self, uid: UUID) -> None:
        """Remove an object, whoever uses it. Every method with a uid raises NotFoundError if it does not exist."""
        self._with(uid, disturbances.vanish)

    def switch(self, uid: UUID, power: PowerState) -> None:
        """Turn a machine on or off. PermanentError for other kinds."""

        def work(transaction: Transaction, kind: Kind, uid: UUID) -> None:
            if kind is not Kind.MACHINE:
                raise PermanentError(f"{uid} is a {kind}; only machines are turned on and off")
            disturbances.switch(transaction, uid, power)

        self._with(uid, work)

    def drift(self, uid: UUID) -> None:
        """Flip a machine's power, or turn a network off."""
        self._with(uid, disturbances.drift)

    def rename(self, uid: UUID, name: str) -> None:
        """Rename an object."""
        self._with(uid, lambda transaction, kind, uid: disturbances.rename(transaction, kind, uid, name))

    def hide(self, uid: UUID, seconds: float) -> None:
        """Hide an object from drivers for ``seconds``."""
        self._with(uid, lambda transaction, kind, uid: disturbances.hide(transaction, kind, uid, seconds))

    def add_foreign(self, kind: Kind) -> UUID:
        """Add an object of another installation and return its uid."""
        return self.add_orphan(kind, disturbances.FOREIGN_INSTALLATION)

    def add_orphan(self, kind: Kind, installation: UUID) -> UUID:
        """Add an object with the mark of ``installation`` that its platform does not know, and return its uid."""
        uid: UUID = self._write(lambda transaction: disturbances.add(transaction, kind, installation))
        return uid

    def fill_bucket(self, uid: UUID, objects: int) -> None:
        """Set how many objects a bucket contains."""

        def work(transaction: Transaction, kind: Kind, uid: UUID) -> None:
            if kind is not Kind.BUCKET:
                raise PermanentError(f"{uid} is a {kind}, not a bucket")
            transaction.run("UPDATE bucket SET objects = ? WHERE uid = ?", objects, str(uid))

        self._with(uid, work)

    def _with(self, uid: UUID, work: Callable[[Transaction, Kind, UUID], object]) -> None:
        def found(transaction: Transaction) -> None:
            kind = disturbances.kind_of(transaction, uid)
            if kind is None:
                raise NotFoundError(f"object {uid} does not exist in the region")
            work(transaction, kind, uid)

        self._write(found)


def _objects(transaction: Transaction, kind: Kind) -> list[RegionObject]:
    rows = transaction.rows(f"SELECT * FROM {kind} ORDER BY uid")  # noqa: S608  # a member of Kind
    addresses = _addresses(transaction) if kind is Kind.MACHINE and rows else {}
    return [
        RegionObject(
            kind=kind,
            uid=UUID(row["uid"]),
            installation=UUID(row["installation"]),
            project=UUID(row["project"]),
            name=row["name"],
            facts={
                **{key: row[key] for key in _FACTS[kind]},
                **({"addresses": addresses.get(row["uid"], [])} if kind is Kind.MACHINE else {}),
            },
        )
        for row in rows
    ]


_FACTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.MACHINE: ("power", "vcpus", "memory_mib", "root_gib", "host", "complete"),
    Kind.NETWORK: ("cidr", "gateway", "mode", "active"),
    Kind.VOLUME: ("size_gib", "machine"),
    Kind.BUCKET: ("objects",),
}


def _addresses(transaction: Transaction) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for card in transaction.each("SELECT machine, address FROM card ORDER BY machine, position"):
        found.setdefault(card["machine"], []).append(str(IPv4Address(card["address"])))
    return found


def _problems(transaction: Transaction) -> list[str]:
    problems = []
    for what, statement in _COUNTERS.items():
        row = transaction.row(statement)
        if row is not None and (row["counter"] or 0) != (row["counted"] or 0):
            problems.append(f"{what}: {row['counter']} by the counter, {row['counted']} counted")
    orphans = transaction.row(
        "SELECT COUNT(*) AS number FROM card WHERE NOT EXISTS (SELECT 1 FROM machine WHERE uid = card.machine)"
    )
    if orphans is not None and orphans["number"]:
        problems.append(f"addresses: {orphans['number']} belong to a machine that does not exist")
    return problems
