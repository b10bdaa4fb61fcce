# SPDX-License-Identifier: Apache-2.0
"""Connections to public addresses and to allowed networks only, so that no URL reaches the platform's own network.

A name is resolved once, every address of the answer is checked, and the connection goes to a checked address: a second
look-up, which a name server could answer differently, does not take place. The check sees addresses, never spellings,
so ``0x7f000001`` counts as what the resolver returns for it. TLS and the ``Host`` header keep the URL's name.

No library is used: ``advocate`` is archived and supports ``requests`` only, ``safehttpx`` uses Google's DNS, and
``drawbridge`` (asyncio only) and ``ssrfguard`` are young 0.x versions with few users. They too build on httpcore's
network backend, and the rule itself is :mod:`ipaddress`.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import httpcore

from stratoplane.errors import PermanentError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""Takes a host and a port and returns every address of the host; raises ``OSError`` if it has none."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_IPV4_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address that the system resolves ``host`` to; raises ``OSError`` if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def may_be_reached(address: str, allowed: Iterable[Network]) -> bool:
    """Tell whether ``address`` is public or in one of the ``allowed`` networks.

    An IPv6 address that stands for an IPv4 one (mapped, compatible, NAT64, 6to4) is treated as that one.
    """
    real = _meant(ipaddress.ip_address(address))
    return any(real in network for network in allowed) or _is_public(real)


def _meant(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is not None:
        return inner
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    # A zone such as %eth0 makes an address unequal to every network.
    return ipaddress.IPv6Address(int(address))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class CheckedNetwork(httpcore.NetworkBackend):
    """The network as one request may use it: checked addresses, and one deadline for the whole request."""

    def __init__(self, *, allowed: Sequence[Network], seconds: float, resolver: Resolver) -> None:
        self._allowed: Final = tuple(allowed)
        self._resolver: Final = resolver
        self._deadline: Final = Deadline(seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline applies
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first checked address that answers.

        Raises:
            PermanentError: the host has an address that is not allowed.
            httpcore.ConnectError: it has no address, or none answers.
            httpcore.ConnectTimeout: the deadline has passed.
        """
        addresses = self._checked(host, port)
        for number, address in enumerate(addresses, start=1):
            try:
                seconds = self._deadline.left(httpcore.ConnectTimeout)
                stream = httpcore.SyncBackend().connect_tcp(address, port, seconds, local_address, socket_options)
            except httpcore.ConnectError:
                if number == len(addresses):
                    raise
            else:
                return _TimedStream(stream, self._deadline)
        raise httpcore.ConnectError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        refused = [each for each in addresses if not may_be_reached(each, self._allowed)]
        if refused:
            raise PermanentError(
                f"{host} resolves to {', '.join(refused)}, which is not public; to allow it, add its network to "
                "allowed_networks"
            )
        return addresses


class Deadline:
    """The time at which a request has taken too long, however it spent its time."""

    def __init__(self, seconds: float) -> None:
        self._end: Final = time.monotonic() + seconds

    def left(self, late: type[httpcore.TimeoutException]) -> float:
        """Return the remaining seconds; raises ``late`` after the deadline."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise late("the receiver took too long")
        return seconds


class _TimedStream(httpcore.NetworkStream):
    """A connection whose operations end at the deadline: occasional bytes do not extend it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream: Final = stream
        self._deadline: Final = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline applies
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the deadline applies
        self._stream.write(buffer, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the deadline applies
    ) -> httpcore.NetworkStream:
        seconds = self._deadline.left(httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
