# SPDX-License-Identifier: Apache-2.0
"""The server's settings: a file with tables for this command, the roles and the plugins, and the environment.

The environment takes precedence over the file. The other processes get their settings through the environment alone,
so that each can be started without this distribution.
"""

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stratoplane.errors import SettingsError
from stratoplane.registry import PLUGIN_GROUP, PLUGIN_SETTINGS_VARIABLE, installed
from stratoplane.settings import help_of, load, setting
from stratoplane_api.settings import ApiSettings
from stratoplane_engine.settings import VALKEY_SCHEMES, EngineSettings

CONFIG_VARIABLE: Final = "STRATOPLANE_CONFIG"
DEFAULT_STATE: Final = ".stratoplane"
_ROLES: Final[Mapping[str, type]] = {"api": ApiSettings, "engine": EngineSettings}
PLUGINS_TABLE: Final = "plugins"
_AT_LEAST: Final = (
    (("engine", "agent_lost_seconds"), ("api", "inventory_seconds")),
    (("engine", "full_comparison_seconds"), ("engine", "reconcile_seconds")),
    (("engine", "seal_late_seconds"), ("engine", "seal_seconds")),
)
"""Pairs of settings of which the first must not be below the second."""
SHARED: Final = {"database_url": "postgresql://", "redis_url": "redis://", "plugins": []}
_LISTEN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):(\d{1,5})")
_HIGHEST_PORT: Final = 65535
_PERCENT: Final = 100
_DATABASE_SCHEMES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of ``stratoplane-server``."""

    state: Path = setting(  # noqa: RUF009  # makes a dataclass field
        Path(DEFAULT_STATE),
        help="folder for databases, logs, credentials and the local agent",
        env="STRATOPLANE_STATE",
    )
    database_url: str = setting(
        "",
        help="a PostgreSQL of your own, such as postgresql://…; empty starts one in the state folder",
        env="STRATOPLANE_DATABASE_URL",
    )
    redis_url: str = setting(
        "",
        help="a Valkey or Redis of your own, redis://… or redis+sentinel://…; empty starts one in the state folder",
        env="STRATOPLANE_REDIS_URL",
    )
    api_listen: str = setting("127.0.0.1:8700", help="where the API listens, host:port", env="STRATOPLANE_API_LISTEN")
    agent_listen: str = setting(
        "127.0.0.1:8701", help="where the agents' API listens, host:port", env="STRATOPLANE_AGENT_LISTEN"
    )
    api_processes: int = setting(2, help="processes of the API", env="STRATOPLANE_API_PROCESSES")
    api_threads: int = setting(8, help="threads of each process of the API", env="STRATOPLANE_API_THREADS")
    workers: int = setting(1, help="workers that run jobs", env="STRATOPLANE_WORKERS")
    driver: str = setting("mock", help="driver of the local agent", env="STRATOPLANE_DRIVER")
    cluster: str = setting(
        "", help="name of the local agent's cluster; local-<driver> when empty", env="STRATOPLANE_CLUSTER"
    )
    disk_warning_percent: int = setting(
        90,
        help="percent of the state folder's disk in use from which `status` is not healthy",
        env="STRATOPLANE_DISK_WARNING_PERCENT",
    )
    plugins: tuple[str, ...] | None = setting(
        None,
        help="names of the enabled plugins, in order; not set leaves the choice to `stratoplane-server plugins`",
        env="STRATOPLANE_PLUGINS",
    )

    def __post_init__(self) -> None:
        problems = [*self._listen_problems(), *self._url_problems()]
        counts = {"api_processes": self.api_processes, "api_threads": self.api_threads, "workers": self.workers}
        problems += [f"{name}: must be at least 1" for name, value in counts.items() if value < 1]
        if not 1 <= self.disk_warning_percent <= _PERCENT:
            problems.append("disk_warning_percent: must be between 1 and 100")
        if problems:
            raise SettingsError(f"the settings cannot be used: {'; '.join(problems)}", problems)

    def _listen_problems(self) -> list[str]:
        values = {"api_listen": self.api_listen, "agent_listen": self.agent_listen}
        problems = [
            f"{name}: {value!r} is not of the form host:port"
            for name, value in values.items()
            if not (match := _LISTEN.fullmatch(value)) or not 0 < int(match.group(2)) <= _HIGHEST_PORT
        ]
        return problems or (["agent_listen: must differ from api_listen"] if len(set(values.values())) == 1 else [])

    def _url_problems(self) -> list[str]:
        wanted = {"database_url": (self.database_url, _DATABASE_SCHEMES), "redis_url": (self.redis_url, VALKEY_SCHEMES)}
        return [
            f"{name}: must begin with {' or '.join(schemes)}"
            for name, (url, schemes) in wanted.items()
            if url and not url.startswith(schemes)
        ]

    @property
    def cluster_name(self) -> str:
        """The local agent's cluster: one for each driver, since drivers do not share objects."""
        return self.cluster or f"local-{self.driver}"

    @property
    def api_url(self) -> str:
        """URL of the API for clients on this host."""
        return f"http://{_reachable(self.api_listen)}"

    @property
    def agent_url(self) -> str:
        """URL of the agents' API for agents on this host."""
        return f"http://{_reachable(self.agent_listen)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """All settings.

    Attributes:
        variables: environment of the other processes, from their tables of the file.
        tables: the file's tables, as they stand there.
    """

    server: ServerSettings
    tables: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read(environment: Mapping[str, str] = os.environ) -> Configuration:
    """Read the file that ``STRATOPLANE_CONFIG`` names, if any, and the environment.

    Raises:
        SettingsError: with every problem of every table; the operator corrects them and starts again.
    """
    tables = _read_file(environment.get(CONFIG_VARIABLE, ""))
    known = ["server", *_ROLES, PLUGINS_TABLE]
    problems = [f"[{name}]: unknown table; known are {', '.join(known)}" for name in sorted(tables.keys() - set(known))]
    server: ServerSettings | None = None
    try:
        server = load(ServerSettings, tables.get("server", {}), environment, where="[server]")
    except SettingsError as error:
        problems += error.problems
    problems += _problems_of_roles(tables, environment) + _problems_of_plugins(tables.get(PLUGINS_TABLE, {}))
    if server is None or problems:
        raise SettingsError(f"the settings cannot be used: {'; '.join(problems)}", problems)
    absolute = dataclasses.replace(server, state=server.state.expanduser().absolute())
    return Configuration(server=absolute, variables=_variables_of(tables), tables=tables)


def tables_of_settings() -> Mapping[str, type]:
    """Return the tables of the file whose settings are known, with the class that declares them."""
    return {"server": ServerSettings, **_ROLES}


def _read_file(name: str) -> dict[str, dict[str, object]]:
    if not name:
        return {}
    try:
        document = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = f"{CONFIG_VARIABLE} {name}: {error}"
        raise SettingsError(f"the settings cannot be used: {problem}", [problem]) from error
    flat = [
        f"{key}: belongs in a table such as [server]" for key, value in document.items() if not isinstance(value, dict)
    ]
    if flat:
        raise SettingsError(f"the settings cannot be used: {'; '.join(flat)}", flat)
    return document


def _problems_of_roles(tables: Mapping[str, Mapping[str, object]], environment: Mapping[str, str]) -> list[str]:
    """Load every role's settings once, to report their problems together with the server's."""
    problems: list[str] = []
    loaded: dict[str, object] = {}
    for name, settings in _ROLES.items():
        table = tables.get(name, {})
        if misplaced := sorted(table.keys() & SHARED.keys()):
            problems += [f"[{name}] {key}: belongs in [server]" for key in misplaced]
            continue
        try:
            loaded[name] = load(settings, {**SHARED, **table}, environment, where=f"[{name}]")
        except SettingsError as error:
            problems += error.problems
    return problems or _contradictions(loaded)


def _contradictions(loaded: Mapping[str, object]) -> list[str]:
    return [
        f"[{one}] {more} ({getattr(loaded[one], more):g}) must not be below [{other}] {less}"
        f" ({getattr(loaded[other], less):g})"
        for (one, more), (other, less) in _AT_LEAST
        if getattr(loaded[one], more) < getattr(loaded[other], less)
    ]


def _problems_of_plugins(table: Mapping[str, object]) -> list[str]:
    """Say what cannot be a plugin's table; a plugin judges its own settings when it is loaded."""
    known = {each.name for each in installed(PLUGIN_GROUP)} if table else set()
    problems = []
    for name, value in table.items():
        if not isinstance(value, dict):
            problems.append(f"[plugins] {name}: belongs in a table such as [plugins.webhook]")
        elif name not in known:
            problems.append(f"[plugins.{name}]: no installed distribution offers this plugin")
    return problems


def _variables_of(tables: Mapping[str, Mapping[str, object]]) -> Mapping[str, str]:
    variables: dict[str, str] = {}
    for name, settings in _ROLES.items():
        variables |= _variables(settings, tables.get(name, {}))
    if plugins := tables.get(PLUGINS_TABLE):
        variables[PLUGIN_SETTINGS_VARIABLE] = json.dumps(plugins, default=str)
    return variables


def _variables(settings: type, table: Mapping[str, object]) -> dict[str, str]:
    names = {field.name: help_of(field).env for field in dataclasses.fields(settings)}
    return {names[key]: _as_text(value) for key, value in table.items()}


def _as_text(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _reachable(listen: str) -> str:
    """Return host and port for a client, which cannot connect to a wildcard address."""
    host, port = listen.rsplit(":", 1)
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104
