# SPDX-License-Identifier: Apache-2.0
"""A network as libvirt network XML, and back; with the fixed addresses of its machines."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final
from uuid import UUID

from stratoplane.errors import PermanentError
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane_libvirt import names
from stratoplane_libvirt.marks import Mark, read_mark
from stratoplane_libvirt.xml_document import child, parse, require_text, uuid_of, values_of

_LEASE_MINUTES: Final = 10
"""Lease time, after which a deleted machine's address is free; short, so that small networks do not run out."""
_SMALLEST_PREFIX: Final = 30
_RANGE_PREFIX: Final = 16
"""libvirt refuses an address range that spans more than a /16."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRecord:
    """The content of a network's XML. ``subnet`` and ``gateway`` are None for networks that have no IPv4 of their own.

    Attributes:
        pool: first and last address that machines may have, None without DHCP.
        hosts: fixed addresses by MAC address.
    """

    uid: UUID
    name: str
    mark: Mark | None
    mode: NetworkMode | None
    subnet: IPv4Network | None
    gateway: IPv4Address | None
    pool: tuple[IPv4Address, IPv4Address] | None
    hosts: dict[str, IPv4Address]
    element: ET.Element


def build_network(spec: NetworkSpec, mark: Mark) -> ET.Element:
    """Return the network for ``spec``.

    Raises:
        PermanentError: the range is not an IPv4 network, too small, or the gateway is not in it.
    """
    subnet, gateway = _checked_range(spec)
    network = ET.Element("network")
    child(network, "name", names.network_name(spec.uid))
    child(network, "uuid", spec.uid)
    child(network, "metadata").append(mark.to_element())
    if spec.mode is NetworkMode.NAT:
        child(network, "forward", mode="nat")
    child(network, "bridge", name=names.bridge_name(spec.uid), stp="off", delay=0)
    address = child(network, "ip", address=gateway, prefix=subnet.prefixlen)
    first, last = _machine_addresses(subnet, gateway)
    pool = child(child(address, "dhcp"), "range", start=first, end=last)
    child(pool, "lease", expiry=_LEASE_MINUTES, unit="minutes")
    return network


def build_host(mac: str, address: IPv4Address) -> ET.Element:
    """Return the DHCP entry that assigns ``address`` to the card ``mac``."""
    return ET.Element("host", {"mac": mac, "ip": str(address)})


def with_mark(element: ET.Element, mark: Mark) -> ET.Element:
    """Replace the mark in a network's XML by ``mark`` and return the XML."""
    found = element.find("metadata")
    metadata = child(element, "metadata") if found is None else found
    made = mark.to_element()
    for old in metadata.findall(made.tag):
        metadata.remove(old)
    metadata.append(made)
    return element


def read_network(text: str) -> NetworkRecord:
    """Return the content of a network's XML. Raises PermanentError if it cannot be read."""
    root = parse(text)
    with values_of(root):
        gateway = _read_gateway(root)
        return NetworkRecord(
            uid=uuid_of(root),
            name=require_text(root, "name"),
            mark=read_mark(root),
            mode=_read_mode(root),
            subnet=None if gateway is None else gateway.network,
            gateway=None if gateway is None else gateway.ip,
            pool=_read_pool(root),
            hosts=_read_hosts(root),
            element=root,
        )


def _checked_range(spec: NetworkSpec) -> tuple[IPv4Network, IPv4Address]:
    try:
        subnet, gateway = IPv4Network(spec.cidr), IPv4Address(spec.gateway)
    except ValueError as error:
        raise PermanentError(f"network {spec.uid} has an invalid address range: {error}") from error
    if subnet.prefixlen > _SMALLEST_PREFIX:
        raise PermanentError(f"{subnet} is too small: it must be /{_SMALLEST_PREFIX} or larger")
    if gateway not in subnet or gateway in (subnet.network_address, subnet.broadcast_address):
        raise PermanentError(f"the gateway {gateway} is not a host address of {subnet}")
    return subnet, gateway


def _machine_addresses(subnet: IPv4Network, gateway: IPv4Address) -> tuple[IPv4Address, IPv4Address]:
    """Return the larger of the ranges before and after the gateway."""
    lowest, highest = subnet.network_address + 1, subnet.broadcast_address - 1
    after = (gateway + 1, min(highest, _last_of_range(gateway + 1)))
    before = (lowest, min(gateway - 1, _last_of_range(lowest)))
    return max(after, before, key=lambda pair: int(pair[1]) - int(pair[0]))


def _last_of_range(first: IPv4Address) -> IPv4Address:
    return IPv4Network((first, _RANGE_PREFIX), strict=False).broadcast_address


def _read_gateway(root: ET.Element) -> IPv4Interface | None:
    for element in root.iterfind("ip"):
        if element.get("family", "ipv4") == "ipv4" and (address := element.get("address")):
            return IPv4Interface(f"{address}/{element.get('prefix') or element.get('netmask') or '32'}")
    return None


def _read_mode(root: ET.Element) -> NetworkMode | None:
    forward = root.find("forward")
    if forward is None:
        return NetworkMode.ISOLATED
    return NetworkMode.NAT if forward.get("mode", "nat") == "nat" else None


def _read_pool(root: ET.Element) -> tuple[IPv4Address, IPv4Address] | None:
    element = root.find("ip/dhcp/range")
    if element is None:
        return None
    return IPv4Address(element.get("start", "")), IPv4Address(element.get("end", ""))


def _read_hosts(root: ET.Element) -> dict[str, IPv4Address]:
    entries = ((host.get("mac", "").lower(), host.get("ip")) for host in root.iterfind("ip/dhcp/host"))
    return {mac: IPv4Address(address) for mac, address in entries if mac and address}
