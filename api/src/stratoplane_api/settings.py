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

_HOUR: Final = 3600


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """What an operator can choose for the gateway; every value has an environment name."""

    database_url: str = setting(
        dataclasses.MISSING, help="PostgreSQL, as postgresql://…", env="STRATOPLANE_DATABASE_URL"
    )
    redis_url: str = setting("", help="Redis or Valkey for rate limits, empty for none", env="STRATOPLANE_REDIS_URL")
    pool_size: int = setting(8, help="database connections per process", env="STRATOPLANE_API_POOL_SIZE")
    rate_requests: int = setting(30_000, help="requests per credential and window", env="STRATOPLANE_API_RATE_REQUESTS")
    rate_seconds: int = setting(
        60, help="length of the rate limit's window, seconds", env="STRATOPLANE_API_RATE_SECONDS"
    )
    login_attempts: int = setting(
        20, help="logins per address and user name in a minute", env="STRATOPLANE_API_LOGIN_ATTEMPTS"
    )
    address_logins: int = setting(300, help="logins per address in a minute", env="STRATOPLANE_API_ADDRESS_LOGINS")
    waiting_requests: int = setting(
        4,
        help="requests per process that may be held until a job ends; further ones are answered at once",
        env="STRATOPLANE_API_WAITING_REQUESTS",
    )
    agent_polls: int = setting(
        2, help="polls that one agent may hold at a time in a process", env="STRATOPLANE_API_AGENT_POLLS"
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
    plugins: tuple[str, ...] = setting((), help="names of the enabled plugins", env="STRATOPLANE_PLUGINS")

    def __post_init__(self) -> None:
        for name in ("pool_size", "rate_requests", "rate_seconds", "login_attempts", "address_logins", "agent_polls"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        if not 1 <= self.inventory_seconds <= _HOUR:
            raise ValueError(f"inventory_seconds: must be from 1 to {_HOUR}")
        for name in ("waiting_requests", "trusted_proxies"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative")

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
