# SPDX-License-Identifier: Apache-2.0
"""The agent's settings: a TOML file and the environment, which takes precedence.

The file's top level holds :class:`AgentSettings`; a table ``[driver.<name>]`` holds the settings of that driver.
"""

import ipaddress
import os
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stratoplane.drivers import Interface
from stratoplane.errors import SettingsError
from stratoplane.settings import Secret, load, setting
from stratoplane_agent.log import LogFormat, LogLevel

CONFIG_VARIABLE: Final = "STRATOPLANE_AGENT_CONFIG"
DEFAULT_FILE: Final = Path("/etc/stratoplane/agent.toml")
NO_DRIVER: Final = "none"


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """Settings of ``stratoplane-agent``."""

    control_plane: str = setting(
        "",
        help="URL of the agents' API, such as https://cloud.example:8701; the one used at enrolment when empty",
        env="STRATOPLANE_AGENT_CONTROL_PLANE",
    )
    state: Path = setting(  # noqa: RUF009  # makes a dataclass field
        Path("/var/lib/stratoplane-agent"),
        help="folder for the credential, the journal and the drivers' files",
        env="STRATOPLANE_AGENT_STATE",
    )
    name: str = setting("", help="name of the agent; the host's name when empty", env="STRATOPLANE_AGENT_NAME")
    join_token: Secret = setting(  # noqa: RUF009  # makes a dataclass field
        Secret(""),
        help="one-use token that `run` enrols with while the agent has no credential",
        env="STRATOPLANE_AGENT_JOIN_TOKEN",
        secret=True,
    )
    ca_file: Path | None = setting(  # noqa: RUF009  # makes a dataclass field
        None,
        help="CA certificates (PEM) to trust for the control plane; the system's when not set",
        env="STRATOPLANE_AGENT_CA_FILE",
    )
    proxy: str = setting("", help="URL of an HTTP proxy to the control plane", env="STRATOPLANE_AGENT_PROXY")
    allow_plain_http: bool = setting(
        False,
        help="allow unencrypted connections to another host; for closed test networks only",
        env="STRATOPLANE_AGENT_ALLOW_PLAIN_HTTP",
    )
    default_driver: str = setting(
        "",
        help="driver of compute, network and storage unless set for each",
        env="STRATOPLANE_AGENT_DRIVER",
    )
    compute: str = setting("", help="driver of virtual machines, or none", env="STRATOPLANE_AGENT_COMPUTE")
    network: str = setting("", help="driver of networks, or none", env="STRATOPLANE_AGENT_NETWORK")
    storage: str = setting("", help="driver of volumes and buckets, or none", env="STRATOPLANE_AGENT_STORAGE")
    driver_kinds: tuple[str, ...] = setting(
        (),
        help="names of the kinds of objects of plugins to enable",
        env="STRATOPLANE_AGENT_DRIVER_KINDS",
    )
    interface_drivers: tuple[str, ...] = setting(
        (),
        help="drivers of the interfaces that driver_kinds add, each as interface=driver",
        env="STRATOPLANE_AGENT_INTERFACE_DRIVERS",
    )
    concurrency: int = setting(16, help="driver calls of one interface at a time", env="STRATOPLANE_AGENT_CONCURRENCY")
    backlog: int = setting(
        128,
        help="operations of one interface that are accepted before earlier ones end",
        env="STRATOPLANE_AGENT_BACKLOG",
    )
    prepare_seconds: float = setting(
        10.0,
        help="seconds to wait for drivers to connect before the agent reports without them",
        env="STRATOPLANE_AGENT_PREPARE_SECONDS",
    )
    listing_seconds: float = setting(
        60.0,
        help="seconds after which a driver's listing is given up and tried again",
        env="STRATOPLANE_AGENT_LISTING_SECONDS",
    )
    grace_seconds: float = setting(
        10.0, help="seconds that operations may take to end after SIGTERM", env="STRATOPLANE_AGENT_GRACE_SECONDS"
    )
    log_format: LogFormat = setting(  # noqa: RUF009  # makes a dataclass field
        LogFormat.TEXT, help="text or json", env="STRATOPLANE_AGENT_LOG_FORMAT"
    )
    log_level: LogLevel = setting(  # noqa: RUF009  # makes a dataclass field
        LogLevel.INFO, help="debug, info, warning or error", env="STRATOPLANE_AGENT_LOG_LEVEL"
    )

    def __post_init__(self) -> None:
        problems = [problem_of_url(self.control_plane)] if self.control_plane else []
        counts = {"concurrency": self.concurrency, "backlog": self.backlog}
        problems += [f"{name}: must be at least 1" for name, value in counts.items() if value < 1]
        durations = {"prepare_seconds": self.prepare_seconds, "grace_seconds": self.grace_seconds}
        problems += [f"{name}: must be 0 or more seconds" for name, value in durations.items() if value < 0]
        if self.listing_seconds <= 0:
            problems.append("listing_seconds: must be more than 0 seconds")
        problems += [_problem_of_choice(choice) for choice in self.interface_drivers]
        if problems := [problem for problem in problems if problem]:
            raise ValueError("; ".join(problems))

    @property
    def agent_name(self) -> str:
        """The agent's name for people."""
        return self.name or socket.gethostname()

    @property
    def drivers(self) -> Mapping[str, str]:
        """The driver's name of every interface that has one."""
        built_in = {Interface.COMPUTE: self.compute, Interface.NETWORK: self.network, Interface.STORAGE: self.storage}
        chosen = {interface.value: name or self.default_driver for interface, name in built_in.items()}
        for choice in self.interface_drivers:
            interface, _, name = choice.partition("=")
            chosen[interface.strip()] = name.strip()
        return {interface: name for interface, name in chosen.items() if name not in ("", NO_DRIVER)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """All settings; ``tables`` holds the tables ``[driver.<name>]`` by name."""

    agent: AgentSettings
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def read(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Configuration:
    """Read ``path``, the file that the environment names, or the one in ``/etc`` if it exists; then the environment.

    Raises:
        SettingsError: with every problem found; the operator corrects them and starts again.
    """
    document = dict(_document(path, environment))
    tables = document.get("driver", {})
    if not isinstance(tables, dict):  # an unknown setting of that name, which load() reports
        return Configuration(agent=load(AgentSettings, document, environment))
    document.pop("driver", None)
    problems = [f"[driver.{name}]: must be a table" for name, table in tables.items() if not isinstance(table, dict)]
    if problems:
        raise SettingsError("the settings cannot be used: " + "; ".join(problems), problems)
    return Configuration(agent=load(AgentSettings, document, environment), tables=tables)


def _document(path: Path | None, environment: Mapping[str, str]) -> Mapping[str, object]:
    named = path or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    chosen = named or DEFAULT_FILE
    try:
        return tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return {}
        raise SettingsError(f"{chosen}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{chosen}: {error}") from error


def _problem_of_choice(choice: str) -> str:
    interface, _, name = (part.strip() for part in choice.partition("="))
    if not interface or not name:
        return f"interface_drivers: {choice!r} must have the form interface=driver"
    if interface in list(Interface):
        return f"interface_drivers: set {interface} = {name!r} instead of {choice!r}"
    return ""


def problem_of_url(url: str) -> str:
    """Return what is wrong with a control plane's URL, empty if nothing."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"control_plane: {url!r} is not a URL of the form https://host:port"
    if parts.query or parts.fragment or parts.username:
        return "control_plane: must not contain a user, query or fragment"
    return ""


def is_on_this_host(url: str) -> bool:
    """Tell whether a URL names this host, so that nothing sent there leaves it."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
