# SPDX-License-Identifier: Apache-2.0
"""Fixed addresses: DHCP entries of a network, one for each card of our machines."""

from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from typing import Any, Final

import libvirt

from stratoplane.errors import BusyError, CapacityError, UnsupportedError
from stratoplane_libvirt.locks import ObjectLocks
from stratoplane_libvirt.network_xml import NetworkRecord, build_host, read_network
from stratoplane_libvirt.xml_document import render

_ATTEMPTS: Final = 5
_FIRST_AND_ONLY_RANGE: Final = -1


class AddressBook:
    """The addresses of machines' cards, one network at a time.

    libvirt refuses an entry whose address is taken, which makes the choice safe against other processes: the loser
    chooses again. Every attempt makes libvirt reload its firewall rules, so the threads of this process take turns.
    """

    def __init__(self) -> None:
        self._turns: Final = ObjectLocks()

    def ensure(self, network: Any, mac: str) -> IPv4Address:
        """Return the address of the card ``mac``, reserved now if it has none.

        Raises:
            CapacityError: the network has no free address.
            UnsupportedError: the network has no DHCP.
            BusyError: other processes took each chosen address first.
        """
        record = read_network(network.XMLDesc(0))
        if mac in record.hosts:
            return record.hosts[mac]
        with self._turns.hold(record.uid):
            return _reserve_one(network, mac)

    def release(self, network: Any, mac: str) -> None:
        """Release the card's address; a card without one is not an error."""
        address = read_network(network.XMLDesc(0)).hosts.get(mac)
        if address is not None:
            _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, mac, address)


def _reserve_one(network: Any, mac: str) -> IPv4Address:
    for _ in range(_ATTEMPTS):
        record = read_network(network.XMLDesc(0))
        if mac in record.hosts:
            return record.hosts[mac]
        address = _choose(record, _leased(network, mac))
        if _reserve(network, mac, address):
            return address
    raise BusyError(f"no address could be reserved in {record.name}: other processes took each one first")


def _choose(record: NetworkRecord, leased: AbstractSet[IPv4Address]) -> IPv4Address:
    if record.pool is None:
        raise UnsupportedError(f"the network {record.name} assigns no addresses")
    first, last = record.pool
    taken = leased | set(record.hosts.values()) | {record.gateway}
    for number in range(int(first), int(last) + 1):
        if (address := IPv4Address(number)) not in taken:
            return address
    raise CapacityError(
        f"the network {record.name} has no free address; those of deleted machines become free within minutes"
    )


def _leased(network: Any, mac: str) -> set[IPv4Address]:
    """Return the leased addresses: dnsmasq does not assign an address that is leased to another card."""
    if not network.isActive():
        return set()
    leases = network.DHCPLeases(None, 0)
    return {
        IPv4Address(lease["ipaddr"])
        for lease in leases
        if lease["type"] == libvirt.VIR_IP_ADDR_TYPE_IPV4 and lease["mac"].lower() != mac
    }


def _reserve(network: Any, mac: str, address: IPv4Address) -> bool:
    try:
        _update(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, mac, address)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            return False
        raise
    return True


def _update(network: Any, command: int, mac: str, address: IPv4Address) -> None:
    flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
    if network.isActive():
        flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
    entry = render(build_host(mac, address))
    network.update(command, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, _FIRST_AND_ONLY_RANGE, entry, flags)
