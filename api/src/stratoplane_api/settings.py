# SPDX-License-Identifier: Apache-2.0
"""Settings of the gateway's processes."""

import dataclasses
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stratoplane.errors import SettingsError
from stratoplane.join_tokens import pin_of
from stratoplane.settings import setting
from stratoplane_engine.access.context import AccountLimits
from stratoplane_engine.services.credentials import LONGEST_SECONDS, PasswordCost

_HOUR: Final = 3600
_AT_LEAST_ONE: Final = (
    "pool_size",
    "rate_requests",
    "rate_seconds",
    "login_attempts",
    "address_logins",
    "address_refusals",
    "agent_polls",
    "most_tokens",
    "most_projects",
    "most_users",
    "most_role_bindings",
    "password_passes",
)
_LEAST_MEMORY_KIB: Final = 8
"""Of Argon2 with one lane (RFC 9106, section 3.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginBounds:
    """How many logins of a quarter of an hour are checked without a pause.

    Attributes:
        attempts: with one user name, from one address, from one device, or from all addresses that are new to it.
        address: from one address with user names that never logged in from there.
    """

    attempts: int
    address: int


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """What an operator can choose for the gateway; every value has an environment name."""

    database_url: str = setting(
        dataclasses.MISSING, help="PostgreSQL, as postgresql://…", env="STRATOPLANE_DATABASE_URL"
    )
    redis_url: str = setting("", help="Redis or Valkey for rate limits, empty for none", env="STRATOPLANE_REDIS_URL")
    pool_size: int = setting(8, help="database connections per process", env="STRATOPLANE_API_POOL_SIZE")
    rate_requests: int = setting(
        30_000,
        help="requests per user, all tokens together, in a window; per agent, and per address without either",
        env="STRATOPLANE_API_RATE_REQUESTS",
    )
    rate_seconds: int = setting(
        60, help="length of the rate limit's window, seconds", env="STRATOPLANE_API_RATE_SECONDS"
    )
    login_attempts: int = setting(
        100,
        help="logins with one user name, from an address or from all that are new to the user, in 15 minutes; "
        "more are checked one in 5 s",
        env="STRATOPLANE_API_LOGIN_ATTEMPTS",
    )
    address_logins: int = setting(
        300,
        help="logins from one address with user names that never logged in from there, in 15 minutes; "
        "more are checked one in 5 s",
        env="STRATOPLANE_API_ADDRESS_LOGINS",
    )
    address_refusals: int = setting(
        300,
        help="requests from one address whose token or signature opens nothing, in a minute",
        env="STRATOPLANE_API_ADDRESS_REFUSALS",
    )
    most_tokens: int = setting(
        100, help="tokens of a user that open something; sessions do not count", env="STRATOPLANE_API_MOST_TOKENS"
    )
    most_projects: int = setting(1_000, help="projects of an organization", env="STRATOPLANE_API_MOST_PROJECTS")
    most_users: int = setting(1_000, help="users of an organization", env="STRATOPLANE_API_MOST_USERS")
    most_role_bindings: int = setting(
        10_000, help="role bindings of an organization", env="STRATOPLANE_API_MOST_ROLE_BINDINGS"
    )
    token_cache_seconds: float = setting(
        1.0,
        help="seconds, at most 1, that a process keeps whom a token stands for; 0 asks the database every time",
        env="STRATOPLANE_API_TOKEN_CACHE_SECONDS",
    )
    password_passes: int = setting(2, help="Argon2id's passes for new passwords", env="STRATOPLANE_API_PASSWORD_PASSES")
    password_memory_kib: int = setting(
        19 * 1024, help="KiB of memory that one hash of a password takes", env="STRATOPLANE_API_PASSWORD_MEMORY_KIB"
    )
    waiting_requests: int = setting(
        4,
        help="requests per process that may be held until a job ends; further ones are answered at once",
        env="STRATOPLANE_API_WAITING_REQUESTS",
    )
    agent_polls: int = setting(
        2, help="polls that one agent may hold at a time in a process", env="STRATOPLANE_API_AGENT_POLLS"
    )
    agent_connections: int = setting(
        1000,
        help="connections of one address that a process of the agents' API keeps, 0 for any number; it does not count"
        " behind trusted proxies",
        env="STRATOPLANE_API_AGENT_CONNECTIONS",
    )
    inventory_seconds: float = setting(
        30.0,
        help="seconds between an agent's looks at what its cluster holds",
        env="STRATOPLANE_API_INVENTORY_SECONDS",
    )
    agent_certificate: Path | None = setting(  # noqa: RUF009  # makes a dataclass field
        None,
        help="certificate (PEM) that agents see by https; join tokens carry its fingerprint",
        env="STRATOPLANE_AGENT_CERTIFICATE",
    )
    trusted_proxies: int = setting(
        0, help="reverse proxies in front whose X-Forwarded-For is believed", env="STRATOPLANE_API_TRUSTED_PROXIES"
    )
    drain_file: Path | None = setting(  # noqa: RUF009  # makes a dataclass field
        None,
        help="file that you create before you stop a process: while it exists, `ready` answers 503",
        env="STRATOPLANE_API_DRAIN_FILE",
    )
    plugins: tuple[str, ...] = setting((), help="names of the enabled plugins", env="STRATOPLANE_PLUGINS")

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        if self.password_memory_kib < _LEAST_MEMORY_KIB:
            raise ValueError(f"password_memory_kib: must be at least {_LEAST_MEMORY_KIB}")
        if not 1 <= self.inventory_seconds <= _HOUR:
            raise ValueError(f"inventory_seconds: must be from 1 to {_HOUR}")
        if not 0 <= self.token_cache_seconds <= LONGEST_SECONDS:
            raise ValueError(f"token_cache_seconds: must be from 0 to {LONGEST_SECONDS:g}")
        for name in ("waiting_requests", "trusted_proxies", "agent_connections"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative")

    @property
    def login_bounds(self) -> LoginBounds:
        """How many logins are checked without a pause."""
        return LoginBounds(attempts=self.login_attempts, address=self.address_logins)

    @property
    def account_limits(self) -> AccountLimits:
        """How many there may be of what belongs to accounts."""
        return AccountLimits(
            projects=self.most_projects,
            users=self.most_users,
            role_bindings=self.most_role_bindings,
            tokens=self.most_tokens,
        )

    @property
    def connections_per_address(self) -> int:
        """How many connections one address may have, 0 for any number: behind a proxy all have the proxy's."""
        return 0 if self.trusted_proxies else self.agent_connections

    @property
    def password_cost(self) -> PasswordCost:
        """What hashing a password costs."""
        return PasswordCost(passes=self.password_passes, memory_kib=self.password_memory_kib)

    @property
    def agent_certificate_pin(self) -> str:
        """SHA-256 of the certificate that agents see, hexadecimal; empty when none is named.

        Raises:
            SettingsError: the file cannot be read or holds no certificate.
        """
        if self.agent_certificate is None:
            return ""
        try:
            return pin_of(ssl.PEM_cert_to_DER_cert(_first_certificate(self.agent_certificate.read_text("ascii"))))
        except (OSError, ValueError) as error:
            raise SettingsError(f"agent_certificate: {self.agent_certificate} holds no certificate: {error}") from error


def _first_certificate(text: str) -> str:
    """Return the first certificate of a file, which is the server's own; a chain and a key may follow or precede."""
    begin, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER)
    return text[begin : end + len(ssl.PEM_FOOTER)]
