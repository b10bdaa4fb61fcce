# SPDX-License-Identifier: Apache-2.0
"""Settings of the gateway's processes."""

import dataclasses
from dataclasses import dataclass

from stratoplane.settings import setting


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
        8, help="polls that one agent may hold at a time in a process", env="STRATOPLANE_API_AGENT_POLLS"
    )
    trusted_proxies: int = setting(
        0, help="reverse proxies in front whose X-Forwarded-For is believed", env="STRATOPLANE_API_TRUSTED_PROXIES"
    )
    plugins: tuple[str, ...] = setting((), help="names of the enabled plugins", env="STRATOPLANE_PLUGINS")

    def __post_init__(self) -> None:
        for name in ("pool_size", "rate_requests", "rate_seconds", "login_attempts", "address_logins", "agent_polls"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")
        for name in ("waiting_requests", "trusted_proxies"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative")
