# SPDX-License-Identifier: Apache-2.0
"""Settings that every role of the control plane shares."""

import os
import sys
from dataclasses import MISSING, dataclass
from typing import Final

from stratoplane.errors import SettingsError
from stratoplane.settings import load, setting

VALKEY_SCHEMES: Final = ("redis://", "rediss://", "unix://", "redis+sentinel://")
"""How the URL of Valkey or Redis may begin."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where the control plane keeps its state and which plugins it asks."""

    database_url: str = setting(MISSING, help="PostgreSQL, as a libpq URL", env="STRATOPLANE_DATABASE_URL")
    redis_url: str = setting(
        MISSING,
        help="Valkey or Redis, as redis://…, unix://… or redis+sentinel://host,host/service/0",
        env="STRATOPLANE_REDIS_URL",
    )
    plugins: tuple[str, ...] = setting((), help="names of the enabled plugins, in order", env="STRATOPLANE_PLUGINS")
    sweep_seconds: float = setting(
        5.0, help="seconds between sweeps for lost wake-ups", env="STRATOPLANE_SWEEP_SECONDS"
    )
    reconcile_seconds: float = setting(
        30.0, help="seconds between comparisons of desired and observed state", env="STRATOPLANE_RECONCILE_SECONDS"
    )
    full_comparison_seconds: float = setting(
        120.0,
        help="seconds between comparisons of everything; in between only what has changed is compared",
        env="STRATOPLANE_FULL_COMPARISON_SECONDS",
    )
    agent_lost_seconds: float = setting(
        180.0,
        help="seconds of silence after which a cluster's agent is an incident",
        env="STRATOPLANE_AGENT_LOST_SECONDS",
    )
    listing_late_seconds: float = setting(
        180.0,
        help="seconds after which it is an incident that a driver has not answered a listing",
        env="STRATOPLANE_LISTING_LATE_SECONDS",
    )
    seal_seconds: float = setting(1.0, help="seconds between seals of the audit trail", env="STRATOPLANE_SEAL_SECONDS")
    seal_late_seconds: float = setting(
        60.0,
        help="seconds that an event of the audit trail may wait for its seal until that is an incident",
        env="STRATOPLANE_SEAL_LATE_SECONDS",
    )
    escalate_warning_seconds: float = setting(
        86_400.0,
        help="seconds after which a WARNING that nobody has acknowledged becomes CRITICAL",
        env="STRATOPLANE_ESCALATE_WARNING_SECONDS",
    )
    escalate_critical_seconds: float = setting(
        3_600.0,
        help="seconds after which a CRITICAL incident that nobody has acknowledged is told again",
        env="STRATOPLANE_ESCALATE_CRITICAL_SECONDS",
    )


def load_settings() -> EngineSettings:
    """Return a role's settings from the environment; end the program with what is wrong in one line."""
    try:
        return load(EngineSettings, {}, os.environ)
    except SettingsError as error:
        sys.exit(error.detail)
