# SPDX-License-Identifier: Apache-2.0
"""The region's capacity: hosts for machines, and one storage pool."""

from dataclasses import dataclass

from stratoplane.errors import CapacityError
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import Row, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionSize:
    """Size of the region: memory in MiB and storage in GiB."""

    hosts: int
    host_vcpus: int
    host_memory_mib: int
    storage_gib: int


def resize_region(transaction: Transaction, settings: MockSettings) -> None:
    """Give the region the hosts and the storage of ``settings``; machines stay on hosts that are taken away."""
    traits = {
        "hosts": settings.hosts,
        "host_vcpus": settings.host_vcpus,
        "host_memory_mib": settings.host_memory_mib,
        "storage_gib": settings.storage_gib,
    }
    for name, value in traits.items():
        transaction.run("INSERT OR REPLACE INTO trait VALUES (?, ?)", name, value)
    for number in range(1, settings.hosts + 1):
        transaction.run("INSERT OR IGNORE INTO host (number) VALUES (?)", number)


def size(transaction: Transaction) -> RegionSize:
    """Return the size of the whole region."""
    return RegionSize(**{row["name"]: row["value"] for row in transaction.rows("SELECT name, value FROM trait")})


def used(transaction: Transaction) -> Row | None:
    """Return a row with the used vcpus, memory_mib and storage_gib."""
    return transaction.row(
        "SELECT SUM(vcpus_used) AS vcpus, SUM(memory_used) AS memory_mib,"
        " (SELECT storage_used FROM pool) AS storage_gib FROM host"
    )


def claim_host(transaction: Transaction, vcpus: int, memory_mib: int, *, preferred: int = 0) -> int:
    """Claim capacity on the emptiest host, or on the ``preferred`` one if it fits, and return its number.

    Raises:
        CapacityError: no single host has the capacity.
    """
    region = size(transaction)
    found = transaction.row(
        "SELECT number FROM host WHERE number <= ? AND vcpus_used + ? <= ? AND memory_used + ? <= ?"
        " ORDER BY number <> ?, vcpus_used, number LIMIT 1",
        region.hosts,
        vcpus,
        region.host_vcpus,
        memory_mib,
        region.host_memory_mib,
        preferred,
    )
    if found is None:
        raise CapacityError(
            f"no host has {vcpus} vcpus and {memory_mib} MiB left; choose a smaller size",
            provider_text="No valid host was found",
        )
    release_host(transaction, found["number"], -vcpus, -memory_mib)
    return int(found["number"])


def release_host(transaction: Transaction, number: int, vcpus: int, memory_mib: int) -> None:
    """Release capacity on a host."""
    transaction.run(
        "UPDATE host SET vcpus_used = vcpus_used - ?, memory_used = memory_used - ? WHERE number = ?",
        vcpus,
        memory_mib,
        number,
    )


def claim_storage(transaction: Transaction, gib: int) -> None:
    """Claim storage, or release it when ``gib`` is negative.

    Raises:
        CapacityError: the pool is too full.
    """
    limit = size(transaction).storage_gib
    taken = transaction.run(
        "UPDATE pool SET storage_used = storage_used + ? WHERE ? <= 0 OR storage_used + ? <= ?", gib, gib, gib, limit
    )
    if not taken:
        raise CapacityError(f"the pool has no {gib} GiB left; choose a smaller size", provider_text="pool is full")
