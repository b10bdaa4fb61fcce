# SPDX-License-Identifier: Apache-2.0
"""The table of machines: reading, metering and removing them."""

from collections import defaultdict
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Final
from uuid import UUID

from stratoplane.compute import MachineAddress, MachineStatus
from stratoplane.drivers import UsageSample
from stratoplane.foreign import ForeignObject
from stratoplane.resources import PowerState
from stratoplane_mock.addresses import unplug
from stratoplane_mock.hosts import claim_storage, release_host
from stratoplane_mock.ownership import Tenancy, foreign_rows, visible_row, visible_rows
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction
from stratoplane_mock.volumes import attached

_BYTES_READ_A_SECOND: Final = 4_096
_BYTES_WRITTEN_A_SECOND: Final = 16_384


def power_of(row: Row, now: float) -> PowerState:
    """Return a machine's power now: until ``power_at`` a change has not taken effect."""
    if row["power_at"] > now:
        return PowerState.STOPPED if row["power"] == PowerState.RUNNING else PowerState.RUNNING
    return PowerState(row["power"])


def observe(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> MachineStatus | None:
    """Return the machine, None while it is being built."""
    row = visible_row(transaction, tenancy, Kind.MACHINE, uid)
    if row is None or not row["complete"] or row["ready_at"] > transaction.now or _is_gone(row, transaction.now):
        return None
    return status_of(transaction, row)


def status_of(transaction: Transaction, row: Row) -> MachineStatus:
    """Return the status of the machine in ``row``."""
    cards = transaction.rows("SELECT * FROM card WHERE machine = ? ORDER BY position", row["uid"])
    return _status(row, cards, attached(transaction, row["uid"]), transaction.now)


def list_all(transaction: Transaction, tenancy: Tenancy) -> list[MachineStatus]:
    """Return every machine, including those that are being built or are incomplete."""
    cards: dict[str, list[Row]] = defaultdict(list)
    for card in transaction.each("SELECT * FROM card ORDER BY machine, position"):
        cards[card["machine"]].append(card)
    volumes: dict[str, list[str]] = defaultdict(list)
    for volume in transaction.each(
        "SELECT machine, uid FROM volume WHERE machine IS NOT NULL ORDER BY machine, position"
    ):
        volumes[volume["machine"]].append(volume["uid"])
    return [
        _status(row, cards.get(row["uid"], ()), volumes.get(row["uid"], ()), transaction.now)
        for row in visible_rows(transaction, tenancy, Kind.MACHINE)
        if not _is_gone(row, transaction.now)
    ]


def list_foreign(transaction: Transaction, tenancy: Tenancy, limit: int) -> list[ForeignObject]:
    """Return machines of other installations."""
    found = [
        status_of(transaction, row)
        for row in foreign_rows(transaction, tenancy, Kind.MACHINE, limit)
        if not _is_gone(row, transaction.now)
    ]
    return [ForeignObject(reference=each.provider_reference, name=each.name, status=each) for each in found]


def usage(transaction: Transaction, tenancy: Tenancy) -> list[UsageSample]:
    """Return meter readings computed from how long each machine ran."""
    return [
        UsageSample(uid=UUID(row["uid"]), readings=_readings(row, transaction.now))
        for row in visible_rows(transaction, tenancy, Kind.MACHINE)
        if row["complete"] and not _is_gone(row, transaction.now)
    ]


def remove(transaction: Transaction, row: Row) -> None:
    """Remove a machine with everything that was created for it alone."""
    transaction.run("UPDATE volume SET machine = NULL, position = NULL WHERE machine = ?", row["uid"])
    unplug(transaction, row["uid"])
    release_host(transaction, row["host"], row["vcpus"], row["memory_mib"])
    claim_storage(transaction, -row["root_gib"])
    transaction.run("DELETE FROM machine WHERE uid = ?", row["uid"])


def remove_due(transaction: Transaction) -> None:
    """Remove the machines whose deletion is due."""
    due = transaction.rows("SELECT * FROM machine WHERE delete_at IS NOT NULL AND delete_at <= ?", transaction.now)
    for row in due:
        remove(transaction, row)


def _is_gone(row: Row, now: float) -> bool:
    return row["delete_at"] is not None and row["delete_at"] <= now


def _status(row: Row, cards: Sequence[Row], volumes: Sequence[str], now: float) -> MachineStatus:
    return MachineStatus(
        uid=UUID(row["uid"]),
        name=row["name"],
        vcpus=row["vcpus"],
        memory_mib=row["memory_mib"],
        power=PowerState.STOPPED if row["ready_at"] > now else power_of(row, now),
        addresses=tuple(
            MachineAddress(
                network_uid=UUID(card["network"]), mac=card["mac"], address=str(IPv4Address(card["address"]))
            )
            for card in cards
        ),
        volume_uids=tuple(UUID(uid) for uid in volumes),
        provider_reference=f"vm-{row['uid'][-12:]}",
        host=f"host-{row['host']:03d}",
        private={"simulated": True},
    )


def _readings(row: Row, now: float) -> dict[str, float]:
    running = 0.0 if row["started_at"] is None else max(0.0, now - row["started_at"])
    seconds = row["ran_seconds"] + running
    load = (int(row["uid"][-4:], 16) % 60 + 1) / 100
    return {
        "cpu_seconds": round(seconds * row["vcpus"] * load, 3),
        "disk_read_bytes": float(int(seconds * _BYTES_READ_A_SECOND)),
        "disk_write_bytes": float(int(seconds * _BYTES_WRITTEN_A_SECOND)),
    }
