# SPDX-License-Identifier: Apache-2.0
"""Connections to Valkey or Redis, to one server or to whichever Sentinel names as the primary."""

from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from stratoplane.errors import SettingsError

_SENTINEL: Final = "redis+sentinel"
_SENTINEL_PORT: Final = 26379


def connect(url: str, *, connect_timeout: float = 2.0, timeout: float = 5.0) -> Redis:
    """Return a connection to Valkey or Redis; nothing is sent before the first command, and nothing is sent twice.

    Args:
        url: ``redis://host:6379/0``, ``rediss://``, ``unix:///path``, or
            ``redis+sentinel://[user:password@]host:26379,host:26379/service[/database]``, where the name and password
            are those of the servers behind the Sentinels.
        connect_timeout: seconds that connecting may take.
        timeout: seconds that an answer may take.

    Raises:
        SettingsError: the URL names no service, or a port that is none.
    """
    retry = Retry(NoBackoff(), 0)
    parts = urlsplit(url)
    if parts.scheme != _SENTINEL:
        return Redis.from_url(url, socket_connect_timeout=connect_timeout, socket_timeout=timeout, retry=retry)
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not (database or "0").isdigit():
        raise _wrong(url, "name the service behind the hosts, as redis+sentinel://host:26379/service/0")
    times = {"socket_connect_timeout": connect_timeout, "socket_timeout": timeout}
    sentinels = Sentinel(_hosts(url, parts), **times)  # type: ignore[no-untyped-call]  # redis-py types no Sentinel
    primary: Redis = sentinels.master_for(  # type: ignore[no-untyped-call]  # as above
        service,
        db=int(database or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        retry=retry,
        **times,
    )
    return primary


def disconnect(connection: Redis) -> None:
    """Close every socket of a connection, those to the Sentinels too; the next command would open new ones."""
    pool = connection.connection_pool
    pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            sentinel.connection_pool.disconnect()


def _hosts(url: str, parts: SplitResult) -> list[tuple[str, int]]:
    hosts = []
    for each in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = each.rpartition(":") if ":" in each.rpartition("]")[2] else (each, "", str(_SENTINEL_PORT))
        if not host or not port.isdigit():
            raise _wrong(url, f"{each!r} is not of the form host:port")
        hosts.append((host.strip("[]"), int(port)))
    return hosts


def _wrong(url: str, detail: str) -> SettingsError:
    shown = url.rpartition("@")[2] if "@" in url else url
    return SettingsError(f"redis_url {shown!r} cannot be used: {detail}", [f"redis_url: {detail}"])
