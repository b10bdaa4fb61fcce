# SPDX-License-Identifier: Apache-2.0
"""The one reading of the database's URL, for every connection: pool, LISTEN, migrations, commands.

A libpq URL. Several hosts stand as ``host1:port,host2:port`` or, as SQLAlchemy has it, as
``?host=host1:port&host=host2:port``.
``statement_timeout`` is ours: milliseconds, see :mod:`stratoplane_engine.db.opening`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stratoplane.errors import SettingsError

STATEMENT_SECONDS: Final = 50.0
"""How long the server works on a statement, unless the URL says otherwise."""
_SCHEMES: Final = ("postgresql://", "postgres://")
_DEADLINE: Final = "statement_timeout"
_PORT: Final = "5432"
_HIGHEST_PORT: Final = 65535
_HOST_AND_PORT: Final = re.compile(r"(\[[^\]/]+\]|[^:/\[\]]+):(\d+)")
# A peer that is gone is noticed 10 + 3 * 5 s after it was last heard, or 20 s after it should have acknowledged.
_DEFAULTS: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """How to reach the database.

    Attributes:
        parameters: of libpq.
        statement_seconds: how long the server works on a statement, 0 for ever.
    """

    parameters: Mapping[str, str]
    statement_seconds: float


def read_address(url: str) -> Address:
    """Return what a database's URL says, with our defaults for what it does not say.

    Raises:
        SettingsError: it cannot be used; the operator corrects it and starts again.
    """
    if not url.startswith(_SCHEMES):
        raise _refused(f"must begin with {' or '.join(_SCHEMES)}")
    place, _, query = url.partition("?")
    named = parse_qsl(query, keep_blank_values=True)
    hosts = [value for name, value in named if name == "host"]
    deadlines = [value for name, value in named if name == _DEADLINE]
    others = [pair for pair in named if pair[0] not in {"host", _DEADLINE}]
    said = _parsed(f"{place}?{urlencode(others)}" if others else place)
    parameters = {**said, **_hosts(hosts, said.get("port", ""))}
    _check_ports(parameters.get("host", ""), parameters.get("port", ""))
    writes = {"target_session_attrs": "read-write"} if "," in parameters.get("host", "") else {}
    return Address(parameters={**_DEFAULTS, **writes, **parameters}, statement_seconds=_seconds(deadlines))


def _parsed(url: str) -> dict[str, str]:
    try:
        found = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # The message may repeat the URL, and so its password.
        raise _refused(str(error).replace(url, "the URL").strip()) from error
    return {name: str(value) for name, value in found.items() if value is not None}


def _hosts(values: Sequence[str], port: str) -> Mapping[str, str]:
    """Return ``host`` and ``port`` of libpq for the hosts that the query names."""
    if not values:
        return {}
    each = [part for value in values for part in value.split(",")]
    matches = [_HOST_AND_PORT.fullmatch(part) for part in each]
    names = ",".join(match[1].strip("[]") if match else part for match, part in zip(matches, each, strict=True))
    if not any(matches):
        return {"host": names}
    if "," in port:
        raise _refused("names ports of its hosts twice")
    return {"host": names, "port": ",".join(match[2] if match else port or _PORT for match in matches)}


def _check_ports(host: str, port: str) -> None:
    hosts, ports = host.split(","), port.split(",") if port else []
    if len(ports) > 1 and len(ports) != len(hosts):
        raise _refused(f"names {len(hosts)} hosts and {len(ports)} ports")
    for each in ports:
        if each and not (each.isdecimal() and 0 < int(each) <= _HIGHEST_PORT):
            raise _refused(f"{each!r} is not a port")


def _seconds(deadlines: Sequence[str]) -> float:
    if not deadlines:
        return STATEMENT_SECONDS
    if not deadlines[-1].isdecimal():
        raise _refused(f"{_DEADLINE} must be a number of milliseconds")
    return int(deadlines[-1]) / 1000


def _refused(problem: str) -> SettingsError:
    words = f"database_url: {' '.join(problem.split())}"
    return SettingsError(f"the settings cannot be used: {words}", [words])
