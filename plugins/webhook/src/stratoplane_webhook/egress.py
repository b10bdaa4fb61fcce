# SPDX-License-Identifier: Apache-2.0
"""Connections to public addresses and to allowed networks only, so that no URL reaches what is behind the platform.

A name is resolved once, every address of the answer is checked, and the connection goes to an address that was
checked: there is no second look-up that a name server could answer otherwise. The check sees addresses, never
spellings, so that ``0x7f000001`` is what the resolver makes of it. TLS and the ``Host`` header keep the URL's name.

Why no library: ``advocate`` is archived and speaks ``requests`` only, ``safehttpx`` asks Google's DNS, and
``drawbridge`` (asyncio only) and ``ssrfguard`` are versions 0.x of months that few use yet. The seam they use is
httpcore's network backend, and the rule itself is :mod:`ipaddress`.
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
"""Takes a host and a port and returns every address of the host; raises ``OSError`` when there is none."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_IPV4_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address that the system knows for ``host``; raises ``OSError`` when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def may_be_reached(address: str, allowed: Iterable[Network]) -> bool:
    """Tell whether ``address`` is public or in one of the ``allowed`` networks.

    An IPv6 address that stands for an IPv4 one (mapped, compatible, NAT64, 6to4) is judged as that one.
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
    """The network as one request may use it: checked addresses, and one deadline for everything together."""

    def __init__(self, *, allowed: Sequence[Network], seconds: float, resolver: Resolver) -> None:
        self._allowed: Final = tuple(allowed)
        self._resolver: Final = resolver
        self._deadline: Final = Deadline(seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline rules
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
                f"{host} resolves to {', '.join(refused)}, which is not public; if it is meant, add its network to "
                "allowed_networks"
            )
        return addresses


class Deadline:
    """The moment at which a request has taken too long, however it divided its time."""

    def __init__(self, seconds: float) -> None:
        self._end: Final = time.monotonic() + seconds

    def left(self, late: type[httpcore.TimeoutException]) -> float:
        """Return the seconds that are left; raises ``late`` when none are."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise late("the receiver took too long")
        return seconds


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every operation ends at the deadline: single bytes now and then do not prolong it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream: Final = stream
        self._deadline: Final = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline rules
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the deadline rules
        self._stream.write(buffer, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the deadline rules
    ) -> httpcore.NetworkStream:
        seconds = self._deadline.left(httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
