# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange over kept connections: proxy, certificates, time-outs, and whether a failed request was sent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import create_urllib3_context

from stratoplane_client.errors import ConnectionFailedError, InvalidSettingError

_NOTHING_SENT: Final = (NewConnectionError, ConnectTimeoutError, SSLError, ProxyError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How to reach the server.

    Attributes:
        url: of the server, such as ``https://cloud.example``, without the API's path.
        ca_file: certificates to trust (PEM) instead of the system's.
        connect_timeout: seconds to make a connection.
        connections: most connections that are kept for concurrent calls.
    """

    url: str
    ca_file: str | None = None
    connect_timeout: float = 5.0
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Received:
    """An answer: status, headers with names in lower case, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Connections to one server. Threads may share it. The environment's ``https_proxy`` and ``no_proxy`` count."""

    def __init__(self, route: Route) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidSettingError: the URL or the certificate file cannot be used.
        """
        self.url: Final = _checked(route.url)
        self._route = route
        self._pool = self._make_pool(urlsplit(self.url))

    def exchange(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> Received:
        """Send one request and return whatever the server answers; redirects are not followed.

        Args:
            method: of HTTP.
            target: path and query below the server's URL.
            headers: of the request.
            body: of the request.
            timeout: seconds without data after which the request fails.

        Raises:
            ConnectionFailedError: no answer arrived; ``sent`` tells whether the request may have arrived.
        """
        limits = urllib3.Timeout(connect=self._route.connect_timeout, read=timeout)
        try:
            answer = self._pool.request(
                method,
                self.url + target,
                body=body,
                headers=dict(headers),
                timeout=limits,
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            sent = not isinstance(error, _NOTHING_SENT)
            raise ConnectionFailedError(self._message(error, timeout), sent=sent) from error
        return Received(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()

    def _make_pool(self, parts: SplitResult) -> urllib3.PoolManager:
        most = self._route.connections
        context = None
        if parts.scheme == "https":
            context = create_urllib3_context()
            try:
                if self._route.ca_file is None:
                    context.load_default_certs()
                else:
                    context.load_verify_locations(cafile=self._route.ca_file)
            except OSError as error:
                raise InvalidSettingError(f"cannot read the certificates {self._route.ca_file}: {error}") from error
        proxy = _proxy_for(parts)
        if proxy is not None:
            return urllib3.ProxyManager(proxy, ssl_context=context, maxsize=most)
        return urllib3.PoolManager(ssl_context=context, maxsize=most)

    def _message(self, error: HTTPError, timeout: float) -> str:
        server = self.url
        if isinstance(error, ReadTimeoutError):
            return f"{server} did not answer within {timeout:g} s"
        if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
            return f"{server} did not accept a connection within {self._route.connect_timeout:g} s"
        if isinstance(error, SSLError):
            return f"{server} does not have a trusted certificate: {_reason(error)}"
        if isinstance(error, ProxyError):
            return f"the proxy for {server} failed: {_reason(error)}"
        if isinstance(error, NewConnectionError):
            return f"cannot connect to {server}: {_reason(error)}"
        return f"the connection to {server} was lost: {_reason(error)}"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        urllib3.util.parse_url(url)
    except (ValueError, LocationParseError) as error:
        raise InvalidSettingError(f"{url!r} is not a valid URL: {error}") from error
    if not usable or parts.query or parts.fragment or parts.username:
        raise InvalidSettingError(
            f"{url!r} is not the URL of a server; write it as https://cloud.example or http://host:8700"
        )
    return url.rstrip("/")


def _proxy_for(parts: SplitResult) -> str | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Imported here: it is slow to load and hardly ever needed.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _reason(error: BaseException) -> str:
    """Return the innermost cause in its own words, without urllib3's wrapping."""
    found = error
    while (inner := found.__cause__ or found.__context__) is not None:
        found = inner
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    return str(found) or type(found).__name__
