# SPDX-License-Identifier: Apache-2.0
"""Addresses of machines: the first free one of the network, so that runs are repeatable."""

import functools
from ipaddress import IPv4Address, IPv4Network

from stratoplane.errors import CapacityError, ConflictError
from stratoplane_mock.store import Row, Transaction


@functools.lru_cache(maxsize=1024)
def parse_range(cidr: str) -> IPv4Network:
    """Return the range ``cidr``. Raises ValueError if it is not one."""
    return IPv4Network(cidr)


def first_host(cidr: str) -> int:
    """Return the first address that a network can assign, as a number."""
    return int(parse_range(cidr).network_address) + 1


def plug(transaction: Transaction, machine: str, position: int, network: Row, mac: str) -> None:
    """Plug a machine into a network (its row) and assign an address.

    Raises:
        CapacityError: every address is taken.
        ConflictError: another card on the network has this MAC address.
    """
    if transaction.row("SELECT 1 FROM card WHERE network = ? AND mac = ?", network["uid"], mac):
        raise ConflictError(f"the MAC address {mac} is in use on network {network['uid']}")
    address = _first_free(transaction, network)
    transaction.run("INSERT INTO card VALUES (?, ?, ?, ?, ?)", machine, position, network["uid"], mac, address)
    transaction.run("UPDATE network SET lowest_free = ? WHERE uid = ?", address + 1, network["uid"])


def unplug(transaction: Transaction, machine: str) -> None:
    """Release all addresses of a machine."""
    for card in transaction.rows("SELECT network, address FROM card WHERE machine = ?", machine):
        transaction.run(
            "UPDATE network SET lowest_free = MIN(lowest_free, ?) WHERE uid = ?", card["address"], card["network"]
        )
    transaction.run("DELETE FROM card WHERE machine = ?", machine)


def _first_free(transaction: Transaction, network: Row) -> int:
    """Every address below the row's ``lowest_free`` is taken; from there on look for the first gap."""
    gateway, last = int(IPv4Address(network["gateway"])), int(parse_range(network["cidr"]).broadcast_address) - 1
    candidate: int = network["lowest_free"]
    for card in transaction.each(
        "SELECT address FROM card WHERE network = ? AND address >= ? ORDER BY address", network["uid"], candidate
    ):
        candidate += candidate == gateway
        if card["address"] != candidate:
            break
        candidate += 1
    candidate += candidate == gateway
    if candidate > last:
        raise CapacityError(
            f"network {network['uid']} ({network['cidr']}) has no free address", provider_text="No more IP addresses"
        )
    return candidate
