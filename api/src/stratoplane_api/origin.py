# SPDX-License-Identifier: Apache-2.0
"""From where a request comes, as limits count it."""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

_IPV6_PREFIX: Final = 64


def origin(address: str | None) -> str:
    """Return the name under which an address is counted.

    Whoever has one address of IPv6 has all 2**64 of its network (RFC 6177), so the network is what counts.
    """
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), _IPV6_PREFIX), strict=False))
